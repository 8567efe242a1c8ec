using EventDbx.Integrity;

namespace EventDbx.Tests.Engine.Model;

/// <summary>How a walk's database is opened, and opened again.</summary>
internal sealed record WalkStore(Func<DatabaseOptions, Database> Open, DatabaseOptions Options);

/// <summary>Takes the moves of a walk on a database and on the model, and compares every answer.</summary>
internal sealed class Walk : IAsyncDisposable
{
    static readonly Actor Walker = new("walkers", "jo");

    readonly WalkStore _store;
    readonly EngineSteps _steps;
    readonly ManualClock _clock = new();
    readonly Random _random;
    readonly SessionModel _model;
    Database _database;

    public Walk(WalkStore store, int seed)
    {
        _random = new(seed);
        // A planner that is asked twice gives the same answers.
        _steps = new() { PlansTwice = seed % 2 == 1 };
        _store = store with { Options = store.Options with { Clock = _clock, WrapEngine = _steps.Over, Random = Fill } };
        _model = new(_clock, Walker);
        _database = _store.Open(_store.Options);
    }

    Session Session => _database.OpenSession(Walker);

    public async Task RunAsync(IEnumerable<Move> moves)
    {
        foreach (var move in moves)
        {
            switch (move)
            {
                case Submit submit:
                    await SubmitAsync(submit);
                    break;
                case Tick tick:
                    _clock.Now += tick.By;
                    break;
                case Reopen:
                    await _database.DisposeAsync();
                    _database = _store.Open(_store.Options);
                    new WalkReads(_database, Session, _model).CheckHeads();
                    break;
                case Look look:
                    new WalkReads(_database, Session, _model).Look(new(look.Seed));
                    break;
            }
        }

        new WalkReads(_database, Session, _model).CheckAll();
    }

    async Task SubmitAsync(Submit submit)
    {
        var session = Session;
        List<(Request Request, Expected Expected, Task<Answer> Answer)> calls = [];
        using (var held = submit.AtOnce ? _steps.Commit.Hold() : null)
        {
            if (held is not null)
            {
                calls.Add(Call(session, new AppendOne(new(-1, -1, false, Expect.Right, "plug", null, new("1", "1", [("_value", "1")])))));
                await held.Reached;
            }

            foreach (var request in submit.Requests)
                calls.Add(Call(session, request));
        }

        foreach (var (request, expected, answer) in calls)
            await CompareAsync(request, expected, answer);
        if (_model.Log.Count > 0)
            await session.WaitForFeedAsync((ulong)_model.Log.Count - 1, default).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal((ulong)_model.Log.Count, _database.LogSize);
    }

    (Request, Expected, Task<Answer>) Call(Session session, Request request)
    {
        switch (request)
        {
            case AppendOne append:
                var draft = Resolve(append.Wish, []);
                return (request, _model.Append([draft]), One(session.AppendAsync(Draft(draft), default)));
            case AppendMany batch:
                List<ModelDraft> drafts = [];
                foreach (var wish in batch.Wishes)
                    drafts.Add(Resolve(wish, drafts));
                return (request, _model.Append(drafts), Many(session.AppendBatchAsync([.. drafts.Select(Draft)], default)));
            case ImportMany import:
                List<ModelDraft> records = [];
                foreach (var (wish, twist) in import.Records)
                    records.Add(new WalkImports(_model, _clock, _random).Resolve(wish, twist, records));
                return (request, _model.Append(records), Many(session.ImportAsync([.. records.Select(r => r.Import!)], default)));
            case Live live:
                var key = WalkNames.Aggregates[live.Aggregate];
                return (request, _model.Live(live.Verb, key), Do(session, live, key));
            default:
                throw new InvalidOperationException();
        }
    }

    static async Task<Answer> One(Task<AppendResult> call) => new([await call], null);

    static async Task<Answer> Many(Task<IReadOnlyList<AppendResult>> call) => new(await call, null);

    static async Task<Answer> Do(Session session, Live live, AggregateKey key)
    {
        switch (live.Verb)
        {
            case LifeVerb.Create:
                return new([], await session.CreateAsync(key, live.Comment, default));
            case LifeVerb.Archive:
                return new([], await session.ArchiveAsync(key, live.Comment, default));
            case LifeVerb.Restore:
                return new([], await session.RestoreAsync(key, live.Comment, default));
            default:
                await session.RemoveAsync(key, default);
                return new([], null);
        }
    }

