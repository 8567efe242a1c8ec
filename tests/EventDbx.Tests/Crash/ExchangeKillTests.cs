using EventDbx.Encryption;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Recovery;

namespace EventDbx.Tests.Crash;

/// <summary>kill -9 while one store takes the place of another: a restore, over an old store or into nothing, and a rebuild.</summary>
/// <remarks>Each step by its name: <see cref="SwapTests"/>. Here the moment is drawn, and everything is as it is in life.</remarks>
public sealed class ExchangeKillTests
{
    const int Events = 400;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public Task Killed_anywhere_in_a_restore_the_directory_is_what_it_was_or_what_it_is_to_be(bool fresh) => Effort.SeededAsync(async random =>
    {
        using var key = DataKey.Generate();
        using var source = new TestStore();
        using var target = new TestStore();
        await using var database = await FilledAsync(source, key, Events);
        database.Documents.TryReplace("tokens.json", "[\"new\"]"u8, database.Documents.Read("tokens.json"));
        using var taken = Taken.Of(database, source.Directory);
        if (!fresh)
        {
            await using var old = await FilledAsync(target, key, 3);
            old.Documents.TryReplace("plugins.json", "[\"old\"]"u8, old.Documents.Read("plugins.json"));
        }

        using var before = DirectoryImage.Copy(target.Directory);
        var (were, became) = (0, 0);
        for (var kills = Effort.Choose(4, 25, 250); kills > 0; kills--)
        {
            using var image = DirectoryImage.Copy(before.Path);
            var ended = await KillAsync(random, "restore", image.Path, taken.Path, taken.DatabaseId.ToString(), $"{taken.Size}", taken.Root.ToString(), key.ToBase64());
            var isNew = Database.ExistsIn(image.Path) && await IsNewAsync(image.Path, key, taken.Size);
            Assert.False(ended && !isNew, "It said that it had come to its end, and has not.");
            _ = isNew ? became++ : were++;
            if (isNew || !fresh)
            {
                await using var opened = Database.Open(Options(image.Path, key));
                opened.OpenSession().VerifyAll(null, default);
                Assert.Equal((isNew, !isNew), (opened.Documents.Read("tokens.json").Content is not null, opened.Documents.Read("plugins.json").Content is not null));
                Assert.Equal(["event_store"], Directory.GetDirectories(image.Path).Select(Path.GetFileName));
                Assert.Empty(Directory.GetFiles(image.Path, "event_store.swap*"));
            }

            Assert.Equal(isNew, File.Exists(Path.Combine(image.Path, "config.toml")));
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{were} as it was, {became} as it was to be");
    });

    [Fact]
    public Task Killed_anywhere_in_a_rebuild_the_store_says_what_it_said() => Effort.SeededAsync(async random =>
    {
        using var key = DataKey.Generate();
        using var target = new TestStore();
        string told;
        await using (var database = await FilledAsync(target, key, Events))
            told = Told.All(database, Events);
        for (var kills = Effort.Choose(4, 25, 250); kills > 0; kills--)
        {
            await KillAsync(random, "rebuild", target.Directory, key.ToBase64());
            await using var opened = Database.Open(Options(target.Directory, key));
            Assert.Equal(told, Told.All(opened, Events));
            opened.OpenSession().VerifyAll(null, default);
            Assert.Equal(["event_store"], Directory.GetDirectories(target.Directory).Select(Path.GetFileName));
            Assert.Empty(Directory.GetFiles(target.Directory, "event_store.swap*"));
        }
    });

    static async Task<bool> IsNewAsync(string directory, DataKey key, ulong size)
    {
        await using var opened = Database.Open(Options(directory, key));
        Assert.Contains(opened.LogSize, (ulong[])[3, size + 1]);
        return opened.LogSize == size + 1;
    }

    /// <summary>Whether the child said that it had come to its end before it was killed.</summary>
    static async Task<bool> KillAsync(Random random, params string[] arguments)
    {
        using var child = Child.Start(arguments);
        var (opened, ended) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), false);
        var heard = Task.Run(() => child.ReadAsync(line =>
        {
            ended |= line == "ended";
            opened.TrySetResult();
        }));
        if (await Task.WhenAny(opened.Task, heard, Task.Delay(TimeSpan.FromSeconds(60))) != opened.Task)
            Assert.Fail($"The child never began: {await child.ErrorsAsync()}");
        // Short times are as likely as long ones: 3 ms to 1.5 s; one that has come to its end by then is no loss.
        await Task.WhenAny(heard, Task.Delay(TimeSpan.FromMilliseconds(3 * Math.Pow(500, random.NextDouble()))));
        await child.KillAsync();
        await heard;
        return ended;
    }

    static DatabaseOptions Options(string directory, DataKey key) => new() { Directory = directory, Key = key, CreateIfMissing = false, LockTimeout = TimeSpan.FromSeconds(30) };

    static async Task<Database> FilledAsync(TestStore store, DataKey key, int events)
    {
        var database = Database.Open(store.Options() with { Key = key });
        for (var left = events; left > 0; left -= 100)
            await database.OpenSession().AppendBatchAsync([.. Enumerable.Range(0, Math.Min(100, left)).Select(i => TestStore.Draft(TestStore.Aggregate(id: $"o-{i % 40}")))], default);
        return database;
    }
}
