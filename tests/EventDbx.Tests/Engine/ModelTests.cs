using System.Diagnostics;
using System.Globalization;
using EventDbx.Tests.Engine.Model;
using EventDbx.Tests.Storage;

namespace EventDbx.Tests.Engine;

/// <summary>Random walks over the whole session against a dictionary: every answer is the model's.</summary>
/// <remarks>
/// A failing walk prints its seed and the shortest walk found that still fails. <c>EVENTDBX_TEST_SEED</c> repeats it;
/// <c>EVENTDBX_TEST_TIER</c> = <c>ci</c> or <c>demand</c> walks further.
/// </remarks>
public sealed class ModelTests(ITestOutputHelper output)
{
    static readonly TimeSpan ShrinkFor = TimeSpan.FromSeconds(40);

    public static TheoryData<bool, bool, Durability, int> Ways()
    {
        var ways = new TheoryData<bool, bool, Durability, int>();
        foreach (var rocks in (bool[])[true, false])
            foreach (var encrypted in (bool[])[true, false])
                foreach (var durability in Enum.GetValues<Durability>())
                    foreach (var groupCommits in (int[])[1, 2048])
                        ways.Add(rocks, encrypted, durability, groupCommits);
        return ways;
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Every_answer_of_a_session_is_the_one_a_dictionary_would_give(bool rocks, bool encrypted, Durability durability, int groupCommits)
    {
        var (walks, length) = Effort.Choose((1, 150), (4, 300), (200, 1000));
        var first = Effort.Seed;
        for (var seed = first; seed < first + walks; seed++)
        {
            var moves = new Moves(new Random(seed)).Walk(length);
            if (await FailureOf(moves, seed) is { } failure)
            {
                moves = await ShrinkAsync(moves, seed);
                output.WriteLine($"EVENTDBX_TEST_SEED={seed}; {moves.Count} moves of {length} still fail:");
                foreach (var move in moves)
                    output.WriteLine(move.ToString() ?? "");
                Assert.Fail($"The walk of seed {seed} fails: {failure}\nShrunk, it fails so: {await FailureOf(moves, seed)}");
            }
        }

        async Task<Exception?> FailureOf(IReadOnlyList<Move> moves, int seed)
        {
            using var store = new TestStore();
            var memory = new MemoryEngine();
            var options = store.Options(encrypted) with
            {
                Durability = durability, RelaxedInterval = TimeSpan.FromMilliseconds(1), GroupCommits = groupCommits, HeadCacheEntries = 2,
            };
            try
            {
                // The memory is opened again as a power cut would leave it: what was answered and waited for is all there.
                await using var walk = new Walk(new(o => rocks ? Database.Open(o) : Database.OpenOn(memory = memory.AfterPowerCut(), o), options), seed);
                await walk.RunAsync(moves);
                return null;
            }
            catch (Exception failure)
            {
                return failure;
            }
        }

        // Fewer moves first, then fewer requests in each.
        async Task<List<Move>> ShrinkAsync(List<Move> moves, int seed)
        {
            var since = Stopwatch.GetTimestamp();
            moves = await FewerAsync(moves, m => m);
            for (var i = 0; i < moves.Count; i++)
            {
                if (moves[i] is not Submit { Requests.Count: > 1 } submit)
                    continue;
                var at = i;
                var fewer = await FewerAsync([.. submit.Requests], requests => [.. moves.Take(at), submit with { Requests = requests }, .. moves.Skip(at + 1)]);
                moves[i] = submit with { Requests = fewer };
            }

            return moves;

            async Task<List<T>> FewerAsync<T>(List<T> parts, Func<List<T>, List<Move>> whole)
            {
                for (var chunk = (parts.Count + 1) / 2; chunk > 0; chunk /= 2)
                {
                    for (var start = 0; start < parts.Count && Stopwatch.GetElapsedTime(since) < ShrinkFor;)
                    {
                        List<T> fewer = [.. parts.Take(start), .. parts.Skip(start + chunk)];
                        if (await FailureOf(whole(fewer), seed) is null)
                            start += chunk;
                        else
                            parts = fewer;
                    }
                }

                return parts;
            }
        }
    }
}
