using EventDbx.Checkpoints;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Cli.Commands.Log;

/// <summary><c>dbx log …</c>: what the log says about itself to those outside.</summary>
internal static class LogCommand
{
    static readonly Option<bool> Wait = Options.Switch("--wait", "Sign one now that covers everything there is; a running server waits for its quorum of witnesses, too.");

    static readonly Option<long?> From = Options.WholeNumber("--from", "Entries of the older checkpoint.", min: 1);
    static readonly Option<long?> To = Options.WholeNumber("--to", "Entries of the newer one (default: the newest there is).", min: 1);

    public static Noun Create() => new(
        "log",
        "Checkpoints of the log: signed statements of its size and root, and proofs that it only grew.",
        CreateCheckpoint(),
        CreateKey(),
        CreateConsistency(),
        LogAnchor.Create(),
        LogMirror.Create());

    static Verb CreateCheckpoint() => new("checkpoint", "Print the newest checkpoint, a signed note.")
    {
        Remarks =
        [
            "A checkpoint says: this log had so many entries, with this root. Keep one elsewhere, and no history can be held against it that is " +
            "not a continuation. A running server signs one a second while the log grows; without a server it is signed now. The first one that a log signs makes its key.",
        ],
        Examples =
        [
            new("dbx log checkpoint > then.checkpoint", "Keep it."),
            new("dbx log checkpoint --wait --json", "One of everything there is, in parts."),
        ],
        Options = { Wait, AccessToken.Option },
        Run = (call, cancellation) => RunAsync(call, async store =>
        {
            var note = await store.GetCheckpointAsync(call.Get(Wait), cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(call.Json ? Json(note) : note.ToString()).ConfigureAwait(false);
        }, cancellation),
    };

    static Verb CreateKey() => new("key", "Print the key that checkpoints are signed with, for those who check them.")
    {
        Remarks =
        [
            "Give it to auditors and witnesses on another way than the proofs. The private half is checkpoint.key in the data directory: whoever " +
            "has it can sign any history. A backup of it belongs in other hands than one of the data. The first checkpoint makes it; this never does.",
        ],
        Examples = [new("dbx log key", "As a vkey: name, id, key.")],
        Options = { AccessToken.Option },
        Run = (call, cancellation) => RunAsync(call, async store =>
        {
            var key = await store.GetLogKeyAsync(cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(call.Json ? new JsonText().BeginObject().Member("key", key).EndObject().ToString() : key + "\n").ConfigureAwait(false);
        }, cancellation),
    };

    static Verb CreateConsistency() => new("consistency", "Prove that the log of one checkpoint continues that of another.")
    {
        Remarks = ["The proof is for `dbx-verify consistency`, together with both checkpoints."],
        Examples =
        [
            new("dbx log consistency --from 41 --to 90 > proof.json", "Between two checkpoints."),
            new("dbx log consistency --from 41", "To the newest."),
        ],
        Options = { From, To, AccessToken.Option },
        Check = call =>
        {
            if (call.Get(From) is null)
                throw new UsageException($"since when? `{From.Name} N` is the size of the older checkpoint, its second line.");
        },
        Run = (call, cancellation) => RunAsync(call, async store =>
        {
            var to = call.Get(To) is { } size ? (ulong)size : CheckpointOf(await store.GetCheckpointAsync(wait: false, cancellation).ConfigureAwait(false)).Size;
            var proof = await store.ProveLogAsync((ulong)call.Get(From)!.Value, to, cancellation).ConfigureAwait(false);
            await ProofOutput.WriteAsync(call, proof, path: null).ConfigureAwait(false);
        }, cancellation),
    };

    /// <summary>Runs on a store that is there: where there is none, there is no log.</summary>
    public static Task<ExitCode> RunAsync(Call call, Func<IStore, Task> act, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            await act(store).ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () => throw new RefusedException(RefusalCode.NotFound, "There is no log: there is no store yet."),
        cancellation);

    /// <summary>What a checkpoint of ours says.</summary>
    public static Checkpoint CheckpointOf(SignedNote note) =>
        Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint : throw new FormatException("The answer is no checkpoint.");

    static string Json(SignedNote note)
    {
        var checkpoint = CheckpointOf(note);
        return new JsonText().BeginObject()
            .Member("origin", checkpoint.Origin)
            .Member("size", checkpoint.Size)
            .Member("root", checkpoint.Root.ToString())
            .Member("cosignatures", (long)note.Signatures.Count(signature => signature.KeyName != checkpoint.Origin))
            .Member("note", note.ToString())
            .EndObject().ToString();
    }
}
