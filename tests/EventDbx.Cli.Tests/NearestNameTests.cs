namespace EventDbx.Cli.Tests;

public sealed class NearestNameTests
{
    [Theory]
    [InlineData("prt", "port")]
    [InlineData("potr", "port")]
    [InlineData("PORT", "port")]
    [InlineData("list-page-size", "list_page_size")]
    [InlineData("xyz", null)]
    [InlineData("", null)]
    [InlineData("something long that is like nothing else in the world, and longer than any name we know", null)]
    public void The_nearest_name_is_found_or_none(string unknown, string? nearest)
    {
        Assert.Equal(nearest, NearestName.Of(unknown, ["admin.port", "port", "list_page_size", "api"]));
    }
}
