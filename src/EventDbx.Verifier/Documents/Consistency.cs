namespace EventDbx.Verifier.Documents;

/// <summary>Two trees of which one begins the other: docs/proofs.md, sections 3 and 4.</summary>
internal static class Consistency
{
    static readonly Shape OfAggregate = new("format", "aggregate_type", "aggregate_id", "from", "to", "path");
    static readonly Shape OfLog = new("format", "origin", "from", "to", "path");
    static readonly Shape Version = new("version", "root");
    static readonly Shape Size = new("size", "root");

    /// <summary>Two roots of one aggregate.</summary>
    /// <param name="known">The roots that the caller knows, at <c>from</c> and at <c>to</c>.</param>
    /// <exception cref="RefutedException">It does not hold.</exception>
    public static void CheckAggregate(ReadOnlyMemory<byte> json, (Digest? From, Digest? To) known, Report report)
    {
        var unnamed = new Unnamed();
        var proof = JsonObject.Parse(json, "The proof", OfAggregate, unnamed);
        proof.Demand("eventdbx-aggregate-consistency/1");
        var name = $"{Printable.Quoted(proof.String("aggregate_type"))} {Printable.Quoted(proof.String("aggregate_id"))}";
        var (from, to) = (End(proof, "from", Version, unnamed), End(proof, "to", Version, unnamed));
        Demand(from, to, proof.Path("path"), "versions");
        DemandKnown("from", from, known.From);
        DemandKnown("to", to, known.To);

        report.Events = to.Size;
        report.Proves(from.Size == to.Size
            ? $"Both roots are {from.Root}, of {Amount.Of(from.Size, "event", "events")}."
            : $"The events of a history with the root {from.Root} are the first {from.Size} of the {to.Size} events of one with the root {to.Root}.");
        if (known.From is not null)
            report.Proves($"The root at version {from.Size} is the one that you know.");
        if (known.To is not null)
            report.Proves($"The root at version {to.Size} is the one that you know.");
        if (known is (null, null))
            report.Misses("the proof names both roots itself: give one that you know with --from-root or --to-root.");
        report.LeavesOpen($"that the root which you do not know is one of {name}: nothing here is signed, and roots name no aggregate.");
        report.LeavesOpen("that the histories have as many events as the proof says: a root does not show its size. Hold the versions against those that you know.");
        report.LeavesOpen("what the events are: their hashes alone were looked at.");
        report.LeavesOpen(unnamed);
    }

    /// <summary>Two checkpoints of one log.</summary>
    /// <exception cref="RefutedException">It does not hold.</exception>
    public static void CheckLog(Checkpoint old, Checkpoint now, ReadOnlyMemory<byte> json, Trust trust, Report report)
    {
        var unnamed = new Unnamed();
        report.Checkpoint = now;
        trust.JudgeLog(old, report);
        trust.Judge(now, report);
        // What two good signatures contradict is the log's lie; it needs no proof.
        DemandOneLog(old, now);
        var proof = JsonObject.Parse(json, "The proof", OfLog, unnamed);
        proof.Demand("eventdbx-log-consistency/1");
        var (from, to) = (End(proof, "from", Size, unnamed), End(proof, "to", Size, unnamed));
        if (proof.String("origin") is var origin && origin != now.Origin)
            throw new RefutedException($"The proof is about the log {Printable.Quoted(origin)}, and the checkpoints are of {Printable.Quoted(now.Origin)}.");
        if (from != (old.Size, old.Root) || to != (now.Size, now.Root))
            throw new RefutedException("The proof is about other checkpoints: its sizes and roots are not theirs.");
        Demand(from, to, proof.Path("path"), "entries");
        SayLog(old, now, report);
        report.ProvesCheckpoint();
        report.LeavesOpen("what the entries are: their hashes alone were looked at.");
        report.LeavesOpen(unnamed);
    }

    /// <summary>Two checkpoints must be of one log and epoch, the first not the larger, and equal where their sizes are.</summary>
    /// <exception cref="RefutedException">They are not.</exception>
    public static void DemandOneLog(Checkpoint old, Checkpoint now)
    {
        if (old.Origin != now.Origin)
        {
            throw new RefutedException(
                $"The checkpoints are of different logs, or epochs of one: {Printable.Quoted(old.Origin)} and {Printable.Quoted(now.Origin)}. Neither says anything about the other.");
        }

        if (old.Size > now.Size)
        {
            throw new RefutedException(
                $"The log went back: the older checkpoint has {Amount.Of(old.Size, "entry", "entries")}, the newer one {now.Size}. A log only grows; if you named them in the wrong order, turn them round.");
        }

        if (old.Size == now.Size && old.Root != now.Root)
        {
            throw new RefutedException(
                $"The log showed two histories: two checkpoints with {Amount.Of(old.Size, "entry", "entries")} have different roots, {old.Root} and {now.Root}. Keep both: where both are signed, they prove it.");
        }
    }

    public static void SayLog(Checkpoint old, Checkpoint now, Report report) => report.Proves(old.Size == now.Size
        ? $"The older checkpoint says the same: {Amount.Of(old.Size, "entry", "entries")} with the root {old.Root}."
        : $"The {Amount.Of(old.Size, "entry", "entries")} of the older checkpoint (root {old.Root}) are the first of the {now.Size} of the newer one, unchanged.");

    /// <exception cref="RefutedException">The path does not lead from one to the other.</exception>
    public static void Demand((ulong Size, Digest Root) from, (ulong Size, Digest Root) to, Digest[] path, string unit)
    {
        if (from.Size == 0)
            throw new RefutedException($"The proof begins at 0 {unit}: every history begins so, and it proves nothing.");
        if (from.Size > to.Size)
            throw new RefutedException($"The proof goes back, from {from.Size} {unit} to {to.Size}.");
        if (!MerkleProof.Extends(from.Size, to.Size, from.Root, to.Root, path))
            throw new RefutedException($"The consistency proof does not hold: the first {from.Size} {unit} of the newer history are not those of the older one, or the path is another one's.");
    }

    static (ulong Size, Digest Root) End(JsonObject proof, string name, Shape shape, Unnamed unnamed)
    {
        var end = proof.Object(name, shape, unnamed);
        return (end.Number(shape.Names[0]), end.Hash("root"));
    }

    static void DemandKnown(string name, (ulong Size, Digest Root) end, Digest? known)
    {
        if (known is { } root && root != end.Root)
            throw new RefutedException($"The proof has another root at `{name}`, version {end.Size}, than the one you know: {end.Root}, not {root}.");
    }
}
