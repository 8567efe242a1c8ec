using EventDbx.Integrity;

namespace EventDbx.Tests.Engine.Model;

/// <summary>One event as it should be. What chance decides (id, salt, and with them the hash) is learnt from its answer.</summary>
internal sealed class ModelEvent
{
    public required AggregateKey Aggregate { get; init; }

    public required ulong Version { get; init; }

    public required ulong Position { get; init; }

    public required string Type { get; init; }

    public required Sent Payload { get; init; }

    public string? Note { get; init; }

    public Actor? Actor { get; init; }

    public required Timestamp CreatedAt { get; init; }

    public bool ClientId { get; init; }

    public Guid? Id { get; set; }

    /// <summary>The answer, once it is known.</summary>
    public string? Answer { get; set; }

    public byte[]? Leaf { get; set; }

    public Hash32 Root { get; set; }

    public bool SameRequest(ModelDraft draft) => (Type, Payload.Stored, Note) == (draft.Type, draft.Payload.Stored, draft.Note);
}

/// <summary>One entry of the log as it should be: an event, or the kind and subject of a control entry.</summary>
internal sealed record ModelEntry(ModelEvent? Event, string Kind, string Subject, int BatchIndex, int BatchCount);

/// <summary>An append as the model takes it.</summary>
internal sealed record ModelDraft
{
    public required AggregateKey Aggregate { get; init; }

    public Guid? Id { get; init; }

    public ulong? Expected { get; init; }

    public required string Type { get; init; }

    public string? Note { get; init; }

    public required Sent Payload { get; init; }

    public EventImport? Import { get; init; }

    /// <summary>What the record claims about its hash is wrong.</summary>
    public bool IsForged { get; init; }
}

/// <summary>What a request should be answered with: a refusal, or events, each new or known.</summary>
internal sealed record Expected(Refusal? Refusal, IReadOnlyList<(ModelEvent Event, bool Appended)> Events, ModelAggregate? State = null)
{
    public static Expected No(RefusalCode code, ulong? actual = null) => new(new Refusal(code, "") { ActualVersion = actual }, []);
}

/// <summary>One aggregate as it should be.</summary>
internal sealed record ModelAggregate(AggregateKey Key)
{
    public List<ModelEvent> Events { get; init; } = [];

    public bool Archived { get; init; }

    public Timestamp CreatedAt { get; init; }

    public Timestamp UpdatedAt { get; init; }

    public ulong Version => (ulong)Events.Count;

    /// <summary>The state as JSON after the first so many events.</summary>
    public string State(ulong version, bool typed)
    {
        var fields = new SortedDictionary<string, string>(Utf8Order.Instance);
        foreach (var (name, value) in Events.Take((int)version).SelectMany(e => e.Payload.Fields))
            fields[name] = value;
        return $"{{{string.Join(',', fields.Select(f => $"{Quote(f.Key)}:{Show(f.Value, typed)}"))}}}";
    }

    static string Quote(string name) =>
        $"\"{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal)}\"";

    static string Show(string value, bool typed) =>
        typed || value[0] is '"' or '{' or '[' ? value : value == "null" ? "\"\"" : $"\"{value}\"";
}

/// <summary>The whole session as a dictionary and a list. A step is taken on copies and kept or dropped.</summary>
internal sealed class SessionModel(ManualClock clock, Actor? actor)
{
    Dictionary<AggregateKey, ModelAggregate> _aggregates = [];

    public IReadOnlyDictionary<AggregateKey, ModelAggregate> Aggregates => _aggregates;

    public List<ModelEntry> Log { get; private set; } = [];

    public ModelAggregate? Find(AggregateKey key) => _aggregates.GetValueOrDefault(key);

