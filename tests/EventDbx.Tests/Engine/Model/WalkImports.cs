using EventDbx.Integrity;

namespace EventDbx.Tests.Engine.Model;

/// <summary>Makes the records that a walk imports: good ones, forged ones, and ones that come home.</summary>
internal sealed class WalkImports(SessionModel model, ManualClock clock, Random random)
{
    static readonly Actor Elsewhere = new("elsewhere", "bob");

    public ModelDraft Resolve(Wish wish, ImportTwist twist, List<ModelDraft> earlier)
    {
        var key = WalkNames.Aggregates[wish.Aggregate];
        var found = model.Find(key);
        if (twist is ImportTwist.ComesHome or ImportTwist.ComesHomeChanged && found?.Events.FindLast(e => !e.ClientId && e.Answer is not null) is { } home)
            return ComesHome(home, twist == ImportTwist.ComesHome ? home.Payload : wish.Payload);

        var before = earlier.FindLast(d => d.Aggregate == key)?.Import!.CreatedAt ?? found?.UpdatedAt ?? Timestamp.MinValue;
        var time = before.CompareTo(clock.Stamp) > 0 ? before : clock.Stamp;
        if (twist == ImportTwist.Early && found is not null)
            time = new(found.UpdatedAt.Ticks100ns - 1);
        var version = (found?.Version ?? 0) + (ulong)earlier.Count(d => d.Aggregate == key) + 1;
        var draft = new ModelDraft
        {
            Aggregate = key, Id = wish.Id < 0 ? new Guid(Bytes(16)) : WalkNames.EventIds[wish.Id], Type = wish.Type, Note = wish.Note, Payload = wish.Payload,
            IsForged = twist is ImportTwist.WrongHash or ImportTwist.WrongRoot,
        };
        var import = new EventImport
        {
            Draft = Draft(draft), CreatedAt = time, Actor = Elsewhere,
            Version = twist switch { ImportTwist.Plain => null, ImportTwist.WrongVersion => version + 1, _ => version },
        };
        if (twist is ImportTwist.Salted or ImportTwist.WrongHash or ImportTwist.WrongRoot)
            import = Salted(import, draft, version, twist, earlier.Exists(d => d.Aggregate == key));
        return draft with { Import = import };
    }

    static ModelDraft ComesHome(ModelEvent home, Sent payload)
    {
        var draft = new ModelDraft { Aggregate = home.Aggregate, Id = home.Id, Type = home.Type, Note = home.Note, Payload = payload };
        return draft with { Import = new() { Draft = Draft(draft), CreatedAt = home.CreatedAt, Actor = home.Actor, Version = home.Version } };
    }

    EventImport Salted(EventImport import, ModelDraft draft, ulong version, ImportTwist twist, bool followsInBatch)
    {
        var salt = Bytes(16);
        var events = model.Find(draft.Aggregate)?.Events ?? [];
        import = import with { Salt = salt };
        var other = Hash32.Of(salt);
        // Who came before is not answered yet: then the hash cannot be known, only be wrong.
        if (followsInBatch || events.Exists(e => e.Leaf is null))
        {
            return twist switch
            {
                ImportTwist.WrongHash => import with { Hash = other },
                ImportTwist.WrongRoot => import with { MerkleRoot = other },
                _ => import,
            };
        }

        var before = events.Select(e => e.Leaf!).ToList();
        var leaf = LeafOf(
            new()
            {
                Aggregate = draft.Aggregate, Version = version, Position = 0, Type = draft.Type, Id = draft.Id, CreatedAt = import.CreatedAt,
                Actor = import.Actor, Note = draft.Note, Payload = draft.Payload,
            },
            before, salt);
        return import with
        {
            Hash = twist == ImportTwist.WrongHash ? other : Hash32.Read(leaf),
            MerkleRoot = twist == ImportTwist.WrongRoot ? other : Naive.Root([.. before, leaf]),
        };
    }

    public static byte[] LeafOf(ModelEvent e, IReadOnlyList<byte[]> before, byte[] salt) => Naive.EventLeaf(
        e.Aggregate.Type, e.Aggregate.Id, e.Version, e.Type, e.Id!.Value, e.CreatedAt.Ticks100ns, e.Actor, e.Note,
        Integrity.MerkleModel.Root(before.ToArray()), Encoding.UTF8.GetBytes(e.Payload.Stored), salt);

    static EventDraft Draft(ModelDraft draft) => new()
    {
        Aggregate = draft.Aggregate, EventType = draft.Type, Note = draft.Note, EventId = draft.Id, Payload = Encoding.UTF8.GetBytes(draft.Payload.Text),
    };

    byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        lock (random)
            random.NextBytes(bytes);
        return bytes;
    }
}
