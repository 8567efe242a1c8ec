using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Cli.Commands.Log;

/// <summary>Holds checkpoints that were kept against the log as it is now.</summary>
/// <param name="store">The log.</param>
/// <param name="key">Its key now.</param>
/// <param name="now">Its newest checkpoint.</param>
internal sealed class LogHistory(IStore store, NoteKey key, Checkpoint now)
{
    /// <summary>Asks for the newest checkpoint, of everything there is, and checks its signature.</summary>
    public static async Task<(SignedNote Note, LogHistory History)> OfNowAsync(IStore store, CancellationToken cancellation)
    {
        var note = await store.GetCheckpointAsync(wait: true, cancellation).ConfigureAwait(false);
        var vkey = await store.GetLogKeyAsync(cancellation).ConfigureAwait(false);
        if (!NoteKey.TryParse(vkey, out var key, out var why))
            throw new FormatException($"The key of the log, {vkey}, cannot be read: {why}.");
        if (key.GoodOf(note) is null)
            throw Difference($"the newest checkpoint is not signed with the key of the log, {vkey}");
        return (note, new(store, key, LogCommand.CheckpointOf(note)));
    }

    public Checkpoint Now => now;

    /// <summary>A kept checkpoint of this log; null where the file is one of another log or epoch.</summary>
    /// <param name="file">Named in messages.</param>
    /// <param name="content">Of the file.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it is no checkpoint.</exception>
    public Checkpoint? Read(string file, ReadOnlySpan<byte> content)
    {
        if (!SignedNote.TryParse(content, out var note) || !Checkpoint.TryParse(note.Text, out var kept))
            throw Difference($"{file} is not a checkpoint: it was changed, or never was one");
        if (kept.Origin != now.Origin)
            return null;
        return key.GoodOf(note) is not null ? kept : throw Difference($"{file} is not signed with the key of the log: the file was changed, or the key was");
    }

    /// <summary>Checks that the log now continues what it was at a kept checkpoint.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it does not.</exception>
    public async Task DemandContinuesAsync(string file, Checkpoint kept, CancellationToken cancellation)
    {
        if (kept.Size > now.Size)
            throw Difference(FormattableString.Invariant($"{file} is of {kept.Size} entries, and the log has {now.Size} now: entries that were signed are gone"));
        if (kept.Size == now.Size && kept.Root != now.Root)
            throw Difference(FormattableString.Invariant($"{file} is of {kept.Size} entries with root {kept.Root}, and the log of as many entries has root {now.Root} now"));
        if (kept.Size == now.Size || kept.Size == 0)
            return;
        var proof = await store.ProveLogAsync(kept.Size, now.Size, cancellation).ConfigureAwait(false);
        if (!MerkleProof.Extends(kept.Size, now.Size, kept.Root, now.Root, PathOf(proof)))
            throw Difference(FormattableString.Invariant($"the log of {now.Size} entries does not continue the one of {kept.Size} entries and root {kept.Root} in {file}"));
    }

    /// <summary>What was found, for exit code 3.</summary>
    public static RefusedException Difference(string what) => new(RefusalCode.IntegrityViolation, $"The log is not what was signed: {what}. Nothing was written.");

    static Hash32[] PathOf(ReadOnlyMemory<byte> proof)
    {
        using var json = JsonDocument.Parse(proof);
        return [.. ProofJson.ReadLogConsistency(json.RootElement).Path];
    }
}
