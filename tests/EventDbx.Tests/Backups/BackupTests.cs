using EventDbx.Backups;
using EventDbx.Encryption;
using EventDbx.TestKit;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Mirroring;

namespace EventDbx.Tests.Backups;

/// <summary>A backup holds what was answered before it began, and is a beginning of the log.</summary>
public sealed class BackupTests : IDisposable
{
    static readonly DataKey Key = DataKey.Generate();

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_holds_the_log_and_the_documents_and_every_hash_in_it_is_right(bool encrypted)
    {
        await using var database = Open("db", encrypted);
        await AppendAsync(database, 50);
        Assert.True(database.Documents.TryReplace("tokens.json", "[1]"u8, database.Documents.Read("tokens.json")));
        Assert.True(database.Documents.TryReplace("plugins.json", "[2]"u8, database.Documents.Read("plugins.json")));
        database.Documents.Delete("plugins.json");
        _directory.Write("db/plugins/x/1.0/bin", "#!");
        _directory.Write("db/eventdbx.pid", "4711");
        _directory.Write("db/half.json.tmp", "half");

        var archive = await BackUpAsync(database, new() { CreatedBy = "test", LeaveOut = static path => path == "eventdbx.pid" ? "" : path == "secret" ? "it is secret" : null });
        await AppendAsync(database, 50);

        var contents = Unpack(archive);
        var manifest = contents.Manifest;
        Assert.Equal((database.DatabaseId, 1U, 50UL, encrypted, "leader", "left_out"), (manifest.DatabaseId, manifest.Epoch, manifest.LogSize, manifest.Encrypted, manifest.Standing, manifest.Keys));
        var verified = Verify(contents, encrypted);
        Assert.Equal((50UL, manifest.LogRoot, true), (verified.LogSize, verified.LogRoot.ToString(), verified.PayloadsChecked));
        Assert.Equal(100UL, database.LogSize);
        Assert.True(File.Exists(Path.Combine(contents.DataDirectory, "tokens.json")));
        Assert.Equal("#!", File.ReadAllText(Path.Combine(contents.DataDirectory, "plugins/x/1.0/bin")));
        foreach (var absent in (string[])["plugins.json", "eventdbx.pid", "half.json.tmp", "watermark", "event_store.lock", "event_store.inventory"])
            Assert.False(Path.Exists(Path.Combine(contents.DataDirectory, absent)), absent);
        Assert.Empty(Directory.GetDirectories(_directory["db"], "event_store.stage-*"));
    }

    [Fact]
    public async Task Without_its_key_it_is_verified_as_far_as_that_goes_and_with_another_one_not_at_all()
    {
        await using var database = Open("db", encrypted: true);
        await AppendAsync(database, 10);
        var contents = Unpack(await BackUpAsync(database));

        Assert.False(BackupAudit.Run(contents, null, [], TimeProvider.System, null, null, default).PayloadsChecked);
        using var other = DataKey.Generate();
        Assert.Contains("is not the one", Assert.Throws<RefusedException>(() => BackupAudit.Run(contents, other, [], TimeProvider.System, null, null, default)).Message, StringComparison.Ordinal);
        Assert.True(BackupAudit.Run(contents, other, [Key], TimeProvider.System, null, null, default).PayloadsChecked);
    }

