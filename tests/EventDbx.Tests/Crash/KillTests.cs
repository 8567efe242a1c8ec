using EventDbx.Encryption;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Crash;

/// <summary>kill -9 under sixteen writers, and the store as it is found afterwards.</summary>
public sealed class KillTests
{
    /// <summary>Cycles one directory goes through before another is begun: reading everything must not eat the night.</summary>
    const int CyclesOfOneDirectory = 25;

    [Theory]
    [InlineData("sync", true)]
    [InlineData("relaxed", false)]
    public Task What_was_acknowledged_survives_kill_9_and_nothing_else_is_there(string durability, bool encrypted) => Effort.SeededAsync(async random =>
    {
        var (acknowledged, found, checkpoints) = (0, 0, 0);
        for (var left = Effort.Choose(5, 50, 500); left > 0; left -= CyclesOfOneDirectory)
        {
            var (a, f, c) = await RunAsync(durability, encrypted, Math.Min(left, CyclesOfOneDirectory), random);
            (acknowledged, found, checkpoints) = (acknowledged + a, found + f, checkpoints + c);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{acknowledged} operations acknowledged; {found} more were found whole; {checkpoints} checkpoints hold");
        Assert.NotEqual(0, checkpoints);
    });

    static async Task<(int Acknowledged, int FoundInFlight, int Checkpoints)> RunAsync(string durability, bool encrypted, int cycles, Random random)
    {
        using var store = new TestStore();
        using var key = DataKey.Generate();
        var options = store.Options(encrypted) with { Key = encrypted ? key : null, LockTimeout = TimeSpan.FromSeconds(5) };
        var oracle = new KillOracle();
        for (var cycle = 0; cycle < cycles; cycle++)
        {
            using var child = Child.Start("write", store.Directory, $"{random.Next()}", $"{cycle}", "16", encrypted ? key.ToBase64() : "-", durability);
            await KillAsync(child, oracle, random, cycle);
            if (cycle % 2 == 1)
            {
                // On a copy, so that the next child finds the directory as the kill left it.
                using var copy = DirectoryImage.Copy(store.Directory);
                await using var looked = Database.Open(options with { Directory = copy.Path });
                oracle.Check(looked);
                looked.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken);
                continue;
            }

            var unanswered = oracle.InFlightWithId();
            await using var database = Database.Open(options with { Check = cycle % 4 == 2 ? Child.Check() : options.Check });
            oracle.Check(database);
            await oracle.RepeatAsync(database, unanswered, random);
            database.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken);
        }

        await using (var database = Database.Open(options))
        {
            var verified = database.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken);
            Assert.Equal(oracle.Size, verified.LogSize);
        }

        return (oracle.Acknowledged, oracle.FoundInFlight, oracle.HandedOut);
    }

    /// <summary>Most often at a random moment of the work, sometimes at one of the opening.</summary>
    static async Task KillAsync(Child child, KillOracle oracle, Random random, int cycle)
    {
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var heard = Task.Run(() => child.ReadAsync(line =>
        {
            oracle.Hear(line);
            if (line[0] == '<')
                answered.TrySetResult();
        }));
        if (cycle > 0 && random.Next(5) == 0)
        {
            await Task.Delay(random.Next(20, 400));
        }
        else
        {
            // Short times are as likely as long ones: 5 ms to 1.5 s on a logarithmic scale.
            var wait = TimeSpan.FromMilliseconds(5 * Math.Pow(300, random.NextDouble()));
            if (await Task.WhenAny(answered.Task, heard, Task.Delay(TimeSpan.FromSeconds(60))) != answered.Task)
                Assert.Fail($"The child never answered: {await child.ErrorsAsync()}");
            await Task.Delay(wait);
        }

        await child.KillAsync();
        await heard;
    }
}
