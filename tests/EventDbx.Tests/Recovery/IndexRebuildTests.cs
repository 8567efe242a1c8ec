using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Recovery;

/// <summary>Every index made anew from the log: nobody can tell, but that it is sound.</summary>
public sealed class IndexRebuildTests
{
    static readonly CancellationToken Never = CancellationToken.None;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_row_of_every_family_is_as_it_was(bool encrypted)
    {
        await using var store = await TamperStore.SmallAsync(encrypted);
        await WritePluginsAsync(store.Database);
        var (id, epoch, size, root) = (store.Database.DatabaseId, store.Database.Epoch, store.Database.LogSize, store.Database.LogRoot);
        var told = Told.All(store.Database, size);
        var rows = Rows(store.Database);
        using var image = DirectoryImage.Copy(store.Directory);
        var options = store.Options with { Directory = image.Path };

        var report = await IndexRebuild.RunAsync(options, keepOld: false, null, Never);

        Assert.Equal((id, epoch, size, root, 0UL, null), (report.DatabaseId, report.Epoch, report.LogSize, report.LogRoot, report.LeftOut, report.KeptOld));
        await using var database = Database.Open(options);
        Assert.Equal((id, epoch, size, root), (database.DatabaseId, database.Epoch, database.LogSize, database.LogRoot));
        Assert.Equal(told, Told.All(database, size));
        var anew = Rows(database);
        foreach (var family in Families.All)
        {
            Assert.Equal(rows[family].Keys, anew[family].Keys);
            // What is sealed is sealed anew, under another nonce; that it says the same is asked above.
            if (!encrypted || family is not (Family.State or Family.Snapshots or Family.Archive or Family.Heads))
                Assert.Equal(rows[family], anew[family]);
        }

        database.OpenSession().VerifyAll(null, Never);
        Assert.Equal(["event_store"], Directory.GetDirectories(image.Path).Select(Path.GetFileName));
        Assert.False(File.Exists(Path.Combine(image.Path, "event_store.swap")));
    }

    [Fact]
    public async Task A_damaged_index_is_mended_and_the_old_store_stays_where_that_is_asked_for()
    {
        await using var store = await TamperStore.SmallAsync(encrypted: true);
        var (size, told) = (store.Database.LogSize, Told.All(store.Database, store.Database.LogSize));
        foreach (var family in (Family[])[Family.Index, Family.Heads, Family.State, Family.Ids, Family.Snapshots])
        {
            var row = RawRows.All(store.Database.Engine, family).Last();
            RawRows.Write(store.Database, plan => plan.Put(family, row.Key, row.Value.AsSpan()[..^1].ToArray()));
        }

        Assert.Throws<RefusedException>(() => store.Database.OpenSession().VerifyAll(null, Never));
        using var image = DirectoryImage.Copy(store.Directory);
        var options = store.Options with { Directory = image.Path };

        var report = await IndexRebuild.RunAsync(options, keepOld: true, null, Never);

        Assert.True(File.Exists(Path.Combine(report.KeptOld!, "event_store", "CURRENT")));
        await using var database = Database.Open(options);
        Assert.Equal(told, Told.All(database, size));
        database.OpenSession().VerifyAll(null, Never);
    }

    [Fact]
    public async Task A_damaged_log_is_named_and_nothing_is_changed()
    {
        await using var store = await TamperStore.SmallAsync(encrypted: false);
        var entry = RawRows.All(store.Database.Engine, Family.Log)[300];
        RawRows.Write(store.Database, plan => plan.Put(Family.Log, entry.Key, entry.Value.AsSpan()[..^1].ToArray()));
        using var image = DirectoryImage.Copy(store.Directory);
        var before = Told.Files(image.Path);

        var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => IndexRebuild.RunAsync(store.Options with { Directory = image.Path }, keepOld: false, null, Never));

        Assert.Contains("entry 300 cannot be read", refused.Message, StringComparison.Ordinal);
        Assert.Contains("dbx recover", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, Told.Files(image.Path));
    }

    [Fact]
    public async Task A_log_that_is_shorter_than_what_was_synced_is_no_whole_log()
    {
        await using var store = await TamperStore.SmallAsync(encrypted: false);
        var last = RawRows.All(store.Database.Engine, Family.Log)[^1];
        RawRows.Write(store.Database, plan => plan.Delete(Family.Log, last.Key));
        using var image = DirectoryImage.Copy(store.Directory);
        var before = Told.Files(image.Path);

        var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => IndexRebuild.RunAsync(store.Options with { Directory = image.Path }, keepOld: false, null, Never));

        Assert.Contains("The log itself is damaged", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, Told.Files(image.Path));
    }

    [Fact]
    public async Task Not_without_its_key_nor_while_somebody_has_it_open()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
        {
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            Assert.True((await Assert.ThrowsAsync<StoreRefusedException>(() => IndexRebuild.RunAsync(store.Options(), keepOld: false, null, Never))).InUse);
        }

        var before = Told.Files(store.Directory);
        await Assert.ThrowsAsync<StoreRefusedException>(() => IndexRebuild.RunAsync(store.Options() with { Key = null }, keepOld: false, null, Never));
        Assert.Equal(before, Told.Files(store.Directory));
    }

    static async Task WritePluginsAsync(Database database)
    {
        var refused = database.OpenSession().ReadFeed(0, 400, includeControl: false).Items.Select(static item => item.Event).OfType<EventRecord>().Where(static record => record.Version == 1).Take(2).ToList();
        await database.Deliveries.SaveAsync("search", new() { Cursor = 3 });
        await database.Deliveries.SaveAsync("mail", new()
        {
            Cursor = 300,
            Waiting = [new() { Aggregate = refused[0].Aggregate, Version = 1, Position = refused[0].Position, EventId = refused[0].EventId, EventType = refused[0].EventType, Attempts = 3, NextAttemptAt = new(7), LastError = "no" }],
            Dead = [new() { Aggregate = refused[1].Aggregate, Version = 1, Position = refused[1].Position, EventId = refused[1].EventId, EventType = refused[1].EventType, Attempts = 9, LastError = "never", At = new(8) }],
        });
    }

    static Dictionary<Family, SortedDictionary<string, string>> Rows(Database database) => Families.All.ToDictionary(
        static family => family,
        family => new SortedDictionary<string, string>(RawRows.All(database.Engine, family).ToDictionary(static row => Convert.ToHexString(row.Key), static row => Convert.ToHexString(row.Value)), StringComparer.Ordinal));
}
