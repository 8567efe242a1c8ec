namespace EventDbx.TestKit;

/// <summary>How long a test run may take: set by <c>./test</c>, <c>./test --slow</c>, <c>./test --all</c>.</summary>
public enum TestTier
{
    /// <summary>What every change must pass: minutes.</summary>
    Default,

    /// <summary>What CI runs.</summary>
    Ci,

    /// <summary>What someone asks for: hours.</summary>
    Demand,
}

/// <summary>The tier of this run, from <c>EVENTDBX_TEST_TIER</c> (<c>ci</c>, <c>demand</c>).</summary>
public static class TestTiers
{
    public static TestTier Current { get; } = Environment.GetEnvironmentVariable("EVENTDBX_TEST_TIER") switch
    {
        "ci" => TestTier.Ci,
        "demand" => TestTier.Demand,
        _ => TestTier.Default,
    };

    /// <summary>One value for each tier: how many cycles, rows, seconds.</summary>
    public static T Choose<T>(T byDefault, T ci, T demand) => Current switch
    {
        TestTier.Default => byDefault,
        TestTier.Ci => ci,
        TestTier.Demand => demand,
    };
}
