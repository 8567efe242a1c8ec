using System.Globalization;
using EventDbx.TestKit;

namespace EventDbx.Tests.Crash;

/// <summary>How much of the crash tests runs, and from which seed.</summary>
/// <remarks>
/// <c>EVENTDBX_TEST_TIER</c> is <c>ci</c> or <c>demand</c>, or absent; <c>EVENTDBX_TEST_SEED</c> repeats a run whose seed was printed.
/// </remarks>
internal static class Effort
{
    public static int Seed { get; } = int.TryParse(Environment.GetEnvironmentVariable("EVENTDBX_TEST_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : Environment.TickCount & 0xFFFFFF;

    public static int Choose(int byDefault, int ci, int demand) => TestTiers.Choose(byDefault, ci, demand);

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
