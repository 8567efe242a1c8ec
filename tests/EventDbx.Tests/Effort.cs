using System.Globalization;
using EventDbx.TestKit;

namespace EventDbx.Tests;

/// <summary>How much of a test runs, and from which seed.</summary>
/// <remarks>
/// <c>EVENTDBX_TEST_TIER</c> is <c>ci</c> or <c>demand</c>, or absent; <c>EVENTDBX_TEST_SEED</c> repeats a run whose seed was printed.
/// Without it a change is always held against the same draws; new ones are drawn on demand.
/// </remarks>
internal static class Effort
{
    public static int Seed { get; } = int.TryParse(Environment.GetEnvironmentVariable("EVENTDBX_TEST_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : TestTiers.Choose(6962, 6962, Environment.TickCount & 0xFFFFFF);

    /// <summary>By default; in CI; on demand.</summary>
    public static T Choose<T>(T byDefault, T ci, T demand) => TestTiers.Choose(byDefault, ci, demand);

    /// <summary>Runs a test that draws from the seed, and names the seed when it fails.</summary>
    public static async Task SeededAsync(Func<Random, Task> test)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"EVENTDBX_TEST_SEED={Seed}");
        try
        {
            await test(new(Seed));
        }
        catch (Exception cause)
        {
            throw new Xunit.Sdk.XunitException($"With EVENTDBX_TEST_SEED={Seed}: {cause.Message}", cause);
        }
    }
}