    public Expected Live(LifeVerb verb, AggregateKey key)
    {
        var found = Find(key);
        if (verb == LifeVerb.Create && found is not null)
            return Expected.No(RefusalCode.AlreadyExists);
        if (verb != LifeVerb.Create && found is null)
            return Expected.No(RefusalCode.NotFound);
        switch (verb)
        {
            case LifeVerb.Create:
                _aggregates[key] = new(key) { CreatedAt = clock.Stamp, UpdatedAt = clock.Stamp };
                break;
            case LifeVerb.Remove when found!.Archived:
                return Expected.No(RefusalCode.Archived);
            case LifeVerb.Remove when found!.Version > 0:
                return Expected.No(RefusalCode.NotEmpty);
            case LifeVerb.Remove:
                _aggregates.Remove(key);
                break;
            case LifeVerb.Archive when found!.Archived:
            case LifeVerb.Restore when !found!.Archived:
                return new(null, [], found);
            default:
                _aggregates[key] = found! with { Archived = verb == LifeVerb.Archive };
                break;
        }

        Log.Add(new(null, verb.ToString().ToLowerInvariant(), Commit.LifecycleNames.Subject(key), 0, 0));
        return new(null, [], Find(key));
    }

    public Expected Append(IReadOnlyList<ModelDraft> drafts)
    {
        var ids = drafts.Where(d => d.Id is not null).Select(d => (d.Aggregate, d.Id)).ToList();
        if (ids.Count != ids.Distinct().Count())
            return Expected.No(RefusalCode.InvalidArgument);
        List<ModelEvent?> known = [];
        foreach (var draft in drafts)
        {
            known.Add(FindKnown(draft));
            if (known[^1] is { } original && !original.SameRequest(draft))
                return Expected.No(RefusalCode.IdempotencyConflict);
        }

        var (aggregates, log) = (new Dictionary<AggregateKey, ModelAggregate>(_aggregates), new List<ModelEntry>(Log));
        var count = known.Count(k => k is null);
        List<(ModelEvent, bool)> events = [];
        var place = 0;
        for (var i = 0; i < drafts.Count; i++)
        {
            if (known[i] is { } original)
            {
                events.Add((original, false));
                continue;
            }

            place++;
            if (Refuse(drafts[i]) is { } refused)
            {
                (_aggregates, Log) = (aggregates, log);
                return refused;
            }

            events.Add((Add(drafts[i], count > 1 ? (place, count) : default), true));
        }

        return new(null, events);
    }

    ModelEvent? FindKnown(ModelDraft draft)
    {
        var events = Find(draft.Aggregate)?.Events ?? [];
        return draft.Id is null ? null
            : events.Find(e => e.ClientId && e.Id == draft.Id)
            ?? (draft.Import?.Version is { } version ? events.Find(e => e.Version == version && e.Id == draft.Id) : null);
    }

    Expected? Refuse(ModelDraft draft)
    {
        var found = Find(draft.Aggregate);
        var version = found?.Version ?? 0;
        if (found?.Archived == true)
            return Expected.No(RefusalCode.Archived);
        if (draft.Expected is { } expected && expected != version)
            return Expected.No(RefusalCode.VersionConflict, version);
        if (draft.Import?.Version is { } recorded && recorded != version + 1)
            return Expected.No(RefusalCode.VersionConflict, version);
        if (draft.Import is { } import && found is not null && import.CreatedAt.CompareTo(found.UpdatedAt) < 0)
            return Expected.No(RefusalCode.InvalidArgument);
        return draft.IsForged ? Expected.No(RefusalCode.IntegrityViolation) : null;
    }

    ModelEvent Add(ModelDraft draft, (int Index, int Count) place)
    {
        var found = Find(draft.Aggregate);
        var now = found is not null && found.UpdatedAt.CompareTo(clock.Stamp) > 0 ? found.UpdatedAt : clock.Stamp;
        var time = draft.Import?.CreatedAt ?? now;
        var added = new ModelEvent
        {
            Aggregate = draft.Aggregate, Version = (found?.Version ?? 0) + 1, Position = (ulong)Log.Count + 1, Type = draft.Type,
            Payload = draft.Payload, Note = draft.Note, Actor = draft.Import is { } import ? import.Actor : actor, CreatedAt = time,
            ClientId = draft.Id is not null, Id = draft.Id,
        };
        found ??= new(draft.Aggregate) { CreatedAt = time };
        _aggregates[draft.Aggregate] = found with { Events = [.. found.Events, added], UpdatedAt = time };
        Log.Add(new(added, "", "", place.Index, place.Count));
        return added;
    }
}

/// <summary>Order by UTF-8 bytes, the slow way.</summary>
internal sealed class Utf8Order : IComparer<string>
{
    public static readonly Utf8Order Instance = new();

    public int Compare(string? x, string? y) => Encoding.UTF8.GetBytes(x!).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y!));
}
