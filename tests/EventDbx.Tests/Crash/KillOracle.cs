using System.Globalization;
using System.Text.Json;
using EventDbx.CrashWriter;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Crash;

/// <summary>What was asked and answered, and what the store has to show for it: acknowledged ⊆ present ⊆ acknowledged ∪ in flight.</summary>
/// <remarks>
/// Rebuilds both trees and every state from the feed alone. What it has checked it remembers, so that every cycle reads only
/// what is new; an entry that turns up later than it may has nobody who asked for it any more.
/// </remarks>
internal sealed class KillOracle
{
    readonly Dictionary<string, Operation> _open = [];
    readonly Dictionary<string, AggregateModel> _aggregates = [];
    readonly List<(string Op, AggregateKey Aggregate, string Answer)> _repeatable = [];
    readonly MerkleTree _log = new();
    readonly HashSet<string> _touched = [];
    readonly List<Hash32> _roots = [Hash32.Empty];
    readonly Dictionary<ulong, string> _handedOut = [];
    readonly Queue<ulong> _uncheckedSizes = new();

    public ulong Size => _log.Size;

    public int Acknowledged { get; private set; }

    public int FoundInFlight { get; private set; }

    /// <summary>Takes one line of the child: see <see cref="Script"/>.</summary>
    public void Hear(string line)
    {
        var words = line.Split(' ', 3);
        var (mark, op) = (words[0], words[1]);
        switch (mark)
        {
            case "c":
                var size = ulong.Parse(op, CultureInfo.InvariantCulture);
                if (_handedOut.TryAdd(size, words[2]))
                    _uncheckedSizes.Enqueue(size);
                Assert.True(_handedOut[size] == words[2], $"Two checkpoints of {size} entries differ.");
                break;
            case ">":
                var kind = words[2].Split(' ');
                _open.Add(op, new(kind[0], kind[1].Split(',')));
                break;
            case "<":
                _open[op].Answer = words[2].Split(';');
                Acknowledged++;
                break;
            case "=":
                Assert.Equal(Assert.Single(_open[op].Answer!), words[2]);
                break;
            case "~":
                _open[op].Answer = [];
                Acknowledged++;
                break;
            case "!":
                // Refused before it was announced: a read of something that is not there.
                if (_open.TryGetValue(op, out var refused))
                    refused.Refused = words[2];
                break;
            default:
                Assert.Fail($"The child said: {line}");
                break;
        }
    }

    /// <summary>Holds a reopened store against what is known; forgets what was in flight.</summary>
    public void Check(Database database)
    {
        var session = database.OpenSession();
        var end = database.LogSize;
        Assert.True(end >= Size, $"The log has {end} entries; {Size} were there before.");
        while (Size < end)
        {
            var page = session.ReadFeed(Size, 1000, includeControl: true);
            foreach (var item in page.Items)
                Take(item);
            Assert.Equal(page.ReachedPosition, Size);
        }

        Assert.Equal(_log.Root(), database.LogRoot);
        CheckCheckpoints(database);
        foreach (var (op, operation) in _open)
            Settle(op, operation);
        foreach (var name in _touched)
            CheckAggregate(session, name);
        _touched.Clear();
        _open.Clear();
    }

    /// <summary>Checkpoints handed out so far.</summary>
    public int HandedOut => _handedOut.Count;

    /// <summary>
    /// What was handed out is kept, and is the root of the one log at that size: so each is a prefix of every later one, whatever happened
    /// in between.
    /// </summary>
    void CheckCheckpoints(Database database)
    {
        using var view = database.Engine.OpenView();
        while (_uncheckedSizes.TryDequeue(out var size))
        {
            Assert.True(size <= Size, $"A checkpoint of {size} entries was handed out, and the log has {Size}.");
            Assert.Equal($"{_roots[(int)size]}", _handedOut[size]);
            var row = CheckpointRow.Find(view, database.Epoch, size);
            Assert.True(row is { HandedOut: true }, $"The checkpoint of {size} entries was handed out and is not kept.");
            Assert.Equal(_handedOut[size], $"{row.Checkpoint.Root}");
        }
    }

    /// <summary>Sends again what was answered and what was in flight: the first must get the same answer, the second one that lasts.</summary>
    /// <param name="unanswered">From <see cref="InFlightWithId"/>, taken before the check.</param>
    public async Task RepeatAsync(Database database, IReadOnlyList<(string Op, AggregateKey Aggregate)> unanswered, Random random)
    {
        var session = database.OpenSession(new Actor("crash", "writer"));
        for (var i = 0; i < 30 && _repeatable.Count > 0; i++)
        {
            var (op, aggregate, answer) = _repeatable[random.Next(_repeatable.Count)];
            var repeated = await session.AppendAsync(Script.Draft(op, 0, aggregate, withId: true), default);
            Assert.False(repeated.Appended, $"{op} was appended twice");
            Assert.Equal(answer, Script.Show(repeated.Record));
        }

        foreach (var (op, aggregate) in unanswered.Take(30))
        {
            Hear($"> {op} {Script.Append} {Script.Name(aggregate, withId: true)}");
            try
            {
                var result = await session.AppendAsync(Script.Draft(op, 0, aggregate, withId: true), default);
                if (result.Appended)
                    Hear($"< {op} {Script.Show(result.Record)}");
                else
                    Assert.True(_open.Remove(op) && result.Record.Position <= Size);
            }
            catch (RefusedException refused)
            {
                Assert.Equal(RefusalCode.Archived, refused.Refusal.Code);
                Hear($"! {op} {refused.Refusal.Name}");
            }
        }

        Check(database);
    }

