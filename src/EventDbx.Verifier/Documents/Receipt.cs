namespace EventDbx.Verifier.Documents;

/// <summary>One event, its place in its aggregate and in the log: docs/proofs.md, section 2.</summary>
internal static class Receipt
{
    static readonly Shape Members = new("format", "record", "prev_root", "aggregate_proof", "log_proof");
    static readonly Shape ProofMembers = new("size", "root", "path");

    /// <exception cref="RefutedException">It does not hold.</exception>
    public static void Check(ReadOnlyMemory<byte> json, Trust trust, Report report)
    {
        var unnamed = new Unnamed();
        var receipt = JsonObject.Parse(json, "The receipt", Members, unnamed);
        receipt.Demand("eventdbx-receipt/1");
        var record = EventRecord.Read(receipt, "The record", unnamed);
        var prevRoot = receipt.Hash("prev_root");
        var proof = receipt.Object("aggregate_proof", ProofMembers, unnamed);
        var (size, root, path) = (proof.Number("size"), proof.Hash("root"), proof.Path("path"));
        var log = TlogProof.Parse(receipt.Utf8("log_proof").Span, "The log proof");

        DemandLeaf(record, prevRoot);
        DemandAggregate(record, prevRoot, size, root, path);
        if (record.Position - 1 != log.Index)
            throw new RefutedException($"The record says position {record.Position}, and the log proof is about position {log.Index + 1UL}.");
        log.Demand(record.Hash);

        report.Checkpoint = log.Checkpoint;
        report.Event = (Text.Utf8.GetString(record.Type.Span), Text.Utf8.GetString(record.Id.Span), record.Version, record.Position);
        report.Events = 1;
        trust.Judge(log.Checkpoint, report);
        Say(record, prevRoot, size, root, report);
        if (log.HasExtra)
            report.LeavesOpen("what stands in the line `extra` of the log proof.");
        report.LeavesOpen(unnamed);
    }

    /// <summary>A log proof alone, about a leaf hash that the caller knows.</summary>
    /// <exception cref="RefutedException">It does not hold.</exception>
    public static void CheckLeaf(ReadOnlyMemory<byte> utf8, Digest leaf, Trust trust, Report report)
    {
        var log = TlogProof.Parse(utf8.Span, "The log proof");
        log.Demand(leaf);
        report.Checkpoint = log.Checkpoint;
        trust.Judge(log.Checkpoint, report);
        report.Proves($"The entry with the hash {leaf} stands at position {log.Index + 1} of the log.");
        report.ProvesCheckpoint();
        report.LeavesOpen("what the entry is: of it only the hash was looked at.");
        if (log.HasExtra)
            report.LeavesOpen("what stands in the line `extra` of the log proof.");
    }

    static void DemandLeaf(EventRecord record, Digest prevRoot)
    {
        var leaf = record.LeafHash(prevRoot);
        if (leaf != record.Hash)
        {
            throw new RefutedException(
                $"The record is not the event with the hash it shows: its content has the hash {leaf}, and it shows {record.Hash}. Something in it was changed.");
        }
    }

    static void DemandAggregate(EventRecord record, Digest prevRoot, ulong size, Digest root, Digest[] path)
    {
        if (record.Version > size)
            throw new RefutedException($"The aggregate proof is about {Amount.Of(size, "event", "events")}, and the record is version {record.Version}.");
        if (!MerkleProof.TryClimb(record.Version - 1, size, record.Hash, path, out var climb) || climb.Root != root)
            throw new RefutedException($"The aggregate proof does not hold: the event is not version {record.Version} of an aggregate with the root {root}.");
        if (climb.Before != prevRoot)
            throw new RefutedException("The aggregate proof does not hold: its path gives another root before this event than `prev_root`.");
        if (climb.With != record.MerkleRoot)
            throw new RefutedException("The aggregate proof does not hold: its path gives another root with this event than `merkle_root`.");
    }

    static void Say(EventRecord record, Digest prevRoot, ulong size, Digest root, Report report)
    {
        var who = record.IssuedBy is { } actor ? $"issued by {actor}" : "issued by nobody named";
        report.Proves($"The event {Printable.Quoted(record.EventType)} ({record.EventIdText}, {record.CreatedAtText}, {who}) is, to the byte, in the log, and says that it is {record.Named}.");
        report.Proves($"It stands at position {record.Position} of the log.");
        // What the event says: a log that begins an aggregate twice has two events that say so, and each proves itself.
        report.Proves(record.Version switch
        {
            1 => "It says of itself that it is the first event of this aggregate.",
            2 => $"It says of itself that one event came before it, and this can be no other than the one with the root {prevRoot}.",
            var version => $"It says of itself that {version - 1} events came before it, and these can be no others than those with the root {prevRoot}.",
        });
        report.Proves($"With it this history of the aggregate had the root {record.MerkleRoot}.");
        report.ProvesCheckpoint();
        report.LeavesOpen($"that the log holds no other history under the name {Printable.Quoted(record.Type)} {Printable.Quoted(record.Id)}.");
        report.LeavesOpen($"that no later version of {Printable.Quoted(record.Type)} {Printable.Quoted(record.Id)} exists.");
        if (size != record.Version)
            report.LeavesOpen($"that {root} is the root of this aggregate, or that it is so at version {size}: hold both against what you know.");
        report.LeavesOpen("that the time of the event is right: the clock was the server's, or its client's.");
    }
}
