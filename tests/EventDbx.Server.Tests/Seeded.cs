using System.Globalization;

namespace EventDbx.Server.Tests;

/// <summary>Runs a test that draws from a seed, and names the seed: <c>EVENTDBX_TEST_SEED</c> repeats a run.</summary>
internal static class Seeded
{
    static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("EVENTDBX_TEST_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed
        : TestTiers.Choose(6962, 6962, Environment.TickCount & 0xFFFFFF);

    public static async Task RunAsync(Func<Random, Task> test)
    {
        TestContext.Current.TestOutputHelper?.WriteLine($"EVENTDBX_TEST_SEED={Seed}");
        try
        {
            await test(new(Seed));
        }
        // What is skipped is no failure: it stays what it is.
        catch (Exception cause) when (!cause.Message.StartsWith("$XunitDynamicSkip$", StringComparison.Ordinal))
        {
            throw new Xunit.Sdk.XunitException($"With EVENTDBX_TEST_SEED={Seed}: {cause.Message}", cause);
        }
    }
}
