using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Checkpoints;

public sealed class CheckpointIssuerTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();
    static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    readonly FakeSigner _signer = new();
    readonly SteppedClock _clock = new();

    [Fact]
    public async Task A_checkpoint_says_size_and_root_of_the_log_and_is_signed_under_its_origin()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await AppendAsync(database, 3);

        var note = await database.OpenSession().ReadCheckpointAsync(0, default);

        Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
        Assert.Equal(new Checkpoint($"eventdbx.local/{database.DatabaseId:D}", 3, database.LogRoot), checkpoint);
        Assert.True(_signer.Verifies(database.LogOrigin, note));
        Assert.StartsWith($"{database.LogOrigin}+", database.OpenSession().ReadLogKey(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task There_is_no_checkpoint_of_an_empty_log_and_none_without_a_key()
    {
        using var store = new TestStore();
        await using (var database = Open(store))
        {
            var refusal = await Answers.RefusalOf(database.ReadCheckpointAsync(0, true, default));
            Assert.Equal(RefusalCode.NotFound, refusal.Code);
            Assert.Contains("empty", refusal.Message, StringComparison.Ordinal);
            await AppendAsync(database);
        }

        await using (var database = store.Open())
        {
            Assert.Equal(RefusalCode.Unavailable, (await Answers.RefusalOf(database.ReadCheckpointAsync(0, true, default))).Code);
            Assert.Equal(RefusalCode.Unavailable, Answers.RefusalOf(() => database.ReadLogKey()).Code);
            Assert.Null(database.Unhealthy);
        }

        Assert.Equal(0, _signer.Signed);
    }

    [Fact]
    public async Task What_is_covered_already_is_answered_with_the_same_note_and_what_is_not_is_signed_at_once()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await AppendAsync(database, 2);
        var first = await database.ReadCheckpointAsync(1, true, default);
        await AppendAsync(database);

        Assert.Equal(first.ToString(), (await database.ReadCheckpointAsync(2, true, default)).ToString());
        Assert.Equal(first.ToString(), (await database.ReadCheckpointAsync(0, true, default)).ToString());
        Assert.Equal(1, _signer.Signed);
        Assert.Equal(3UL, SizeOf(await database.ReadCheckpointAsync(3, true, default)));
        Assert.Equal(2, _signer.Signed);
    }

    [Fact]
    public async Task Who_asks_for_more_than_there_is_waits_for_the_log_to_grow()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await AppendAsync(database);

        var waiting = database.ReadCheckpointAsync(2, true, default);
        Assert.False(waiting.IsCompleted);
        await AppendAsync(database);

        Assert.Equal(2UL, SizeOf(await waiting));
    }

    [Fact]
    public async Task Many_who_wait_together_share_one_signing_and_one_row()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Open(store, steps: steps);
        await AppendAsync(database);
        Task<SignedNote>[] waiting;
        using (var held = steps.Commit.Hold())
        {
            waiting = [.. Enumerable.Range(0, 50).Select(_ => database.ReadCheckpointAsync(1, true, default))];
            await held.Reached;
            Assert.All(waiting, one => Assert.False(one.IsCompleted));
        }

        Assert.Single((await Task.WhenAll(waiting)).Select(note => note.ToString()).Distinct());
        Assert.Equal(1, _signer.Signed);
    }

    [Fact]
    public async Task Nothing_is_handed_out_before_it_is_stored_and_a_commit_that_fails_hands_nothing_out()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        string? refused = null;
        await using (var database = Open(store, steps: steps))
        {
            await AppendAsync(database, 5);
            steps.Commit.Failure = new StorageFailedException("the disk is gone");
            var refusal = await Answers.RefusalOf(database.ReadCheckpointAsync(5, true, default));
            Assert.Equal(RefusalCode.Unavailable, refusal.Code);
            Assert.Equal(1, _signer.Signed);
            refused = database.Unhealthy;
        }

        Assert.Contains("The writer has stopped", refused, StringComparison.Ordinal);
        await using (var database = Open(store))
        {
            using (var view = database.Engine.OpenView())
                Assert.Null(CheckpointRow.Newest(view, 1));
            Assert.Equal(5UL, SizeOf(await database.ReadCheckpointAsync(0, true, default)));
        }
    }

    [Fact]
    public async Task In_relaxed_mode_only_what_is_synced_is_signed_and_the_row_is_synced_before_it_is_shown()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(Options(store, steps) with { Durability = Durability.Relaxed, RelaxedInterval = TimeSpan.FromMinutes(59) });
        await AppendAsync(database, 4);
        Assert.Equal(0UL, database.LogSize);
        Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(database.ReadCheckpointAsync(0, true, default))).Code);
        // A commit that wants its sync takes everything before it along.
        await database.Loop.CommitAsync(new(new EventDbx.Commit.CheckpointOperation
        {
            Aggregate = EventDbx.Commit.ControlOperation.AboutTheDatabase, Epoch = 7, IsNew = true,
            Checkpoint = new("elsewhere", 1, default), Note = SignedNote.Of(new Checkpoint("elsewhere", 1, default).Text(), [new("elsewhere", 1, new byte[64])]),
        }));
        Assert.Equal(4UL, database.LogSize);
        var syncs = steps.Sync.Arrivals;

        var note = await database.ReadCheckpointAsync(4, true, default);

        Assert.Equal(4UL, SizeOf(note));
        Assert.Equal(syncs + 1, steps.Sync.Arrivals);
    }

    [Fact]
    public async Task With_an_interval_a_grown_log_is_signed_at_once_then_not_before_the_interval_and_an_idle_one_not_at_all()
    {
        using var store = new TestStore();
        await using var database = Open(store, Second);
        await AppendAsync(database);
        await database.WaitForCheckpointAsync(0, default).WaitAsync(TimeSpan.FromSeconds(60));
        await _clock.TimerSetAsync();
        Assert.Equal(1, _signer.Signed);

        await AppendAsync(database, 2);
        Assert.Equal(1, _signer.Signed);
        _clock.Advance(Second);
        await database.WaitForCheckpointAsync(1, default).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(2, _signer.Signed);

        // Idle: after the interval it waits for the log alone, without any timer and without a commit.
        await _clock.TimerSetAsync();
        var commits = database.Commits;
        _clock.Advance(Second);
        Assert.Equal(0, _clock.Waiting);
        Assert.Equal((2, commits), (_signer.Signed, database.Commits));
        Assert.Equal(3UL, SizeOf(await database.ReadCheckpointAsync(0, false, default)));
    }

    [Fact]
    public async Task A_key_that_cannot_be_read_is_told_and_tried_again_until_it_can()
    {
        using var store = new TestStore();
        var readable = false;
        await using var database = Database.Open(Options(store, new()) with
        {
            CheckpointInterval = Second, Signer = () => Volatile.Read(ref readable) ? _signer : throw new IOException("no such file"),
        });
        await AppendAsync(database);
        await _clock.TimerSetAsync();
        Assert.Contains("no such file", database.Unhealthy, StringComparison.Ordinal);

        Volatile.Write(ref readable, true);
        _clock.Advance(Second);
        await database.WaitForCheckpointAsync(0, default).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Null(database.Unhealthy);
    }

    [Fact]
    public async Task Kept_are_those_that_were_handed_out_one_an_hour_and_the_newest()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        async Task SignAsync(bool handOut, TimeSpan later)
        {
            _clock.Advance(later);
            await AppendAsync(database);
            await database.ReadCheckpointAsync(database.LogSize, handOut, default);
        }

        await SignAsync(false, default); // 1: the first of its hour
        await SignAsync(false, TimeSpan.FromMinutes(1)); // 2
        await SignAsync(true, TimeSpan.FromMinutes(1)); // 3: handed out
        await SignAsync(false, TimeSpan.FromMinutes(1)); // 4
        await SignAsync(false, TimeSpan.FromMinutes(55)); // 5: the first of the next hour
        await SignAsync(false, TimeSpan.FromMinutes(1)); // 6
        await SignAsync(false, TimeSpan.FromMinutes(1)); // 7: the newest

        Assert.Equal([1UL, 3UL, 5UL, 7UL], Sizes(database));
        Assert.Equal(7UL, SizeOf(await database.ReadCheckpointAsync(0, true, default)));
        await SignAsync(false, default);
        Assert.Equal([1UL, 3UL, 5UL, 7UL, 8UL], Sizes(database));
    }

    [Fact]
    public async Task A_restart_goes_on_from_the_newest_checkpoint_and_signs_no_size_twice()
    {
        using var store = new TestStore();
        string before;
        await using (var database = Open(store))
        {
            await AppendAsync(database, 3);
            before = (await database.ReadCheckpointAsync(0, true, default)).ToString();
        }

        await using (var database = Open(store))
        {
            Assert.Equal(before, (await database.ReadCheckpointAsync(0, true, default)).ToString());
            Assert.Equal(1, _signer.Signed);
        }
    }

    [Fact]
    public async Task Cosignatures_are_stored_under_the_same_text_and_never_under_another()
    {
        using var store = new TestStore();
        await using (var database = Open(store))
        {
            await AppendAsync(database, 2);
            var note = await database.ReadCheckpointAsync(0, true, default);

            await database.StoreCosignaturesAsync(note.With([new("witness.example/one", 1, new byte[72])]));
            // Whoever knows less does not take away what is there, and the log's own signature is its own.
            await database.StoreCosignaturesAsync(SignedNote.Of(note.Text, [new(database.LogOrigin, note.Signatures[0].KeyId, new byte[64]), new("witness.example/two", 2, new byte[72])]));

            var stored = await database.ReadCheckpointAsync(0, true, default);
            Assert.Equal([database.LogOrigin, "witness.example/one", "witness.example/two"], stored.Signatures.Select(signature => signature.KeyName));
            Assert.True(_signer.Verifies(database.LogOrigin, stored));

            var lie = new Checkpoint(database.LogOrigin, 2, Hash32.Empty);
            Assert.Equal(RefusalCode.IntegrityViolation, (await Answers.RefusalOf(database.StoreCosignaturesAsync(SignedNote.Of(lie.Text(), note.Signatures)))).Code);
            var unknown = new Checkpoint(database.LogOrigin, 1, Hash32.Empty);
            Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(database.StoreCosignaturesAsync(SignedNote.Of(unknown.Text(), note.Signatures)))).Code);
            Assert.Equal(RefusalCode.InvalidArgument, (await Answers.RefusalOf(database.StoreCosignaturesAsync(SignedNote.Of("no checkpoint\n", note.Signatures)))).Code);
            var many = Enumerable.Range(0, SignedNote.SignaturesMax).Select(i => new NoteSignature($"witness.example/w{i}", 1, new byte[72])).ToArray();
            Assert.Equal(RefusalCode.LimitExceeded, (await Answers.RefusalOf(database.StoreCosignaturesAsync(SignedNote.Of(note.Text, many)))).Code);
        }

        await using (var database = Open(store))
            Assert.Equal(3, (await database.ReadCheckpointAsync(0, true, default)).Signatures.Count);
    }

    [Theory]
    [InlineData("root", "does not continue it")]
    [InlineData("key", "was not signed with the key")]
    [InlineData("longer", "but the log has 3")]
    [InlineData("unreadable", "cannot be read")]
    public async Task Where_the_last_checkpoint_and_the_log_disagree_nothing_is_signed_any_more_and_health_says_so(string what, string says)
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using (var database = Open(store))
        {
            await AppendAsync(database, 2);
            await database.ReadCheckpointAsync(0, true, default);
            await AppendAsync(database);
        }

        await using var other = Open(store, steps: steps);
        steps.Tamper((view, plan) =>
        {
            var row = CheckpointRow.Newest(view, 1)!;
            var origin = row.Checkpoint.Origin;
            var (size, root, signer) = what switch
            {
                "root" => (2UL, Hash32.Empty, _signer),
                "longer" => (9UL, row.Checkpoint.Root, _signer),
                _ => (2UL, row.Checkpoint.Root, new FakeSigner("another key")),
            };
            var checkpoint = new Checkpoint(origin, size, root);
            var forged = row with { Checkpoint = checkpoint, Note = SignedNote.Of(checkpoint.Text(), [signer.Sign(origin, checkpoint.Text())]) };
            plan.Delete(Family.Checkpoints, row.Key);
            Checked.Put(plan, Family.Checkpoints, forged.Key, what == "unreadable" ? "nothing of ours"u8 : forged.Write());
        });
        var signed = _signer.Signed;

        var refusal = await Answers.RefusalOf(other.ReadCheckpointAsync(3, true, default));

        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
        Assert.Contains(says, other.Unhealthy, StringComparison.Ordinal);
        Assert.StartsWith("No checkpoint is signed any more", refusal.Message, StringComparison.Ordinal);
        await AppendAsync(other);
        Assert.Equal(refusal, await Answers.RefusalOf(other.ReadCheckpointAsync(0, true, default)));
        Assert.Equal(signed, _signer.Signed);
    }

    [Fact]
    public async Task A_log_whose_index_was_changed_since_is_not_signed()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Open(store, steps: steps);
        await AppendAsync(database, 8);
        await database.ReadCheckpointAsync(0, true, default);
        await AppendAsync(database, 2);
        steps.Tamper((view, plan) =>
        {
            var key = Keyspace.Versioned(Order, 9);
            Assert.True(IndexRow.TryRead(Checked.Get(view, Family.Index, key)!.Value, out var index));
            var forged = new byte[IndexRow.EncodedBytes];
            (index with { Leaf = Hash32.Empty }).Write(forged);
            Checked.Put(plan, Family.Index, key, forged);
        });

        Assert.Equal(RefusalCode.IntegrityViolation, (await Answers.RefusalOf(database.ReadCheckpointAsync(10, true, default))).Code);
        Assert.NotNull(database.Unhealthy);
    }

    [Fact]
    public async Task Sixteen_writers_while_checkpoints_are_asked_for_and_each_note_is_a_prefix_of_every_later_one()
    {
        using var store = new TestStore();
        var notes = new System.Collections.Concurrent.ConcurrentBag<SignedNote>();
        await using (var database = Open(store, TimeSpan.FromMilliseconds(1)))
        {
            var writers = Enumerable.Range(0, 16).Select(writer => Task.Run(async () =>
            {
                for (var i = 0; i < 25; i++)
                {
                    var record = (await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"w-{writer}")), default)).Record;
                    if (i % 3 == 0)
                    {
                        var note = await database.ReadCheckpointAsync(record.Position, handOut: i % 2 == 0, default);
                        Assert.True(SizeOf(note) >= record.Position);
                        notes.Add(note);
                    }
                }
            })).ToArray();
            await Task.WhenAll(writers).WaitAsync(TimeSpan.FromSeconds(120));
            await database.OpenSession().VerifyAllAsync(null, default);
        }

        await using (var database = Open(store))
        {
            using var view = database.Engine.OpenView();
            var nodes = new LogNodes(view, database.LogSize);
            var all = notes.Select(note => Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint : throw new InvalidOperationException(note.Text)).ToList();
            foreach (var size in all.GroupBy(one => one.Size))
                Assert.Single(size.Distinct());
            var rising = all.Distinct().OrderBy(one => one.Size).ToList();
            Assert.True(rising.Count > 3, $"{rising.Count} checkpoints");
            for (var i = 0; i < rising.Count; i++)
            {
                for (var j = i; j < rising.Count; j++)
                {
                    var later = new LogNodes(view, rising[j].Size);
                    Assert.True(MerkleProof.Extends(
                        rising[i].Size, rising[j].Size, rising[i].Root, rising[j].Root, later.Path(ProofPath.Consistency(rising[i].Size, rising[j].Size))));
                }

                Assert.Equal(nodes.RootAt(rising[i].Size), rising[i].Root);
            }
        }
    }

    [Fact]
    public async Task A_close_while_checkpoints_are_wanted_ends_them_with_a_refusal_or_a_note()
    {
        using var store = new TestStore();
        var database = Open(store, TimeSpan.FromMilliseconds(1));
        await AppendAsync(database);
        var waiting = database.WaitForCheckpointAsync(100, default);
        var wanted = database.ReadCheckpointAsync(100, true, default);

        await database.DisposeAsync();

        Assert.Equal(RefusalCode.Unavailable, (await Answers.RefusalOf(waiting)).Code);
        Assert.Equal(RefusalCode.Unavailable, (await Answers.RefusalOf(wanted)).Code);
    }

    [Fact]
    public async Task Many_who_are_handed_the_same_checkpoint_cost_one_commit_or_two()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Open(store, steps: steps);
        await AppendAsync(database);
        await database.ReadCheckpointAsync(0, handOut: false, default);
        var groups = database.Commits.Groups;
        Task<SignedNote>[] waiting;
        using (var held = steps.Commit.Hold())
        {
            waiting = [.. Enumerable.Range(0, 300).Select(_ => database.ReadCheckpointAsync(0, true, default))];
            await held.Reached;
        }

        await Task.WhenAll(waiting);
        Assert.InRange(database.Commits.Groups - groups, 1UL, 3UL);
        Assert.Equal([1UL], Sizes(database));
    }

    [Fact]
    public async Task A_signer_that_fails_is_told_and_asked_again()
    {
        using var store = new TestStore();
        await using var database = Open(store, Second);
        _signer.Watch = () => throw new InvalidOperationException("the key store is locked");
        await AppendAsync(database);
        await _clock.TimerSetAsync();
        Assert.Contains("the key store is locked", database.Unhealthy, StringComparison.Ordinal);

        _signer.Watch = null;
        _clock.Advance(Second);
        await database.WaitForCheckpointAsync(0, default).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Null(database.Unhealthy);
    }

    [Fact]
    public async Task A_checkpoint_row_that_somebody_deleted_is_signed_again_and_says_the_same()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Open(store, steps: steps);
        await AppendAsync(database, 2);
        var before = await database.ReadCheckpointAsync(0, handOut: false, default);
        steps.Tamper((_, plan) => plan.Delete(Family.Checkpoints, Keyspace.Checkpoint(1, 2)));

        Assert.Equal(before.ToString(), (await database.ReadCheckpointAsync(0, true, default).WaitAsync(TimeSpan.FromSeconds(60))).ToString());
        Assert.Equal([2UL], Sizes(database));
    }

    [Theory]
    [InlineData("")]
    [InlineData("my log")]
    [InlineData("a+b")]
    [InlineData("example.com/e5")]
    [InlineData("ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé")]
    public void A_name_that_no_key_can_have_is_refused_and_nothing_is_opened(string origin)
    {
        using var store = new TestStore();
        Assert.Throws<ArgumentException>(() => Database.Open(store.Options() with { LogOrigin = origin }));
        Assert.False(Database.ExistsIn(store.Directory));
    }

    [Theory]
    [InlineData("log.example/orders")]
    [InlineData("log.example/e1")]
    [InlineData("log.example/e5/orders")]
    [InlineData("log.example/east")]
    public async Task A_log_may_have_a_name_of_its_own(string origin)
    {
        using var store = new TestStore();
        await using var database = Database.Open(Options(store, new()) with { LogOrigin = origin });
        await AppendAsync(database);

        Assert.StartsWith(origin + "\n1\n", (await database.ReadCheckpointAsync(0, true, default)).Text, StringComparison.Ordinal);
    }

    Database Open(TestStore store, TimeSpan? interval = null, EngineSteps? steps = null) =>
        Database.Open(Options(store, steps ?? new()) with { CheckpointInterval = interval, Clock = interval == TimeSpan.FromMilliseconds(1) ? TimeProvider.System : _clock });

    DatabaseOptions Options(TestStore store, EngineSteps steps) => store.Options() with { Signer = () => _signer, Clock = _clock, WrapEngine = steps.Over };

    static async Task AppendAsync(Database database, int events = 1)
    {
        for (var i = 0; i < events; i++)
            await database.OpenSession().AppendAsync(TestStore.Draft(Order), default);
    }

    static ulong SizeOf(SignedNote note) => Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint.Size : throw new FormatException(note.Text);

    static ulong[] Sizes(Database database)
    {
        using var view = database.Engine.OpenView();
        return [.. view.Range(Family.Checkpoints, Keyspace.Checkpoint(1, 0), [], 1000, int.MaxValue).Select(row => CheckpointRow.TryRead(row.Key, Checked.Body(Family.Checkpoints, row.Key, row.Value))!.Size)];
    }
}
