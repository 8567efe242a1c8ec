using System.Collections.Concurrent;
using System.Reflection;
using EventDbx.TestKit;
using Xunit.v3;

[assembly: HangGuard]

/// <summary>Ends a test that hangs, so that it fails by its name and the others go on: without it one test would cost the whole run.</summary>
/// <remarks>
/// After <see cref="Patience"/> the test's own cancellation token is cancelled; one that does not listen to it takes the process along a little later.
/// The bound is far beyond the longest test of its tier: it finds what hangs, and says nothing about what is slow.
/// </remarks>
[AttributeUsage(AttributeTargets.Assembly)]
internal sealed class HangGuardAttribute : BeforeAfterTestAttribute
{
    static readonly TimeSpan Patience = TestTiers.Choose(TimeSpan.FromMinutes(10), TimeSpan.FromMinutes(20), TimeSpan.FromDays(1));

    /// <summary>What a test that was cancelled has to come to its end.</summary>
    static readonly TimeSpan LastPatience = TimeSpan.FromMinutes(2);

    static readonly ConcurrentDictionary<string, Timer> Running = [];

    public override void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
        var context = TestContext.Current;
        var name = test.TestDisplayName;
        var cancelled = false;
        Running[test.UniqueID] = new(
            _ =>
            {
                if (cancelled)
                    Environment.FailFast($"{name} hangs, and does not listen to its cancellation token.");
                cancelled = true;
                Console.Error.WriteLine($"{name} has run for {Patience}: it hangs, and is cancelled.");
                context.CancelCurrentTest();
            },
            null, Patience, LastPatience);
    }

    public override void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        if (Running.TryRemove(test.UniqueID, out var timer))
            timer.Dispose();
    }
}
