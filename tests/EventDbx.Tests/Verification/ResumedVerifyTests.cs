using EventDbx.Integrity;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Verification;

/// <summary>A verify of everything that was interrupted, and one that goes on with it: what it reads again, and what it believes.</summary>
public sealed class ResumedVerifyTests : IAsyncLifetime
{
    const int EventsEach = 600;
    const string Document = "verify.progress";

    readonly TestStore _store = new();
    Database _database = null!;

    Session Session => _database.OpenSession();

    /// <summary>Six aggregates, a to f, whose events stand in turn in the log, so that a position says whose it is.</summary>
    public async ValueTask InitializeAsync()
    {
        _database = _store.Open();
        foreach (var id in (string[])["a", "b", "c", "d", "e", "f"])
            await Session.AppendBatchAsync([.. Enumerable.Range(0, EventsEach).Select(i => TestStore.Draft(Of(id), $$"""{"n":{{i}}}""") with { EventId = i % 100 == 0 ? Guid.NewGuid() : null })], default);
        await Session.SnapshotAsync(Of("a"), null, default);
        await Session.ArchiveAsync(Of("b"), null, default);
    }

    [Fact]
    public void One_that_was_interrupted_is_gone_on_with_and_says_what_it_did_not_read_again()
    {
        Interrupt(finished: 2);
        var size = _database.LogSize;
        var resumed = Session.VerifyAll(null, default, resume: true);
        var earlier = resumed.Resumed!;
        Assert.Equal((2UL, 2UL * EventsEach, size, _database.LogRoot, Of("b")), (earlier.Aggregates, earlier.Events, earlier.LogSize, earlier.LogRoot, earlier.Last));
        var anew = Session.VerifyAll(null, default);
        Assert.Null(anew.Resumed);
        Assert.Equal(
            (anew.LogSize, anew.LogRoot, anew.Events, anew.ControlEntries, anew.Aggregates, anew.Archived, anew.Tiles, anew.WatermarkSize),
            (resumed.LogSize, resumed.LogRoot, resumed.Events, resumed.ControlEntries, resumed.Aggregates, resumed.Archived, resumed.Tiles, resumed.WatermarkSize));
        Assert.Equal((36UL, 24UL, 1UL, 0UL), (anew.ClientIds, resumed.ClientIds, anew.Snapshots, resumed.Snapshots));
    }

    [Fact]
    public void Once_it_has_ended_there_is_nothing_to_go_on_with()
    {
        Interrupt(finished: 2);
        _ = Session.VerifyAll(null, default, resume: true);
        Assert.Null(_database.Documents.Read(Document).Content);
        Assert.Null(Session.VerifyAll(null, default, resume: true).Resumed);
    }

    [Fact]
    public void One_that_was_not_asked_to_resume_begins_anew_and_tells_of_the_interrupted_one()
    {
        Interrupt(finished: 3);
        var told = new List<VerifyProgress>();
        var anew = Session.VerifyAll(new Told(told.Add), default);
        Assert.Null(anew.Resumed);
        Assert.All(told, progress => Assert.Equal((3UL, Of("c")), (progress.Interrupted!.Aggregates, progress.Interrupted.Last)));
        told.Clear();
        _ = Session.VerifyAll(new Told(told.Add), default);
        Assert.All(told, progress => Assert.Null(progress.Interrupted));
    }

    [Fact]
    public void One_that_was_killed_is_gone_on_with_from_where_it_last_noted_how_far_it_was()
    {
        // As a kill, a crash ends it without a word: what it left is what it noted on the way.
        var source = _database.VerifySource with { SaveInterval = TimeSpan.Zero };
        Assert.Throws<InvalidOperationException>(() => StoreVerifier.Run(source, resume: false, new Told(At(finished: 4, () => throw new InvalidOperationException("killed"))), default));
        Assert.Equal((4UL, Of("d")), (Session.VerifyAll(null, default, resume: true).Resumed is { } earlier ? (earlier.Aggregates, earlier.Last) : default));
    }