    [Fact]
    public async Task An_older_document_than_the_store_knows_is_found()
    {
        await using var database = Open("db", encrypted: true);
        Replace(database, "[1]");
        var old = await File.ReadAllBytesAsync(_directory["db/tokens.json"], TestContext.Current.CancellationToken);
        Replace(database, "[2]");
        var contents = Unpack(await BackUpAsync(database));
        Verify(contents, encrypted: true);
        await File.WriteAllBytesAsync(Path.Combine(contents.DataDirectory, "tokens.json"), old, TestContext.Current.CancellationToken);
        Assert.Contains("older", Assert.Throws<RefusedException>(() => Verify(contents, encrypted: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mirror_is_backed_up_as_one()
    {
        await using var leader = Open("leader", encrypted: false);
        await AppendAsync(leader, 20);
        await using var mirror = Open("mirror", encrypted: true);
        await mirror.FollowAsync(leader);
        var contents = Unpack(await BackUpAsync(mirror));
        Assert.Equal((leader.DatabaseId, "mirror", 20UL), (contents.Manifest.DatabaseId, contents.Manifest.Standing, contents.Manifest.LogSize));
        Assert.Equal(leader.LogRoot, Verify(contents, encrypted: true).LogRoot);
    }

    [CiTier("It takes backups beside writers, for seconds.")]
    [Fact]
    public Task Under_16_writers_it_is_a_beginning_of_the_log_with_everything_that_was_answered_before_it_began() => Effort.SeededAsync(async random =>
    {
        await using var database = Open("db", encrypted: true);
        using var stop = new CancellationTokenSource();
        var answered = new ulong[16];
        var writers = Enumerable.Range(0, 16).Select(writer => Task.Run(async () =>
        {
            var session = database.OpenSession();
            while (!stop.IsCancellationRequested)
            {
                var result = await session.AppendAsync(TestStore.Draft(AggregateKey.Create("order", $"o-{writer}")), default);
                Volatile.Write(ref answered[writer], result.Record.Position);
                if (result.Record.Version % 10 == 0)
                    Replace(database, $"[{result.Record.Position}]", $"doc-{writer}.json");
                if (result.Record.Version % 50 == 0)
                    database.Documents.Delete($"doc-{writer}.json");
            }
        })).ToList();
        List<byte[]> archives = [];
        List<ulong> before = [];
        for (var left = Effort.Choose(2, 5, 20); left > 0; left--)
        {
            var until = database.LogSize + 100 + (ulong)random.Next(400);
            while (database.LogSize < until)
                await Task.Yield();
            before.Add(answered.Max());
            archives.Add(await BackUpAsync(database));
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers);
        foreach (var (archive, least) in archives.Zip(before))
        {
            var contents = Unpack(archive);
            Assert.InRange(contents.Manifest.LogSize, least, database.LogSize);
            var verified = Verify(contents, encrypted: true);
            Assert.Equal(contents.Manifest.LogRoot, verified.LogRoot.ToString());
            Assert.Equal(new EventDbx.Reading.LogNodes(database.Engine.OpenView(), contents.Manifest.LogSize).RootAt(contents.Manifest.LogSize).ToString(), contents.Manifest.LogRoot);
            Directory.Delete(_directory["unpacked"], recursive: true);
        }
    });

    [Fact]
    public async Task An_incremental_one_refers_to_what_its_base_has_and_chains_are_followed()
    {
        await using var database = Open("db", encrypted: true);
        await AppendAsync(database, 2000);
        var first = await BackUpAsync(database);
        await AppendAsync(database, 10);
        var second = await BackUpAsync(database, Since(first, "first"));
        await AppendAsync(database, 10);
        var third = await BackUpAsync(database, Since(second, "second"));

        var (manifest, _) = BackupReader.ReadManifest(new MemoryStream(third), default);
        Assert.Contains(manifest.Files, static file => file.InBase && file.Path.EndsWith(".sst", StringComparison.Ordinal));
        Assert.True(third.Length < first.Length, $"{third.Length} of {first.Length} bytes");
        var bases = new Dictionary<string, byte[]> { ["first"] = first, ["second"] = second };
        var contents = Unpack(third, new() { Base = needed => new MemoryStream(bases[needed.File]) });
        Assert.Equal(2020UL, Verify(contents, encrypted: true).LogSize);

        Assert.Contains("needs its base", Archives.Refused(third, RefusalCode.NotFound), StringComparison.Ordinal);
        Assert.Contains("needs its base", Archives.Refused(third, RefusalCode.NotFound, new() { Base = needed => needed.File == "second" ? new MemoryStream(second) : null }), StringComparison.Ordinal);
        Assert.Contains("is not the base", Archives.Refused(third, RefusalCode.InvalidArgument, new() { Base = _ => new MemoryStream(first) }), StringComparison.Ordinal);
        Assert.Contains("damaged", Archives.Refused(third, options: new() { Base = needed => new MemoryStream(bases[needed.File][..^100]) }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_backup_of_another_database_is_no_base()
    {
        await using var one = Open("one", encrypted: false);
        await using var other = Open("other", encrypted: false);
        var foreign = await BackUpAsync(other);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => BackUpAsync(one, Since(foreign, "foreign")));
        Assert.Contains(other.DatabaseId.ToString(), refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_directory["one"], "event_store.stage-*"));
    }

    [Fact]
    public async Task Two_at_once_take_turns_and_one_that_waits_too_long_is_told()
    {
        await using var database = Open("db", encrypted: false);
        using (await database.OpenSession().BackUpAsync(new() { CreatedBy = "test" }, default))
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().BackUpAsync(new() { CreatedBy = "test" }, default));
            Assert.Equal((RefusalCode.Overloaded, true), (refused.Refusal.Code, refused.Refusal.Retryable));
        }

        (await database.OpenSession().BackUpAsync(new() { CreatedBy = "test" }, default)).Dispose();
    }

    [Fact]
    public async Task Only_root_takes_one()
    {
        await using var database = Open("db", encrypted: false);
        Assert.True(EventDbx.Access.Grants.TryParse(["*"], ["aggregate:order:*"], out var grants, out _));
        var session = database.OpenSession(new("cli", "me"), grants, null);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.BackUpAsync(new() { CreatedBy = "test" }, default));
        Assert.Equal(RefusalCode.PermissionDenied, refused.Refusal.Code);
    }

    [Fact]
    public async Task What_cannot_be_in_one_is_named()
    {
        await using var database = Open("db", encrypted: false);
        File.CreateSymbolicLink(_directory["db/link"], "/etc/passwd");
        Directory.CreateSymbolicLink(_directory["db/plugins"], "/etc");
        _directory.Write("db/colon:name", "x");
        _directory.Write("db/secret", "x");
        _directory.Write("db/event_store.lost-1/CURRENT", "x");
        var contents = Unpack(await BackUpAsync(database, new()
        {
            CreatedBy = "test", LeaveOut = static path => path == "secret" ? "it is secret" : null, LeftOut = [new("/elsewhere", "it lies elsewhere")],
        }));
        Assert.Equal(
            ["/elsewhere: it lies elsewhere", "colon:name: its name is not one that every platform has", "event_store.lost-1: it is a store that was put aside", "link: it is a link", "plugins: it is a link", "secret: it is secret"],
            contents.Manifest.LeftOut.Select(static left => $"{left.Path}: {left.Reason}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_a_killed_one_left_behind_is_gone_after_the_next_open_and_what_only_looks_like_it_stays()
    {
        await Open("db", encrypted: false).DisposeAsync();
        string[] others = ["backup.2026-11", "backup.20261126-223000", "backup.4711-1", "event_store.backup-20261126-223000", "event_store.backup-old"];
        foreach (var other in others)
            _directory.Write($"db/{other}/event_store/CURRENT", "x");
        _directory.Write("db/event_store.stage-0123456789abcdef/data/event_store/CURRENT", "x");
        await using var database = Open("db", encrypted: false);
        Assert.Equal(others, Directory.GetDirectories(_directory["db"], "*backup*").Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
        var manifest = Unpack(await BackUpAsync(database)).Manifest;
        Assert.Contains(manifest.Files, static file => file.Path == "data/backup.20261126-223000/event_store/CURRENT");
        Assert.Contains(manifest.LeftOut, static left => left.Path == "event_store.backup-old");
    }

    [Fact]
    public async Task A_file_of_somebody_else_that_grows_meanwhile_stops_none()
    {
        await using var database = Open("db", encrypted: false);
        _directory.Write("db/out.log", "so far");
        using var staged = await database.OpenSession().BackUpAsync(new() { CreatedBy = "test" }, default);
        File.AppendAllText(_directory["db/out.log"], ", and on");
        using var archive = new MemoryStream();
        staged.Write(archive, null, default);
        Assert.Equal("so far", File.ReadAllText(Path.Combine(Unpack(archive.ToArray()).DataDirectory, "out.log")));
    }

    [Fact]
    public async Task Nobody_who_writes_a_document_waits_for_files_of_others()
    {
        await using var database = Open("db", encrypted: true);
        Replace(database, "[1]");
        _directory.Write("db/dump.sql", "of somebody else");
        var written = false;
        var contents = Unpack(await BackUpAsync(database, new()
        {
            CreatedBy = "test",
            LeaveOut = path =>
            {
                // Asked before it is copied.
                if (path == "dump.sql")
                {
                    using var done = new ManualResetEventSlim();
                    ThreadPool.QueueUserWorkItem(_ =>
                    {
                        Replace(database, "[2]");
                        done.Set();
                    });
                    written = done.Wait(TimeSpan.FromSeconds(10), CancellationToken.None);
                }

                return null;
            },
        }));
        Assert.True(written);
        Assert.True(File.Exists(Path.Combine(contents.DataDirectory, "dump.sql")));
        Verify(contents, encrypted: true);
    }

    [Fact]
    public async Task Copies_of_what_lies_beside_the_store_leave_half_of_the_room_to_the_writer()
    {
        await using var database = Open("db", encrypted: false);
        _directory.Write("db/dump.sql", new string('x', 70_000));
        _directory.Write("db/of-others/more", new string('x', 30_000));
        BackupRequest With(long free) => new() { CreatedBy = "test", FreeBytes = _ => free };
        Assert.Contains(Unpack(await BackUpAsync(database, With(200_000))).Manifest.Files, static file => file.Path == "data/dump.sql");

        var refused = await Assert.ThrowsAsync<RefusedException>(() => BackUpAsync(database, With(199_999)));
        Assert.Equal((RefusalCode.Unavailable, false), (refused.Refusal.Code, refused.Refusal.Retryable));
        Assert.Contains("100000 bytes in files, `dump.sql` with 70000 the largest", refused.Message, StringComparison.Ordinal);
        Assert.Contains("199999 are free", refused.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetDirectories(_directory["db"], "event_store.stage-*"));
    }

    [Fact]
    public async Task No_chain_is_made_that_is_too_long_to_be_restored()
    {
        await using var database = Open("db", encrypted: false);
        var first = Since(await BackUpAsync(database), "first").Since!;
        var second = Since(await BackUpAsync(database, new() { CreatedBy = "test", Since = first }), "second").Since!;
        Assert.Null(first.Base.StandsOn);
        Assert.Equal([first.Base.BackupId], second.Base.StandsOn);

        var others = Enumerable.Range(1, Limits.BackupChainMax - 1).Select(static n => new Guid(n, 0, 0, new byte[8])).ToArray();
        var last = await BackUpAsync(database, new() { CreatedBy = "test", Since = first with { Base = first.Base with { StandsOn = others } } });
        Assert.Equal(Limits.BackupChainMax, BackupReader.ReadManifest(new MemoryStream(last), default).Manifest.Base!.Depth);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => BackUpAsync(database, Since(last, "last")));
        Assert.Equal(RefusalCode.LimitExceeded, refused.Refusal.Code);
        Assert.Contains("stands on 100 others", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Make a whole one", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_of_the_machine_are_in_none_and_with_keys_left_out_no_data_key_whatever_it_is_called()
    {
        await using var database = Open("db", encrypted: true);
        await AppendAsync(database, 1);
        using var other = DataKey.Generate();
        _directory.Write("db/checkpoint.key", "secret");
        _directory.Write("db/tls.key", "secret");
        _directory.Write("db/dek.key", Key.ToBase64() + "\n");
        _directory.Write("db/of-before.txt", other.ToBase64());

        var with = Unpack(await BackUpAsync(database)).Manifest;
        Assert.Equal("included", with.Keys);
        Assert.DoesNotContain(with.Files, static file => file.Path is "data/checkpoint.key" or "data/tls.key");
        Assert.Equal(["checkpoint.key", "tls.key"], with.LeftOut.Select(static left => left.Path).Order(StringComparer.Ordinal));
        Directory.Delete(_directory["unpacked"], recursive: true);
        var without = Unpack(await BackUpAsync(database, new() { CreatedBy = "test", Keys = false })).Manifest;
        Assert.Equal("left_out", without.Keys);
        Assert.Equal(["checkpoint.key", "dek.key", "of-before.txt", "tls.key"], without.LeftOut.Select(static left => left.Path).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(without.Files, static file => file.Path is "data/dek.key" or "data/of-before.txt");
    }

    static BackupRequest Since(byte[] archive, string name) => new() { CreatedBy = "test", Since = BackupSince.Of(BackupReader.Read(new MemoryStream(archive), new(), default), name) };

    static async Task<byte[]> BackUpAsync(Database database, BackupRequest? request = null)
    {
        using var staged = await database.OpenSession().BackUpAsync(request ?? new() { CreatedBy = "test" }, default);
        using var archive = new MemoryStream();
        staged.Write(archive, null, default);
        return archive.ToArray();
    }

    static async Task AppendAsync(Database database, int count)
    {
        var session = database.OpenSession();
        for (var i = 0; i < count; i += 100)
            await Task.WhenAll(Enumerable.Range(i, Math.Min(100, count - i)).Select(n => session.AppendAsync(TestStore.Draft(AggregateKey.Create("order", $"o-{n % 7}"), $$"""{"n":{{n}}}"""), default)));
    }

    static void Replace(Database database, string content, string name = "tokens.json") =>
        Assert.True(database.Documents.TryReplace(name, Encoding.UTF8.GetBytes(content), database.Documents.Read(name)));

    static EventDbx.Verification.VerifyAllResult Verify(BackupContents contents, bool encrypted) => BackupAudit.Run(contents, encrypted ? Key : null, [], TimeProvider.System, null, null, default);

    BackupContents Unpack(byte[] archive, BackupReadOptions? options = null) => BackupReader.Unpack(new MemoryStream(archive), _directory["unpacked"], options ?? new(), default);

    Database Open(string name, bool encrypted) => Database.Open(new() { Directory = _directory[name], Encrypted = encrypted, Key = encrypted ? Key : null, LockTimeout = TimeSpan.Zero });
}
