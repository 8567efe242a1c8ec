using EventDbx.Commit;

namespace EventDbx.Tests.Engine;

public class HeadCacheTests
{
    const int Capacity = 100;

    static readonly AggregateKey[] s_aggregates = [.. Enumerable.Range(0, 4 * Capacity).Select(i => AggregateKey.Create("t", $"{i}"))];

    [Fact]
    public void As_many_aggregates_as_its_capacity_never_miss_once_they_are_in()
    {
        var cache = new HeadCache(Capacity);
        var misses = 0;
        for (var i = 0; i < 10 * Capacity; i++)
            misses += Touch(cache, s_aggregates[i % Capacity]) ? 0 : 1;
        Assert.Equal(Capacity, misses);
    }

    [Fact]
    public void It_keeps_at_most_twice_its_capacity()
    {
        var cache = new HeadCache(Capacity);
        foreach (var aggregate in s_aggregates)
            Touch(cache, aggregate);
        Assert.InRange(s_aggregates.Count(aggregate => cache.Find(aggregate) is not null), Capacity, 2 * Capacity);
    }

    static bool Touch(HeadCache cache, AggregateKey aggregate)
    {
        cache.Turn();
        if (cache.Find(aggregate) is not null)
            return true;
        cache.Add(new() { Aggregate = aggregate });
        return false;
    }
}