    /// <summary>Single appends with an event id that have no answer.</summary>
    public IReadOnlyList<(string Op, AggregateKey Aggregate)> InFlightWithId() =>
    [
        .. _open.Where(o => o.Value is { Kind: Script.Append, Answer: null, Refused: null } && o.Value.Names[0].EndsWith('#'))
            .Select(o => (o.Key, Script.Aggregate(o.Value.Names[0]))),
    ];

    void Take(FeedItem item)
    {
        Assert.Equal(Size + 1, item.Position);
        _log.Append(item.Event?.Hash ?? item.Control!.Hash);
        _roots.Add(_log.Root());
        if (item.Event is { } e)
            Take(e);
        else
            Take(item.Control!);
    }

    void Take(EventRecord e)
    {
        using var payload = JsonDocument.Parse(e.Payload);
        var op = payload.RootElement.GetProperty("op").GetString()!;
        var place = payload.RootElement.GetProperty("place").GetInt32();
        Assert.True(_open.TryGetValue(op, out var operation), $"Position {e.Position}: nobody asked for {op}.");
        Assert.True(operation.Refused is null, $"Position {e.Position}: {op} was refused ({operation.Refused}) and is there.");
        var name = operation.Names[place];
        Assert.Equal(name.TrimEnd('#'), $"{e.Aggregate}");
        if (name.EndsWith('#'))
            Assert.Equal(Script.EventId(op, place), e.EventId);
        if (operation.Answer is { } answer)
            Assert.Equal(answer[place], Script.Show(e));
        // A batch lies in one piece, in its own order.
        Assert.Equal(place, operation.Found++);
        operation.Position = operation.Position == 0 ? e.Position : operation.Position;
        Assert.Equal(operation.Position + (ulong)place, e.Position);
        if (operation.Kind == Script.Append && name.EndsWith('#'))
            _repeatable.Add((op, e.Aggregate, Script.Show(e)));

        var model = ModelOf($"{e.Aggregate}");
        Assert.False(model.Archived, $"Position {e.Position}: {e.Aggregate} is archived.");
        model.Tree.Append(e.Hash);
        Assert.Equal(model.Tree.Size, e.Version);
        Assert.Equal(model.Tree.Root(), e.MerkleRoot);
        foreach (var member in payload.RootElement.EnumerateObject())
            model.Fields[member.Name] = member.Value.GetRawText();
        model.Exists = true;
    }

    void Take(ControlRecord control)
    {
        var op = control.Kind == Script.Remove
            ? _open.Single(o => o.Value.Kind == Script.Remove && o.Value.Names[0] == control.Subject).Key
            : JsonDocument.Parse(control.Body).RootElement.GetProperty("comment").GetString()!;
        Assert.True(_open.TryGetValue(op, out var operation), $"Position {control.Position}: nobody asked for {op}.");
        Assert.True(operation.Refused is null, $"Position {control.Position}: {op} was refused ({operation.Refused}) and is there.");
        Assert.Equal(operation.Kind, control.Kind);
        Assert.Equal(operation.Names[0], control.Subject);
        Assert.Equal(0, operation.Found++);
        var model = ModelOf(control.Subject);
        Assert.Equal(control.Kind == Script.Restore, model.Archived);
        model.Archived = control.Kind == Script.Archive;
        model.Exists = control.Kind != Script.Remove;
    }

    void Settle(string op, Operation operation)
    {
        var whole = operation.Names.Length;
        if (operation.Answer is not null)
            Assert.True(operation.Found == whole, $"{op} was answered, but {operation.Found} of its {whole} entries are there.");
        else if (operation.Found != 0)
            Assert.True(operation.Found == whole, $"{op} was in flight, and {operation.Found} of its {whole} entries are there.");
        FoundInFlight += operation.Answer is null && operation.Found > 0 ? 1 : 0;
    }

    void CheckAggregate(Session session, string name)
    {
        var model = _aggregates[name];
        var key = Script.Aggregate(name);
        if (!model.Exists)
        {
            Assert.Equal(RefusalCode.NotFound, Assert.Throws<RefusedException>(() => session.GetAggregate(key)).Refusal.Code);
            return;
        }

        var state = session.GetAggregate(key);
        Assert.Equal((model.Tree.Size, model.Tree.Root(), model.Archived), (state.Version, state.MerkleRoot, state.Archived));
        Assert.Equal($"{{{string.Join(',', model.Fields.Select(f => $"\"{f.Key}\":{f.Value}"))}}}", state.StateAsJson(typed: true));
    }

    AggregateModel ModelOf(string name)
    {
        _touched.Add(name);
        if (!_aggregates.TryGetValue(name, out var model))
            _aggregates.Add(name, model = new());
        return model;
    }

    sealed class Operation(string kind, string[] names)
    {
        public string Kind => kind;

        public string[] Names => names;

        /// <summary>What was answered for each event; empty for a deed without one; null without an answer.</summary>
        public string[]? Answer { get; set; }

        public string? Refused { get; set; }

        public int Found { get; set; }

        public ulong Position { get; set; }
    }

    sealed class AggregateModel
    {
        public MerkleTree Tree { get; } = new();

        public SortedDictionary<string, string> Fields { get; } = new(StringComparer.Ordinal);

        public bool Archived { get; set; }

        public bool Exists { get; set; }
    }
}