    /// <summary>The append as it is sent: where the wish says "the right version", the model knows it.</summary>
    ModelDraft Resolve(Wish wish, List<ModelDraft> earlier)
    {
        var key = wish.Aggregate < 0 ? WalkNames.Plug : WalkNames.Aggregates[wish.Aggregate];
        var version = (_model.Find(key)?.Version ?? 0) + (ulong)earlier.Count(d => d.Aggregate == key);
        var draft = new ModelDraft
        {
            Aggregate = key, Id = wish.Id < 0 ? null : WalkNames.EventIds[wish.Id], Type = wish.Type, Note = wish.Note, Payload = wish.Payload,
            Expected = wish.Expect switch
            {
                Expect.Right => version,
                Expect.Behind => version == 0 ? 3 : version - 1,
                Expect.Ahead => version + 1,
                Expect.Zero => 0,
                _ => null,
            },
        };
        return wish.Repeats && _model.Find(key)?.Events.Find(e => e.ClientId && e.Id == draft.Id) is { } original
            ? draft with { Type = original.Type, Note = original.Note, Payload = original.Payload }
            : draft;
    }

    static EventDraft Draft(ModelDraft draft) => new()
    {
        Aggregate = draft.Aggregate, EventType = draft.Type, Note = draft.Note, EventId = draft.Id, ExpectedVersion = draft.Expected,
        Payload = Encoding.UTF8.GetBytes(draft.Payload.Text),
    };

    async Task CompareAsync(Request request, Expected expected, Task<Answer> call)
    {
        Answer answer;
        try
        {
            answer = await call.WaitAsync(TimeSpan.FromSeconds(30));
        }
        catch (RefusedException refused)
        {
            Assert.True(expected.Refusal is not null, $"{request} was refused: {refused.Message}");
            Assert.Equal((expected.Refusal.Value.Code, expected.Refusal.Value.ActualVersion), (refused.Refusal.Code, refused.Refusal.ActualVersion));
            return;
        }

        Assert.True(expected.Refusal is null, $"{request} should have been refused: {expected.Refusal?.Code}");
        Assert.Equal(expected.Events.Count, answer.Results.Count);
        foreach (var ((wanted, appended), result) in expected.Events.Zip(answer.Results))
        {
            Assert.Equal(appended, result.Appended);
            if (wanted.Answer is null)
                Learn(wanted, result.Record);
            Assert.Equal(wanted.Answer, result.Record.Text());
        }

        if (answer.State is { } state)
            WalkReads.AssertNow(expected.State!, state);
    }

    /// <summary>Holds a new event against the model, and takes from it what chance decided.</summary>
    void Learn(ModelEvent wanted, EventRecord record)
    {
        Assert.Equal((wanted.Aggregate, wanted.Version, wanted.Position, wanted.Type), (record.Aggregate, record.Version, record.Position, record.EventType));
        Assert.Equal(wanted.Payload.Stored, Encoding.UTF8.GetString(record.Payload.Span));
        Assert.Equal((wanted.Note, wanted.Actor, wanted.CreatedAt), (record.Note, record.Actor, record.CreatedAt));
        Assert.Equal(wanted.Id ?? record.EventId, record.EventId);
        var events = _model.Find(wanted.Aggregate)!.Events;
        var before = events.Take((int)wanted.Version - 1).Select(e => e.Leaf!).ToList();
        wanted.Id = record.EventId;
        wanted.Leaf = WalkImports.LeafOf(wanted, before, record.Salt.ToArray());
        wanted.Root = Naive.Root([.. before, wanted.Leaf]);
        Assert.Equal(Hash32.Read(wanted.Leaf), record.Hash);
        Assert.Equal(wanted.Root, record.MerkleRoot);
        wanted.Answer = record.Text();
    }

    void Fill(Span<byte> target)
    {
        lock (_random)
            _random.NextBytes(target);
    }

    public async ValueTask DisposeAsync() => await _database.DisposeAsync();

    sealed record Answer(IReadOnlyList<AppendResult> Results, AggregateState? State);
}
