using EventDbx.Verifier.Documents;

namespace EventDbx.Verifier.Bundles;

/// <summary>What stands between the first and the last line of a bundle.</summary>
internal abstract class BundleBody(Checkpoint checkpoint)
{
    protected static readonly Shape EndMembers = new("aggregates", "events", "control_entries");

    protected Checkpoint Checkpoint { get; } = checkpoint;

    protected ulong Events { get; set; }

    protected bool Ended { get; set; }

    /// <summary>Checks a line.</summary>
    /// <param name="kind">Which member it has.</param>
    /// <exception cref="RefutedException">It does not hold.</exception>
    public abstract void Take(string kind, JsonObject line, ulong number, Unnamed unnamed);

    /// <summary>Checks the last line.</summary>
    /// <exception cref="RefutedException">It does not hold.</exception>
    public abstract void End(JsonObject line, ulong number, Unnamed unnamed);

    /// <summary>Whether the bundle has to be read again; then it stands at its beginning.</summary>
    /// <exception cref="IncompleteException">It has, and cannot.</exception>
    public virtual bool NeedsAnotherPass() => false;

    /// <summary>What holds, as far as it was read.</summary>
    public abstract void Say(Report report);

    protected static void DemandCount(JsonObject end, string name, ulong counted)
    {
        if (end.Number(name) is var said && said != counted)
            throw new RefutedException($"The last line of the bundle says {said} {name.Replace('_', ' ')}, and there are {counted}.");
    }

    protected void DemandPosition(ulong position, ulong number)
    {
        if (position > Checkpoint.Size)
            throw new RefutedException($"Line {number}: position {position} lies beyond the checkpoint, whose log has {Amount.Of(Checkpoint.Size, "entry", "entries")}.");
    }
}

/// <summary>Some aggregates, each with all of its events and a path for each event.</summary>
internal sealed class AggregatesBody(Checkpoint checkpoint) : BundleBody(checkpoint)
{
    static readonly Shape AggregateMembers = new("aggregate_type", "aggregate_id", "version", "merkle_root");

    Current? _current;
    ulong _aggregates;

    public override void Take(string kind, JsonObject line, ulong number, Unnamed unnamed)
    {
        if (kind == "control")
            throw new RefutedException($"Line {number} of the bundle is malformed: a control entry belongs to no aggregate.");
        if (kind == "aggregate")
            Begin(line.Object("aggregate", AggregateMembers, unnamed), number);
        else
            Take(EventRecord.Read(line, $"The record in line {number} of the bundle", unnamed), line.Path("path"), number);
    }

    public override void End(JsonObject line, ulong number, Unnamed unnamed)
    {
        Close(number);
        var end = line.Object("end", EndMembers, unnamed);
        DemandCount(end, "aggregates", _aggregates);
        DemandCount(end, "events", Events);
        Ended = true;
    }

    public override void Say(Report report)
    {
        (report.Events, report.Aggregates) = (Events, _aggregates);
        var what = $"{Amount.Of(Events, "event", "events")} of {Amount.Of(_aggregates, "aggregate", "aggregates")}";
        report.Proves(Ended
            ? $"{what}: each is, to the byte, in the log, and says that it is that version of its aggregate, behind the ones that stand before it here."
            : $"{what} stand before that; each is, to the byte, in the log, and says that it is that version of its aggregate, behind the ones that stand before it here.");
        // A log that begins an aggregate twice has a history for either bundle; the whole log shows it.
        report.LeavesOpen("that the log holds no other history under the name of one of these aggregates.");
        report.LeavesOpen("that an aggregate has no later event within the log.");
        report.LeavesOpen("which other aggregates there are.");
        report.LeavesOpen("that the times of the events are right: the clock was the server's, or its clients'.");
    }

    void Begin(JsonObject aggregate, ulong number)
    {
        Close(number);
        var begun = new Current(aggregate.Utf8("aggregate_type").ToArray(), aggregate.Utf8("aggregate_id").ToArray(), aggregate.Number("version"), aggregate.Hash("merkle_root"));
        if (begun.Version == 0)
            throw new RefutedException($"Line {number}: {begun.Named} stands there with no event; such an aggregate stands in no bundle.");
        if (_current is { } before && before.CompareTo(begun) >= 0)
            throw new RefutedException($"Line {number}: aggregate {begun.Named} does not stand behind {before.Named} in the order of type and id.");
        _current = begun;
        _aggregates++;
    }

    void Take(EventRecord record, Digest[] path, ulong number)
    {
        if (_current is not { } current)
            throw new RefutedException($"Line {number} of the bundle is malformed: an event stands before any aggregate.");
        if (!record.Type.Span.SequenceEqual(current.Type) || !record.Id.Span.SequenceEqual(current.Id))
            throw new RefutedException($"Line {number}: {record.Named} stands among the events of {current.Named}.");
        if (current.Tree.Version == current.Version)
            throw new RefutedException($"Line {number}: {record.Named} stands there, and the line of its aggregate says {Amount.Of(current.Version, "event", "events")}.");
        if (record.Position <= current.LastPosition)
            throw new RefutedException($"Line {number}: {record.Named} has the position {record.Position}, and the version before it {current.LastPosition}.");
        DemandPosition(record.Position, number);
        current.Tree.Append(record, number);
        if (!MerkleProof.Includes(record.Position - 1, Checkpoint.Size, record.Hash, Checkpoint.Root, path))
            throw new RefutedException($"Line {number}: {record.Named} does not stand at position {record.Position} of the log: its path does not lead to the root of the checkpoint.");
        current.LastPosition = record.Position;
        Events++;
    }

