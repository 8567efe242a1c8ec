using System.Globalization;
using EventDbx.Verifier.Tests.Mutations;

namespace EventDbx.Verifier.Tests;

/// <summary>Documents changed at random: none is accepted wrongly, and none refused wrongly.</summary>
public sealed class MutationTests
{
    static readonly int Seed = int.TryParse(Environment.GetEnvironmentVariable("EVENTDBX_TEST_SEED"), CultureInfo.InvariantCulture, out var seed)
        ? seed : TestTiers.Choose(6962, 6962, Environment.TickCount & 0xFFFFFF);

    [Fact]
    public void No_changed_document_is_accepted_wrongly_or_refused_wrongly()
    {
        var (source, count) = (new MutationSource(new Random(Seed)), TestTiers.Choose(20_000, 1_000_000, 5_000_000));
        var kinds = new SortedDictionary<string, (int Held, int Failed)>(StringComparer.Ordinal);
        for (var i = 0; i < count; i++)
        {
            var mutation = source.Next();
            var report = mutation.Judge();

            if (report.Verdict == Verdict.Proven != mutation.Holds)
            {
                Assert.Fail($"EVENTDBX_TEST_SEED={Seed}, number {i}, {mutation.Kind}: {(mutation.Holds ? "refused wrongly" : "accepted wrongly")}\n"
                    + ReportText.ForPeople(report) + (mutation.Receipt is { } bytes ? System.Text.Encoding.UTF8.GetString(bytes) : ""));
            }

            kinds.TryGetValue(mutation.Kind, out var so);
            kinds[mutation.Kind] = mutation.Holds ? (so.Held + 1, so.Failed) : (so.Held, so.Failed + 1);
        }

        foreach (var (kind, (held, failed)) in kinds)
            TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{kind}: {held:N0} hold, {failed:N0} do not"));
        Assert.True(kinds.Count > 30, $"{kinds.Count} kinds");
        Assert.InRange(kinds.Values.Sum(so => so.Held), count / 5, count / 2);
    }
}
