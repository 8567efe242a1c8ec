using System.Reflection;
using EventDbx.TestKit;
using Xunit.v3;

/// <summary>Leaves a test, or every test of a class, to <c>./test --slow</c>, which CI runs: it is skipped visibly, with the reason, in the suite that every change must pass in minutes.</summary>
/// <remarks>Belongs on what takes seconds and has a faster neighbour that finds most of the same.</remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
internal sealed class CiTierAttribute(string why) : BeforeAfterTestAttribute
{
    public override void Before(MethodInfo methodUnderTest, IXunitTest test) =>
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, $"{why} ./test --slow runs it.");
}