    [Fact]
    public async Task What_was_committed_since_is_read_and_aggregates_it_belongs_to_again()
    {
        Interrupt(finished: 3);
        await Session.AppendAsync(TestStore.Draft(Of("a")), default);
        await Session.RestoreAsync(Of("b"), null, default);
        await Session.AppendAsync(TestStore.Draft(Of("aa")), default);
        await Session.AppendAsync(TestStore.Draft(Of("g")), default);
        var resumed = Session.VerifyAll(null, default, resume: true);
        // Of a, b and c, which it had finished, c alone is as it was; aa came into their midst.
        Assert.Equal((1UL, (ulong)EventsEach), (resumed.Resumed!.Aggregates, resumed.Resumed.Events));
        Assert.Equal((8UL, (6UL * EventsEach) + 3, 0UL), (resumed.Aggregates, resumed.Events, resumed.Archived));
    }

    [Fact]
    public async Task A_new_snapshot_of_a_finished_aggregate_has_it_read_again()
    {
        Interrupt(finished: 3);
        await Session.SnapshotAsync(Of("c"), null, default);
        Assert.Equal((2UL, 1UL), (Session.VerifyAll(null, default, resume: true) is var resumed ? (resumed.Resumed!.Aggregates, resumed.Snapshots) : default));
    }

    [Theory]
    [InlineData("a position", "The index does not lead to version 7 of order/a")]
    [InlineData("a leaf", "is not the one that the entries up to position")]
    [InlineData("an entry that is gone", "no entry at position 7")]
    [InlineData("a version that is gone", "does not lead to version 7")]
    [InlineData("a version of nobody", "order/a is at version 600")]
    [InlineData("a root in an entry", "Version 7 of order/a (position 7) has root")]
    [InlineData("a previous root in an entry", "Version 301 of order/a (position 301) was appended to root")]
    [InlineData("a head", "The head of order/a")]
    [InlineData("a head that is gone", "order/a has events and no head")]
    [InlineData("an archive record", "order/b")]
    [InlineData("a head beside an archive record", "the aggregate has a head as well")]
    public void What_was_changed_behind_it_in_log_index_and_heads_is_found(string what, string named)
    {
        Interrupt(finished: 3);
        switch (what)
        {
            case "a position":
                RawRows.Change(_database, Family.Index, Keyspace.Versioned(Of("a"), 7), Flip(7));
                break;
            case "a leaf":
                RawRows.Change(_database, Family.Index, Keyspace.Versioned(Of("a"), 7), Flip(20));
                break;
            case "an entry that is gone":
                RawRows.Delete(_database, Family.Log, Keyspace.Position(7));
                break;
            case "a version that is gone":
                RawRows.Delete(_database, Family.Index, Keyspace.Versioned(Of("a"), 7));
                break;
            case "a version of nobody":
                var newest = RawRows.Body(_database, Family.Index, Keyspace.Versioned(Of("a"), EventsEach));
                RawRows.Write(_database, plan => Checked.Put(plan, Family.Index, Keyspace.Versioned(Of("a"), EventsEach + 1), newest));
                break;
            case "a root in an entry":
                RawRows.Change(_database, Family.Log, Keyspace.Position(7), FlipRoot(7));
                break;
            case "a previous root in an entry":
                RawRows.Change(_database, Family.Log, Keyspace.Position(301), FlipRoot(300));
                break;
            case "a head":
                ChangeHead(head => head.LastPosition--);
                break;
            case "a head that is gone":
                RawRows.Delete(_database, Family.Heads, Of("a").Row.ToArray());
                break;
            case "an archive record":
                // Its time of archiving, which the log knows.
                RawRows.Change(_database, Family.Archive, Of("b").Row.ToArray(), Flip(8));
                break;
            default:
                var head = RawRows.Body(_database, Family.Heads, Of("a").Row);
                RawRows.Write(_database, plan => Checked.Put(plan, Family.Heads, Of("b").Row, head));
                break;
        }

        VerifyTests.Refused(() => Session.VerifyAll(null, default, resume: true), named);
        // It has its answer: the next one begins anew, whatever it is asked.
        Assert.Null(_database.Documents.Read(Document).Content);
        VerifyTests.Refused(() => Session.VerifyAll(null, default), null);
    }