    /// <summary>An aggregate ends: it must be as its line said.</summary>
    void Close(ulong number)
    {
        if (_current is not { } current)
            return;
        if (current.Tree.Version != current.Version)
            throw new RefutedException($"Line {number}: the events of {current.Named} end with version {current.Tree.Version}, and its line says {current.Version}.");
        if (current.Tree.Root != current.Root)
            throw new RefutedException($"Line {number}: the line of {current.Named} says the root {current.Root}, and its events have {current.Tree.Root}.");
    }

    sealed record Current(byte[] Type, byte[] Id, ulong Version, Digest Root)
    {
        public AggregateTree Tree { get; } = new();

        public ulong LastPosition { get; set; }

        public string Named => $"{Printable.Quoted(Type)} {Printable.Quoted(Id)}";

        public int CompareTo(Current other) => Type.AsSpan().SequenceCompareTo(other.Type) is var types and not 0
            ? types
            : Id.AsSpan().SequenceCompareTo(other.Id);
    }
}

/// <summary>Every entry of the log.</summary>
/// <param name="since">An older checkpoint: its root is computed on the way.</param>
/// <param name="inMemory">Aggregates at once.</param>
/// <param name="stream">To be read again where aggregates are too many.</param>
internal sealed class LogBody(Checkpoint checkpoint, Checkpoint? since, int inMemory, Stream stream) : BundleBody(checkpoint)
{
    readonly Frontier _log = new();
    AggregateTrees _trees = new(0, inMemory);
    Digest _rootSince = Digest.OfNothing;
    ulong _aggregates;
    ulong _controls;
    (ulong Aggregates, ulong Events, ulong Controls) _said;

    public override void Take(string kind, JsonObject line, ulong number, Unnamed unnamed)
    {
        if (kind == "aggregate")
            throw new RefutedException($"Line {number} of the bundle is malformed: a bundle of the log has no lines of aggregates.");
        if (kind == "control")
        {
            var entry = ControlEntry.Read(line, unnamed);
            if (entry.LeafHash != entry.Hash)
                throw new RefutedException($"Line {number}: the control entry is not the one with the hash it shows: its content has the hash {entry.LeafHash}, and it shows {entry.Hash}.");
            Append(entry.Position, entry.Hash, number);
            _controls++;
            return;
        }

        var record = EventRecord.Read(line, $"The record in line {number} of the bundle", unnamed);
        Append(record.Position, record.Hash, number);
        _trees.Append(record, number);
        Events++;
    }

    public override void End(JsonObject line, ulong number, Unnamed unnamed)
    {
        var end = line.Object("end", EndMembers, unnamed);
        DemandCount(end, "events", Events);
        DemandCount(end, "control_entries", _controls);
        if (_log.Size != Checkpoint.Size)
            throw new RefutedException($"The bundle ends with position {_log.Size}, and the checkpoint's log has {Amount.Of(Checkpoint.Size, "entry", "entries")}: the tail was left out.");
        if (_log.Root() is var root && root != Checkpoint.Root)
            throw new RefutedException($"The entries of the bundle are not the log of the checkpoint: their root is {root}, and the signed one {Checkpoint.Root}.");
        // Only now: where the entries are not those of the signed root, the log said nothing by them.
        if (since is not null && _rootSince != since.Root)
        {
            throw new RefutedException(
                $"The log showed two histories: the first {Amount.Of(since.Size, "entry", "entries")} of its newer checkpoint have the root {_rootSince}, and the checkpoint that you kept has {since.Root}. Keep both: where both are signed, they prove it.");
        }

        _aggregates += _trees.Count;
        _said = (end.Number("aggregates"), Events, _controls);
    }

    public override bool NeedsAnotherPass()
    {
        if (_trees.To == ulong.MaxValue)
        {
            if (_said.Aggregates != _aggregates)
                throw new RefutedException($"The last line of the bundle says {_said.Aggregates} aggregates, and there are {_aggregates}.");
            Ended = true;
            return false;
        }

        if (!stream.CanSeek)
            throw new IncompleteException($"the bundle has more than {inMemory} aggregates and must be read more than once: give a file, not standard input.");
        stream.Position = 0;
        _trees = new(_trees.To + 1, inMemory);
        (Events, _controls) = (0, 0);
        _log.Clear();
        return true;
    }

    public override void Say(Report report)
    {
        (report.Events, report.ControlEntries) = (Events, _controls);
        var what = $"{Amount.Of(Events, "event", "events")} and {Amount.Of(_controls, "control entry", "control entries")}";
        // The root is known at the end: of a log that was cut off nothing is.
        if (!Ended)
        {
            report.LeavesOpen($"anything about the {what} that stand before that: the root of a log shows at its end.");
            return;
        }

        report.Aggregates = _aggregates;
        report.Proves($"{what} of {Amount.Of(_aggregates, "aggregate", "aggregates")} are, to the byte, the whole log of the checkpoint: nothing is left out, and nothing was added.");
        if (since is not null)
            Consistency.SayLog(since, Checkpoint, report);
        report.LeavesOpen("that the times of the entries are right: the clock was the server's, or its clients'.");
    }

    void Append(ulong position, Digest hash, ulong number)
    {
        DemandPosition(position, number);
        if (position != _log.Size + 1)
            throw new RefutedException($"Line {number}: position {position} stands where {_log.Size + 1} belongs.");
        _log.Append(hash);
        if (_log.Size == since?.Size)
            _rootSince = _log.Root();
    }
}
