namespace EventDbx.Server.Tests;

public sealed class AccessTests
{
    [Theory]
    [InlineData("aggregate:order:*", "order", "o-1", true)]
    [InlineData("aggregate:order:*", "orders", "o-1", false)]
    [InlineData("aggregate:order", "order", "any/thing", true)]
    [InlineData("aggregate:order:o-?", "order", "o-1", true)]
    [InlineData("aggregate:order:o-?", "order", "o-12", false)]
    [InlineData("aggregate:a%3Ab:*", "a:b", "1", true)]
    [InlineData("aggregate:a%2A:*", "a*", "1", true)]
    [InlineData("aggregate:a%2A:*", "ab", "1", false)]
    [InlineData("aggregate:order:a:b", "order", "a:b", true)]
    [InlineData("*", "anything", "at all", true)]
    public void A_resource_reaches_the_aggregates_it_says(string resource, string type, string id, bool reached)
    {
        Assert.True(Grants.TryParse(["aggregate.append"], [resource], out var grants, out _));
        Assert.Equal(reached, grants.Allows(AccessAction.AggregateAppend, AggregateKey.Create(type, id)));
    }

    [Fact]
    public void Appending_implies_reading_and_nothing_else()
    {
        Assert.True(Grants.TryParse(["aggregate.append"], [], out var grants, out _));
        Assert.Equal(
            [AccessAction.AggregateRead, AccessAction.AggregateAppend],
            AccessActions.All.Where(action => grants.Allows(action)));
    }
}
