using EventDbx.Recovery;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Recovery;

/// <summary>An exchange of stores, seen at every step as a power cut would leave it: the old state or the new one, and nothing left over.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class SwapTests
{
    static readonly CancellationToken Never = CancellationToken.None;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_restore_that_ends_at_any_step_is_the_old_state_or_the_new_one(bool fresh)
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(5);
        database.Documents.TryReplace("tokens.json", "[\"new\"]"u8, database.Documents.Read("tokens.json"));
        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        if (!fresh)
        {
            await using var old = await target.FilledAsync(3);
            old.Documents.TryReplace("plugins.json", "[\"old\"]"u8, old.Documents.Read("plugins.json"));
        }

        using var steps = new Steps(target.Directory);
        var config = Path.Combine(target.Directory, "config.toml");
        var options = target.Options() with { SwapReached = steps.Note };
        using (var restore = StoreRestore.Begin(options))
        {
            restore.Prepare(taken.UnpackInto(restore), options, null, Never);
            steps.Note("prepared");
            restore.Commit(["plugins.json"], (config, "new = true"u8.ToArray()), keepOld: false);
            await restore.OpenAsync(options);
        }

        Assert.Contains("staged", steps.Names);
        Assert.Contains("event_store aside", steps.Names);
        Assert.Equal("finished", steps.Names[^1]);
        var committed = steps.Names.IndexOf("committed");
        foreach (var (name, image) in steps.Images)
        {
            var at = image.Path;
            var isNew = steps.Names.IndexOf(name) >= committed;
            Assert.Equal(isNew || !fresh, Database.ExistsIn(at));
            var opened = target.Options() with { Directory = at };
            if (isNew || !fresh)
            {
                await using var reopened = Database.Open(opened);
                Assert.Equal((name, isNew ? 6UL : 3UL), (name, reopened.LogSize));
                reopened.OpenSession().VerifyAll(null, Never);
                Assert.Equal((isNew, !isNew), (reopened.Documents.Read("tokens.json").Content is not null, reopened.Documents.Read("plugins.json").Content is not null));
            }
            else
            {
                Assert.Throws<StoreRefusedException>(() => Database.Open(opened with { CreateIfMissing = false }));
                await using var made = Database.Open(opened);
                Assert.Equal(0UL, made.LogSize);
            }

            Assert.Equal(isNew, File.Exists(Path.Combine(at, "config.toml")));
            Assert.Equal(["event_store"], Directory.GetDirectories(at).Select(Path.GetFileName));
            Assert.Empty(Directory.GetFiles(at, "event_store.swap*"));
        }
    }

    [Fact]
    public async Task A_rebuild_that_ends_at_any_step_loses_nothing_and_leaves_nothing()
    {
        using var target = new TestStore();
        string told;
        await using (var database = await target.FilledAsync(5))
            told = Told.All(database, 5);
        using var steps = new Steps(target.Directory);
        await IndexRebuild.RunAsync(target.Options() with { SwapReached = steps.Note }, keepOld: false, null, Never);

        foreach (var (name, image) in steps.Images)
        {
            await using var reopened = Database.Open(target.Options() with { Directory = image.Path, CreateIfMissing = false });
            Assert.Equal((name, told), (name, Told.All(reopened, 5)));
            reopened.OpenSession().VerifyAll(null, Never);
            Assert.Equal(["event_store"], Directory.GetDirectories(image.Path).Select(Path.GetFileName));
            Assert.Empty(Directory.GetFiles(image.Path, "event_store.swap*"));
        }
    }

    [Fact]
    public async Task Whoever_opens_a_directory_ends_an_exchange_first_and_a_second_restore_goes_on_from_it()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(5);
        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        await (await target.FilledAsync(3)).DisposeAsync();
        using var steps = new Steps(target.Directory);
        var options = target.Options() with { SwapReached = steps.Note };
        await taken.RestoreAsync(options);

        // A sight is a promise to change nothing.
        var committed = steps.At("committed");
        var before = Told.Files(committed);
        Assert.Contains("was interrupted", Assert.Throws<StoreRefusedException>(() => StoreSight.Of(target.Options() with { Directory = committed })).Message, StringComparison.Ordinal);
        Assert.Equal(before, Told.Files(committed));
        await Database.Open(target.Options() with { Directory = committed }).DisposeAsync();
        Assert.Equal(6UL, StoreSight.Of(target.Options() with { Directory = committed }).LogSize);
        Assert.True(Database.LookAtKey(target.Options() with { Directory = steps.At("event_store aside") }).Fits);
        Assert.Null(StoreRecovery.Inspect(target.Options() with { Directory = steps.At("in place") }).Damage);
        var again = steps.At("event_store in place");
        var report = await taken.RestoreAsync(target.Options() with { Directory = again }, request => request with { ToPosition = 4 });
        Assert.Equal(4UL, report.Kept);
        // Nobody had opened what the first one restored: what that one replaced is not known to be replaceable, and stays.
        var aside = Assert.Single(Directory.GetDirectories(again, "event_store.before-*"));
        await using (var first = Database.Open(target.Options() with { Directory = aside }))
            Assert.Equal(3UL, first.LogSize);
    }

    [Fact]
    public async Task A_journal_that_cannot_be_read_is_refused_and_nothing_is_changed()
    {
        using var target = new TestStore();
        await (await target.FilledAsync(3)).DisposeAsync();
        foreach (var journal in (string[])["", "{", """{"format":"eventdbx-swap/1","cause":"restore","aside":"tokens.json","keep_aside":false,"pieces":[],"replaced":[],"removed":[],"config":null}""", """{"format":"eventdbx-swap/9"}""", """{"format":"eventdbx-swap/1","cause":"restore","aside":"../elsewhere","keep_aside":false,"pieces":[],"removed":[],"config":null}"""])
        {
            await File.WriteAllTextAsync(Path.Combine(target.Directory, "event_store.swap"), journal);
            var before = Told.Files(target.Directory);
            Assert.Contains("cannot be read", Assert.Throws<StoreRefusedException>(() => target.Open()).Message, StringComparison.Ordinal);
            Assert.Equal(before, Told.Files(target.Directory));
        }
    }

    /// <summary>A copy of a directory at each step.</summary>
    sealed class Steps(string directory) : IDisposable
    {
        public List<string> Names { get; } = [];

        public List<(string Name, DirectoryImage Image)> Images { get; } = [];

        public void Note(string name)
        {
            Names.Add(name);
            Images.Add((name, DirectoryImage.Copy(directory)));
        }

        public string At(string name) => Images.Find(image => image.Name == name).Image.Path;

        public void Dispose()
        {
            foreach (var (_, image) in Images)
                image.Dispose();
        }
    }
}
