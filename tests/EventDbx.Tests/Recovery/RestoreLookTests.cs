using EventDbx.Integrity;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Recovery;

/// <summary>What a restore looks at before it replaces anything: the store, its documents, and what the one that is there knows more.</summary>
[CiTier("It restores whole stores.")]
public sealed class RestoreLookTests
{
    static readonly CancellationToken Never = CancellationToken.None;

    [Fact]
    public async Task Documents_that_the_new_store_would_refuse_do_not_take_the_place_of_good_ones()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(3);
        Write(database, "tokens.json", "[1]");
        var older = await File.ReadAllBytesAsync(Path.Combine(store.Directory, "tokens.json"), Never);
        Write(database, "tokens.json", "[2]");
        // Behind this the store has been told of it.
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        await using (var old = await target.FilledAsync(2))
            Write(old, "tokens.json", "[\"good\"]");
        var before = Told.Files(target.Directory);

        foreach (var (harm, word) in ((Action<string>, string)[])
            [
                (path => File.WriteAllBytes(path, older), "older"),
                (File.Delete, "is gone"),
                (static path => File.Copy(path, Path.Combine(Path.GetDirectoryName(path)!, "settings.json")), "does not open"),
            ])
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => taken.RestoreAsync(target.Options(), request => Harmed(request, harm)));
            Assert.Contains(word, refused.Message, StringComparison.Ordinal);
            Assert.Equal(before, Told.Files(target.Directory));
        }

        // Where nothing is replaced, they are as they were where the backup was made.
        using var fresh = new TestStore();
        await taken.RestoreAsync(fresh.Options(), request => Harmed(request, path => File.WriteAllBytes(path, older)));
        await using var restored = fresh.Open();
        Assert.Throws<RefusedException>(() => restored.Documents.Read("tokens.json"));

        static RestoreRequest Harmed(RestoreRequest request, Action<string> harm)
        {
            harm(Path.Combine(request.From, "tokens.json"));
            return request;
        }
    }

    [Fact]
    public async Task A_sealed_document_is_refused_in_a_plain_store()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        await target.Open(encrypted: false).DisposeAsync();
        var refused = await Assert.ThrowsAsync<RefusedException>(() => taken.RestoreAsync(target.Options(encrypted: false), request =>
        {
            File.WriteAllText(Path.Combine(request.From, "tokens.json"), """{"eventdbx_sealed":2,"revision":1,"data":""}""");
            return request;
        }));
        Assert.Contains("is sealed", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_check_sees_the_store_of_a_backup_before_anything_opens_it()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(3);
        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        var options = target.Options() with { Check = new StoreCheck(static (_, _) => "the child saw it") };
        var refused = await Assert.ThrowsAsync<RefusedException>(() => taken.RestoreAsync(options, request =>
        {
            File.WriteAllText(Path.Combine(request.From, "event_store", "CURRENT"), "MANIFEST-999999\n");
            return request;
        }));
        Assert.Contains("the child saw it", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokens_are_not_kept_over_a_store_whose_log_is_no_beginning_of_the_backup()
    {
        using var first = new TestStore();
        await using var database = await first.FilledAsync(4);
        using var common = Taken.Of(database, first.Directory);
        using var second = new TestStore();
        await common.RestoreAsync(second.Options());
        await using var other = await second.FilledAsync(8);
        using var taken = Taken.Of(other, second.Directory);
        // Shorter, in an older epoch, and yet another history: something was revoked there, perhaps.
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        using var parted = DirectoryImage.Copy(first.Directory);

        Assert.True((await taken.RestoreAsync(first.Options() with { Directory = common.Path })).TokensKept);
        Assert.False((await taken.RestoreAsync(first.Options() with { Directory = parted.Path })).TokensKept);
        using var lost = new TestStore();
        Directory.CreateDirectory(Path.Combine(lost.Directory, "event_store.lost-20261126T000000Z"));
        Assert.False((await taken.RestoreAsync(lost.Options())).TokensKept);
    }

    [Fact]
    public async Task The_epoch_of_another_database_has_no_bearing()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(2);
        using var taken = Taken.Of(database, store.Directory);
        using var stranger = new TestStore();
        await using (var other = await stranger.FilledAsync(2))
        {
            using var of = Taken.Of(other, stranger.Directory);
            using var target = new TestStore();
            Assert.Equal(65_537U, (await of.RestoreAsync(target.Options() with { Random = Taken.Bytes(0, 0, 255, 255) })).Epoch);
            Assert.Equal(2U, (await taken.RestoreAsync(target.Options() with { Random = Taken.Bytes(0, 0, 0, 0) })).Epoch);
        }
    }

    [Fact]
    public async Task A_cut_between_an_accepted_loss_and_the_size_of_the_checkpoint_it_names_keeps_that_checkpoint()
    {
        using var store = new TestStore();
        var options = store.Options(encrypted: false) with { Signer = static () => new FakeSigner("a key") };
        DirectoryImage damaged;
        await using (var database = Database.Open(options))
        {
            for (var i = 0; i < 10; i++)
                await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            await database.ReadCheckpointAsync(10, handOut: true, default);
            foreach (var row in RawRows.All(database.Engine, Family.Log).TakeLast(2).ToList())
                RawRows.Write(database, plan => plan.Delete(Family.Log, row.Key));
            damaged = DirectoryImage.Copy(store.Directory);
        }

        using (damaged)
        {
            var here = options with { Directory = damaged.Path };
            Assert.Equal(8UL, StoreRecovery.AcceptLoss(here).Kept);
            await using var database = Database.Open(here);
            for (var i = 0; i < 5; i++)
                await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            await database.ReadCheckpointAsync(database.LogSize, handOut: true, default);
            using var taken = Taken.Of(database, damaged.Path);
            foreach (var position in (ulong[])[9, 10, 12])
            {
                using var target = new TestStore();
                await taken.RestoreAsync(target.Options(encrypted: false), request => request with { ToPosition = position });
                await using var restored = target.Open(encrypted: false);
                restored.OpenSession().VerifyAll(null, Never);
                using var view = restored.Engine.OpenView();
                Assert.Equal((10UL, (ulong?)null), (CheckpointRow.Newest(view, 1)!.Size, CheckpointRow.Newest(view, 2)?.Size));
            }
        }
    }

    [Fact]
    public async Task A_time_says_which_entry_ended_it_and_how_many_behind_that_are_not_later()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        // Imported events keep the times that they had.
        foreach (var seconds in (int[])[0, 100, 10, 200, 20])
        {
            await database.OpenSession().ImportAsync(
                [new() { Draft = TestStore.Draft(TestStore.Aggregate(id: $"o-{seconds}")) with { EventId = Guid.CreateVersion7() }, CreatedAt = Timestamp.From(new DateTimeOffset(2026, 11, 26, 0, 0, 0, TimeSpan.Zero).AddSeconds(seconds)) }], default);
        }

        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        var time = new DateTimeOffset(2026, 11, 26, 0, 0, 50, TimeSpan.Zero);
        var report = await taken.RestoreAsync(target.Options(), request => request with { ToTime = Timestamp.From(time) });
        Assert.Equal((1UL, 2UL, 2UL), (report.Kept, report.EndedBy!.Position, report.EndedBy.NotLaterBehind));
        using var all = new TestStore();
        Assert.Null((await taken.RestoreAsync(all.Options(), request => request with { ToTime = Timestamp.From(time.AddSeconds(500)) })).EndedBy);
    }

    [Fact]
    public async Task A_rebuild_without_a_word_on_how_long_the_log_should_be_is_refused_before_it_begins()
    {
        using var store = new TestStore();
        await (await store.FilledAsync(5)).DisposeAsync();
        File.Delete(Path.Combine(store.Directory, "watermark"));
        var before = Told.Files(store.Directory);
        var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => IndexRebuild.RunAsync(store.Options(), keepOld: false, null, Never));
        Assert.Contains("`watermark`", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, Told.Files(store.Directory));
    }

    [Fact]
    public async Task A_rebuild_counts_what_it_cannot_read_of_plugins_and_names_those_that_begin_anew()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(5);
        await database.Deliveries.SaveAsync("search", new() { Cursor = 3 });
        await database.Deliveries.SaveAsync("mail", new() { Cursor = 3 });
        var row = RawRows.All(database.Engine, Family.Plugins).Last();
        RawRows.Write(database, plan => plan.Put(Family.Plugins, row.Key, row.Value.AsSpan()[..^1].ToArray()));
        using var image = DirectoryImage.Copy(store.Directory);
        var report = await IndexRebuild.RunAsync(store.Options() with { Directory = image.Path }, keepOld: false, null, Never);
        Assert.Equal((1UL, "search"), (report.LeftOut, Assert.Single(report.Restarted)));
    }

    static void Write(Database database, string name, string content) => Assert.True(database.Documents.TryReplace(name, Encoding.UTF8.GetBytes(content), database.Documents.Read(name)));
}