    [Theory]
    [InlineData("a payload")]
    [InlineData("a state")]
    [InlineData("an event id")]
    public async Task What_was_verified_then_is_not_read_again_until_it_is_asked_for_anew_or_changed(string what)
    {
        Interrupt(finished: 3);
        var bookmark = new VerifyBookmark(_database.Documents, _database.Identity);
        var then = bookmark.Find()!;
        switch (what)
        {
            case "a payload":
                RawRows.Change(_database, Family.Log, Keyspace.Position(7), Flip(-1));
                break;
            case "a state":
                RawRows.Change(_database, Family.State, Of("a").Row.ToArray(), Flip(-1));
                break;
            default:
                using (var view = _database.Engine.OpenView())
                    RawRows.Delete(_database, Family.Ids, view.Range(Family.Ids, Of("a").Row, Keyspace.AfterAggregate(Of("a")), 1, 1000)[0].Key);
                break;
        }

        // What the result says is what it did: a was not among what was read.
        Assert.Equal(3UL, Session.VerifyAll(null, default, resume: true).Resumed!.Aggregates);
        VerifyTests.Refused(() => Session.VerifyAll(null, default), "order/a");

        bookmark.Save(then);
        if (what == "a state")
            return; // The engine itself refuses to append to it.
        await Session.AppendAsync(TestStore.Draft(Of("a")), default);
        VerifyTests.Refused(() => Session.VerifyAll(null, default, resume: true), "order/a");
    }

    [Theory]
    [InlineData(VerifyLevel.Full)]
    [InlineData(VerifyLevel.Quick)]
    public void After_a_finding_a_resumed_verify_begins_anew_and_health_stays_what_it_is(VerifyLevel level)
    {
        Interrupt(finished: 3);
        RawRows.Change(_database, Family.Log, Keyspace.Position(EventsEach), Flip(-1));
        VerifyTests.Refused(() => Session.Verify(Of("a"), level, default), "order/a");
        Assert.NotNull(_database.Unhealthy);
        Assert.Null(_database.Documents.Read(Document).Content);
        VerifyTests.Refused(() => Session.VerifyAll(null, default, resume: true), "order/a");
        Assert.NotNull(_database.Unhealthy);

        RawRows.Change(_database, Family.Log, Keyspace.Position(EventsEach), Flip(-1));
        Assert.Null(Session.VerifyAll(null, default, resume: true).Resumed);
        Assert.Null(_database.Unhealthy);
    }

    [Fact]
    public void A_resumed_verify_takes_back_only_what_it_has_read_in_full()
    {
        _database.Health.Found(Of("a"), "a is not well");
        _database.Health.Found(Of("f"), "f is not well");
        Interrupt(finished: 3);
        Assert.Equal(3UL, Session.VerifyAll(null, default, resume: true).Resumed!.Aggregates);
        Assert.Contains("a is not well", _database.Unhealthy, StringComparison.Ordinal);
        Session.Verify(Of("a"), VerifyLevel.Full, default);
        Assert.Null(_database.Unhealthy);
    }

    [Fact]
    public void What_is_found_while_a_verify_runs_it_does_not_take_back_and_its_progress_is_not_kept()
    {
        Session.VerifyAll(new Told(At(finished: 2, () => _database.Health.Found(Of("a"), "a is not well"))), default);
        Assert.NotNull(_database.Unhealthy);

        using var cancelled = new CancellationTokenSource();
        var told = new Told(At(finished: 4, () =>
        {
            _database.Health.Found(Of("a"), "a is not well");
            cancelled.Cancel();
        }));
        Assert.ThrowsAny<OperationCanceledException>(() => Session.VerifyAll(told, cancelled.Token));
        Assert.Null(_database.Documents.Read(Document).Content);
        Session.VerifyAll(null, default);
        Assert.Null(_database.Unhealthy);
    }

    [Fact]
    public void History_that_was_computed_anew_since_is_found_by_the_root_it_had()
    {
        Interrupt(finished: 3);
        var found = new VerifyBookmark(_database.Documents, _database.Identity).Find()!;
        new VerifyBookmark(_database.Documents, _database.Identity).Save(found with { LogRoot = Hash32.Of("another"u8) });
        VerifyTests.Refused(() => Session.VerifyAll(null, default, resume: true), "when the verify that is resumed read them: history was changed since");

        new VerifyBookmark(_database.Documents, _database.Identity).Save(found with { LogSize = found.LogSize + 5 });
        VerifyTests.Refused(() => Session.VerifyAll(null, default, resume: true), "The verify that is resumed read 3607 entries, but the log has 3602");
    }

