using EventDbx.Access;
using EventDbx.Server.Tokens;

namespace EventDbx.Benchmarks;

/// <summary>What a request pays for its token: from the text of the token to a session, and the session's yes to one append.</summary>
internal static class TokenBenchmark
{
    static readonly byte[] s_secret = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var (rounds, count) = (arguments.Int("rounds", 5), arguments.Int("checks", 200_000));
        using var store = new BenchStore(Path.Combine(scratch.Path, "store"), encrypted: true).Open(Durability.Relaxed);
        var owner = store.Database!.OpenSession(new("bench", "owner"));
        var tokens = TokenAuthority.Open(
            store.Database, new(s_secret, "key-1", "eventdbx://self", "eventdbx-clients", TimeSpan.FromHours(1), TimeSpan.FromSeconds(30)), TimeProvider.System);
        try
        {
            // Others in the ledger, so that a look into it is one.
            for (var i = 0; i < 1_000; i++)
                Issue(new() { Group = "other", User = $"u-{i}" });
            (string Name, string Token)[] subjects =
            [
                ("root", Issue(new() { Group = "g", User = "root", Root = true })),
                ("append and read on one type", Issue(new() { Group = "g", User = "one", Resources = ["aggregate:order:*"] })),
                ("append on the last of 100 resources", Issue(new()
                {
                    Group = "g", User = "many", Actions = ["aggregate.append"],
                    Resources = [.. Enumerable.Range(0, 99).Select(i => $"aggregate:type-{i}:*"), "aggregate:order:*"],
                })),
                ("kept alive", Issue(new() { Group = "g", User = "kept", KeepAlive = true })),
            ];
            var order = AggregateKey.Create("order", "o-1");
            Report report = new("token", "ns", "B", "of an append");
            var append = Median.Of(Enumerable.Range(0, rounds).Select(round => AppendNanoseconds(store.Session, round)));
            foreach (var (name, token) in subjects)
            {
                var runs = Enumerable.Range(-1, rounds + 1).Select(_ => Measure(tokens, token, order, count)).Skip(1).ToArray();
                var middle = Median.Of(runs.Select(run => run.Nanoseconds));
                report.Row(name, $"{middle:n0}", $"{Median.Of(runs.Select(run => run.Bytes)):n0}", $"{middle / append:p2}");
            }

            Console.WriteLine($"one append without syncs, one writer: {append / 1000:n0} µs");

            string Issue(TokenRequest request) => tokens.IssueAsync(owner, request, CancellationToken.None).GetAwaiter().GetResult().Token;
        }
        finally
        {
            tokens.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    static (double Nanoseconds, double Bytes) Measure(TokenAuthority tokens, string token, AggregateKey aggregate, int count)
    {
        var (before, startedAt) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.GetTimestamp());
        for (var i = 0; i < count; i++)
            tokens.Authenticate(token).Demand(AccessAction.AggregateAppend, aggregate);
        var elapsed = Stopwatch.GetElapsedTime(startedAt);
        return (elapsed.TotalNanoseconds / count, (GC.GetAllocatedBytesForCurrentThread() - before) / (double)count);
    }

    static double AppendNanoseconds(Session session, int round)
    {
        const int count = 5_000;
        var startedAt = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            session.AppendAsync(
                new() { Aggregate = AggregateKey.Create("order", $"{round}-{i % 100}"), EventType = "changed", Payload = "{\"total\":1.5}"u8.ToArray() },
                CancellationToken.None).GetAwaiter().GetResult();
        }

        return Stopwatch.GetElapsedTime(startedAt).TotalNanoseconds / count;
    }
}
