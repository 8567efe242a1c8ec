using System.Text.Json;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Mirroring;

namespace EventDbx.Tests.Recovery;

/// <summary>A backup becomes a store again: all of it or a beginning, in a new epoch, and the old state stays until then.</summary>
public sealed class RestoreTests
{
    static readonly CancellationToken Never = CancellationToken.None;

    [CiTier("It changes a store in every place, one after the other.")]
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task Any_place_between_two_commits_is_restored_as_it_was_there(bool encrypted) => Effort.SeededAsync(async random =>
    {
        using var store = new TestStore();
        List<(ulong Size, string Told, EventDbx.Integrity.Hash32 Root)> places = [];
        await using var database = Database.Open(store.Options(encrypted) with { Signer = static () => new FakeSigner("a key") });
        var script = new LeaderScript(random);
        for (var i = 0; i < 6; i++)
        {
            await script.RunAsync(database, i == 0 ? 20 : random.Next(1, 25));
            places.Add((database.LogSize, Told.All(database, database.LogSize), database.LogRoot));
        }

        using var taken = Taken.Of(database, store.Directory);
        var rows = Told.LogRows(database, database.LogSize);
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(places));
        foreach (var (size, told, root) in places.Take(Effort.Choose(3, 6, 6)))
        {
            using var target = new TestStore();
            var report = await taken.RestoreAsync(target.Options(encrypted), request => request with { ToPosition = size });

            Assert.Equal((database.DatabaseId, size, taken.Size, root), (report.DatabaseId, report.Kept, report.Of, report.Root));
            Assert.Equal(size == taken.Size, report.TokensKept);
            await using var restored = target.Open(encrypted);
            Assert.Equal((size + 1, report.Epoch), (restored.LogSize, restored.Epoch));
            Assert.Equal(told, Told.All(restored, size));
            Assert.Equal(rows.Take((int)size), Told.LogRows(restored, size));
            restored.OpenSession().VerifyAll(null, Never);
            var entry = restored.OpenSession().ReadFeed(size, 10, includeControl: true).Items[0].Control!;
            var body = JsonDocument.Parse(entry.Body).RootElement;
            Assert.Equal(
                ("epoch", "restore", report.Epoch, size, root.ToString(), taken.Size, "a backup", size == taken.Size ? "kept" : "rotated"),
                (entry.Kind, body.GetProperty("cause").GetString(), body.GetProperty("epoch").GetUInt32(), body.GetProperty("kept").GetUInt64(), body.GetProperty("root").GetString(), body.GetProperty("of").GetUInt64(), body.GetProperty("backup").GetString(), body.GetProperty("tokens").GetString()));
            Assert.Equal((new Actor("ops", "kim"), $"eventdbx.local/{database.DatabaseId:D}/e{report.Epoch}"), (entry.Actor, restored.LogOrigin));
            // One that is whole is as it was unpacked.
            if (!OperatingSystem.IsWindows() && size < taken.Size)
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.Combine(target.Directory, "event_store")));
            await restored.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("after", "wards")), default);
            restored.OpenSession().VerifyAll(null, Never);
        }
    });

    [Fact]
    public async Task Two_restores_of_one_backup_are_in_different_epochs_above_every_one_that_is_known()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(3);
        using var taken = Taken.Of(database, store.Directory);
        using var one = new TestStore();
        using var other = new TestStore();

        var first = await taken.RestoreAsync(one.Options() with { Random = Taken.Bytes(0, 0, 0, 0) });
        var second = await taken.RestoreAsync(other.Options() with { Random = Taken.Bytes(0, 0, 255, 255) });
        var third = await taken.RestoreAsync(other.Options() with { Random = Taken.Bytes(0, 0, 0, 0) });

        Assert.Equal((2U, 65_537U, 65_538U), (first.Epoch, second.Epoch, third.Epoch));
        // The store that is replaced has an entry that the backup knows nothing of, in an epoch above the backup's.
        Assert.Equal((true, true, false), (first.TokensKept, second.TokensKept, third.TokensKept));
    }

    [Fact]
    public async Task A_place_within_a_batch_or_beyond_the_end_is_refused_and_names_its_neighbours()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(2);
        await database.OpenSession().AppendBatchAsync([.. Enumerable.Range(0, 4).Select(_ => TestStore.Draft(TestStore.Aggregate()))], default);
        using var taken = Taken.Of(database, store.Directory);

        foreach (var (position, word) in ((ulong, string)[])[(3, "3 to 6. 2 ends before it, 6 ends with it"), (5, "3 to 6"), (7, "ends at position 6"), (0, "1 to 6")])
        {
            using var target = new TestStore();
            var refused = await Assert.ThrowsAsync<RefusedException>(() => taken.RestoreAsync(target.Options(), request => request with { ToPosition = position }));
            Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
            Assert.Contains(word, refused.Message, StringComparison.Ordinal);
            Assert.Equal("", Told.Files(target.Directory));
        }

        using var whole = new TestStore();
        Assert.Equal(6UL, (await taken.RestoreAsync(whole.Options(), request => request with { ToPosition = 6 })).Kept);
    }

    [Fact]
    public async Task A_time_keeps_everything_up_to_the_first_entry_that_is_later_and_no_half_of_a_batch()
    {
        using var store = new TestStore();
        var clock = new ManualClock();
        await using var database = Database.Open(store.Options() with { Clock = clock });
        var times = new List<Timestamp>();
        for (var i = 0; i < 3; i++)
        {
            clock.Now += TimeSpan.FromSeconds(10);
            times.Add(clock.Stamp);
            await database.OpenSession().AppendBatchAsync([TestStore.Draft(TestStore.Aggregate()), TestStore.Draft(TestStore.Aggregate(id: "o-2"))], default);
        }

        using var taken = Taken.Of(database, store.Directory);
        foreach (var (time, kept) in ((Timestamp, ulong)[])[(times[0], 2), (new(times[1].Ticks100ns - 1), 2), (times[1], 4), (times[2], 6), (new(times[2].Ticks100ns + 1), 6)])
        {
            using var target = new TestStore();
            Assert.Equal(kept, (await taken.RestoreAsync(target.Options(), request => request with { ToTime = time })).Kept);
        }

        using var none = new TestStore();
        var refused = await Assert.ThrowsAsync<RefusedException>(() => taken.RestoreAsync(none.Options(), request => request with { ToTime = new Timestamp(times[0].Ticks100ns - 1) }));
        Assert.Contains("its first entry is of", refused.Message, StringComparison.Ordinal);
    }

    [CiTier("It restores whole stores.")]
    [Fact]
    public async Task Tokens_are_kept_where_nothing_newer_is_lost_by_it_and_wherever_that_is_asked_for()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(4);
        using var taken = Taken.Of(database, store.Directory);
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        using var newer = DirectoryImage.Copy(store.Directory);
        using var same = new TestStore();
        using var other = new TestStore();
        await (await other.FilledAsync(9)).DisposeAsync(); // Another database: what it knows is about other tokens.

        Assert.True((await taken.RestoreAsync(same.Options())).TokensKept);
        Assert.True((await taken.RestoreAsync(other.Options())).TokensKept);
        Assert.False((await taken.RestoreAsync(store.Options() with { Directory = newer.Path })).TokensKept);
        using var cut = new TestStore();
        Assert.False((await taken.RestoreAsync(cut.Options(), request => request with { ToPosition = 3 })).TokensKept);
        Assert.True((await taken.RestoreAsync(cut.Options(), request => request with { ToPosition = 3, KeepTokens = true })).TokensKept);
    }

    [Fact]
    public async Task What_replaces_an_old_store_takes_its_documents_along_and_the_old_pieces_can_stay()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(2);
        database.Documents.TryReplace("tokens.json", "[\"of the backup\"]"u8, database.Documents.Read("tokens.json"));
        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        await using (var old = await target.FilledAsync(7))
        {
            old.Documents.TryReplace("tokens.json", "[\"old\"]"u8, old.Documents.Read("tokens.json"));
            old.Documents.TryReplace("plugins.json", "[\"old\"]"u8, old.Documents.Read("plugins.json"));
        }

        File.WriteAllText(Path.Combine(target.Directory, "notes.txt"), "not ours");
        string? aside;
        using (var restore = StoreRestore.Begin(target.Options()))
        {
            Assert.Equal((7UL, 1U), (restore.Replaced!.LogSize!.Value, restore.Replaced.Epoch));
            Assert.Contains("notes.txt", restore.Occupants);
            restore.Prepare(taken.UnpackInto(restore), target.Options(), null, Never);
            aside = restore.Commit(["tokens.json", "plugins.json"], null, keepOld: true);
            await restore.OpenAsync(target.Options());
        }

        await using (var restored = target.Open())
        {
            Assert.Equal("[\"of the backup\"]", Encoding.UTF8.GetString(restored.Documents.Read("tokens.json").Content!));
            Assert.Null(restored.Documents.Read("plugins.json").Content);
            Assert.Equal(3UL, restored.LogSize);
        }

        Assert.Equal("not ours", File.ReadAllText(Path.Combine(target.Directory, "notes.txt")));
        Assert.True(File.Exists(Path.Combine(aside!, "plugins.json")));
        await using var before = Database.Open(target.Options() with { Directory = aside! });
        Assert.Equal(7UL, before.LogSize);
    }

    [Fact]
    public async Task What_is_not_the_store_of_the_backup_changes_nothing()
    {
        using var store = new TestStore();
        await using var database = await store.FilledAsync(3);
        using var taken = Taken.Of(database, store.Directory);
        using var target = new TestStore();
        await (await target.FilledAsync(2)).DisposeAsync();
        var before = Told.Files(target.Directory);

        foreach (var ask in (Func<RestoreRequest, RestoreRequest>[])
            [
                request => request with { DatabaseId = Guid.CreateVersion7() },
                request => request with { LogSize = 2 },
                request => request with { LogSize = 4 },
                request => request with { LogRoot = EventDbx.Integrity.Hash32.Empty },
                request => Break(request, "CURRENT"),
                request => Break(request, "*.log"),
            ])
        {
            await Assert.ThrowsAnyAsync<Exception>(() => taken.RestoreAsync(target.Options(), ask));
            Assert.Equal(before, Told.Files(target.Directory));
        }

        await Assert.ThrowsAsync<StoreRefusedException>(() => taken.RestoreAsync(target.Options() with { Key = EventDbx.Encryption.DataKey.Generate() }));
        Assert.Equal(before, Told.Files(target.Directory));
        await using (target.Open())
            Assert.True(Assert.Throws<StoreRefusedException>(() => StoreRestore.Begin(target.Options())).InUse);
        var absent = Path.Combine(target.Directory, "not", "there");
        await Assert.ThrowsAnyAsync<Exception>(() => taken.RestoreAsync(target.Options() with { Directory = absent }, request => request with { LogSize = 2 }));
        Assert.False(Directory.Exists(absent));

        static RestoreRequest Break(RestoreRequest request, string name)
        {
            foreach (var file in Directory.GetFiles(Path.Combine(request.From, "event_store"), name))
                File.Delete(file);
            return request;
        }
    }

    [Fact]
    public async Task A_mirror_is_restored_as_the_mirror_it_was_and_catches_up()
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        using var taken = Taken.Of(pair.Mirror, pair.MirrorOptions.Directory);
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        using var target = new TestStore();
        var options = pair.MirrorOptions with { Directory = target.Directory };

        var report = await taken.RestoreAsync(options);
        Assert.Equal((Following.Leader.Name, 1UL, 1U), (report.Mirror, report.Kept, report.Epoch));
        Assert.Contains("mirror", (await Assert.ThrowsAsync<RefusedException>(() => taken.RestoreAsync(options, request => request with { ToPosition = 1 }))).Message, StringComparison.Ordinal);

        await using var restored = Database.Open(options);
        await restored.FollowAsync(pair.Leader);
        Following.AssertSame(pair.Leader, restored);
    }

    [Fact]
    public async Task A_follower_goes_on_behind_a_restored_leader_as_far_as_it_has_a_beginning_of_it_and_is_refused_beyond()
    {
        await using var pair = Pair.Open();
        for (var i = 0; i < 3; i++)
            await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        using var taken = Taken.Of(pair.Leader, pair.LeaderOptions.Directory);
        using var one = new TestStore();
        using var other = new TestStore();
        var options = pair.LeaderOptions;
        await taken.RestoreAsync(options with { Directory = one.Directory });
        await taken.RestoreAsync(options with { Directory = other.Directory }, request => request with { ToPosition = 2 });

        await using (var shorter = Database.Open(options with { Directory = other.Directory }))
        {
            Assert.Equal(RefusalCode.Diverged, (await Following.RefusedAsync(() => pair.Mirror.BeginAsync(shorter))).Code);
            await shorter.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            Assert.Equal(RefusalCode.Diverged, (await Following.RefusedAsync(() => pair.Mirror.BeginAsync(shorter))).Code);
        }

        await using var whole = Database.Open(options with { Directory = one.Directory });
        await whole.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(whole);
        Following.AssertSame(whole, pair.Mirror);
    }
}