    [Fact]
    public void One_that_is_interrupted_again_is_gone_on_with_again()
    {
        Interrupt(finished: 1);
        Interrupt(finished: 4, resume: true);
        var found = new VerifyBookmark(_database.Documents, _database.Identity).Find()!;
        Assert.Equal((4UL, 4UL * EventsEach, Of("d")), (found.Aggregates, found.Events, found.Last));
        Assert.Equal(4UL, Session.VerifyAll(null, default, resume: true).Resumed!.Aggregates);
    }

    [Fact]
    public void Interrupted_before_it_came_to_where_it_was_it_loses_nothing()
    {
        Interrupt(finished: 3);
        var before = _database.Documents.Read(Document);
        using var cancelled = new CancellationTokenSource();
        var told = new Told(progress =>
        {
            if (progress is { Phase: VerifyPhase.Aggregates, Done: > EventsEach })
                cancelled.Cancel();
        });
        Assert.ThrowsAny<OperationCanceledException>(() => Session.VerifyAll(told, cancelled.Token, resume: true));
        Assert.Equal(before.Revision, _database.Documents.Read(Document).Revision);
    }

    [Theory]
    [InlineData("unsealed")]
    [InlineData("of another database")]
    [InlineData("of another epoch")]
    [InlineData("torn")]
    public void What_somebody_else_put_there_is_not_believed(string what)
    {
        Interrupt(finished: 5);
        var path = Path.Combine(_store.Directory, Document);
        var found = new VerifyBookmark(_database.Documents, _database.Identity).Find()!;
        switch (what)
        {
            case "unsealed":
                // In a store that is sealed, nobody without the key says what was verified.
                File.WriteAllBytes(path, _database.Documents.Read(Document).Content!);
                break;
            case "of another database":
                new VerifyBookmark(_database.Documents, _database.Identity with { DatabaseId = Guid.NewGuid() }).Save(found);
                break;
            case "of another epoch":
                new VerifyBookmark(_database.Documents, _database.Identity with { Epoch = 2 }).Save(found);
                break;
            default:
                File.WriteAllBytes(path, File.ReadAllBytes(path)[..40]);
                break;
        }

        Assert.Null(Session.VerifyAll(null, default, resume: true).Resumed);
        Interrupt(finished: 2);
        Assert.Equal(2UL, Session.VerifyAll(null, default, resume: true).Resumed!.Aggregates);
    }

    [Fact]
    public async Task Where_too_many_were_changed_since_everything_is_read_anew()
    {
        Interrupt(finished: 3);
        foreach (var id in (string[])["a", "b2", "c"])
            await Session.AppendAsync(TestStore.Draft(Of(id)), default);
        Assert.Null(StoreVerifier.Run(_database.VerifySource with { AggregatesMax = 2 }, resume: true, null, default).Resumed);
    }

    /// <summary>Verifies until so many aggregates are finished, and then no more.</summary>
    void Interrupt(int finished, bool resume = false)
    {
        using var cancelled = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => Session.VerifyAll(new Told(At(finished, cancelled.Cancel)), cancelled.Token, resume));
        Assert.Equal((ulong)finished, new VerifyBookmark(_database.Documents, _database.Identity).Find()!.Aggregates);
    }

    static Action<VerifyProgress> At(int finished, Action act) => progress =>
    {
        if (progress.Phase == VerifyPhase.Aggregates && progress.Done > (ulong)(finished * EventsEach))
            act();
    };

    void ChangeHead(Action<HeadRow> change) => RawRows.Change(_database, Family.Heads, Of("a").Row.ToArray(), body =>
    {
        var head = HeadRow.TryRead(body)!;
        change(head);
        var bytes = new byte[head.EncodedBytes];
        head.Write(bytes);
        return bytes;
    });

    Func<byte[], byte[]> FlipRoot(ulong version) => body =>
    {
        var root = new byte[Hash32.Length];
        using (var reader = _database.OpenReader())
            reader.RootOf(Of("a"), version).Write(root);
        body[body.AsSpan().IndexOf(root)] ^= 1;
        return body;
    };

    static Func<byte[], byte[]> Flip(int at) => body =>
    {
        body[at < 0 ? body.Length + at : at] ^= 1;
        return body;
    };

    static AggregateKey Of(string id) => AggregateKey.Create("order", id);

    sealed class Told(Action<VerifyProgress> told) : IProgress<VerifyProgress>
    {
        public void Report(VerifyProgress value) => told(value);
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        _store.Dispose();
    }
}
