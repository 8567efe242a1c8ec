using System.Security.Cryptography;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;
using EventDbx.Storage;

namespace EventDbx.Server.Witness;

/// <summary>What a witness remembers of one log: the newest checkpoint that it cosigned.</summary>
/// <remarks>
/// <code>
/// DIR/SHA-256(origin).checkpoint     the note with our cosignature; replaced whole, and on disk, before an answer says it
/// DIR/SHA-256(origin).fork           a checkpoint of a size that we had cosigned with another root: the log lied. The first one is kept.
/// </code>
/// Check and update are one step: one request at a time for each log.
/// </remarks>
internal sealed class WitnessedLog
{
    readonly Lock _gate = new();
    readonly IReadOnlyList<NoteKey> _keys;
    readonly SigningKey _key;
    readonly TimeProvider _clock;
    readonly string _file;
    (ulong Size, Hash32 Root) _latest;

    /// <param name="origin">Which log.</param>
    /// <param name="keys">Its keys; a good signature of one is enough.</param>
    /// <param name="directory">Where its file lies.</param>
    /// <param name="key">Ours.</param>
    /// <param name="clock">Dates cosignatures.</param>
    /// <exception cref="StoreRefusedException">There is a file, and it is not what we wrote.</exception>
    public WitnessedLog(string origin, IReadOnlyList<NoteKey> keys, string directory, SigningKey key, TimeProvider clock)
    {
        (Origin, _keys, _key, _clock) = (origin, keys, key, clock);
        _file = Path.Combine(directory, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(origin))));
        _latest = Load();
    }

    public string Origin { get; }

    /// <summary>Entries of the newest checkpoint that was cosigned; 0: none was.</summary>
    public ulong Size
    {
        get
        {
            lock (_gate)
                return _latest.Size;
        }
    }

    string CheckpointFile => _file + ".checkpoint";

    string ForkFile => _file + ".fork";

    /// <summary>Decides about a request for this log, in the order of the specification.</summary>
    /// <exception cref="IOException">It could not be kept, and so was not cosigned.</exception>
    public WitnessAnswer Add(WitnessRequest request)
    {
        if (!_keys.Any(key => key.GoodOf(request.Note) is not null))
            return WitnessAnswer.Refused(403, $"No signature under the checkpoint is a good one of a key that this witness trusts for {Origin}.");
        if (request.OldSize > request.Size)
            return WitnessAnswer.Refused(400, $"The old size, {request.OldSize}, is larger than that of the checkpoint, {request.Size}.");
        lock (_gate)
        {
            if (request.OldSize != _latest.Size)
                return WitnessAnswer.Conflict(_latest.Size);
            if (request.OldSize == request.Size && request.Size > 0 && request.Root != _latest.Root)
            {
                // The log signed both: whoever has the two can prove that it lied.
                KeepFork(request.Note);
                return WitnessAnswer.Conflict(_latest.Size);
            }

            if (!IsProven(request))
                return WitnessAnswer.Refused(422, $"The proof does not show that the log of {request.OldSize} entries is the beginning of the one of {request.Size}.");
            var cosignature = _key.Cosign(request.Note.Text, _clock.GetUtcNow());
            var kept = Encoding.UTF8.GetBytes(Kept(request.Note, cosignature).ToString());
            // Never a file that would not be read again: it would stop the next start, for every log.
            if (kept.Length > SignedNote.BytesMax)
                return WitnessAnswer.Refused(400, $"The checkpoint has {kept.Length} bytes with this witness's cosignature; at most {SignedNote.BytesMax} are kept. Leave extension lines out.");
            DurableFile.Write(CheckpointFile, kept);
            _latest = (request.Size, request.Root);
            return WitnessAnswer.Cosigned(cosignature);
        }
    }

    /// <summary>As proof, where there is room for it: a full disk does not change the answer.</summary>
    void KeepFork(SignedNote note)
    {
        try
        {
            _ = DurableFile.TryCreate(ForkFile, Encoding.UTF8.GetBytes(note.ToString()));
        }
        catch (Exception unkept) when (unkept is IOException or UnauthorizedAccessException)
        {
            // Nothing was cosigned, so nothing is lost but the proof; the log's next attempt brings it again.
        }
    }

    bool IsProven(WitnessRequest request)
    {
        if (request.Size == 0)
            return request.Proof.Count == 0 && request.Root == Hash32.Empty;
        // Any log extends the one that was not seen yet.
        return request.OldSize == 0
            ? request.Proof.Count == 0
            : MerkleProof.Extends(request.OldSize, request.Size, _latest.Root, request.Root, [.. request.Proof]);
    }

    /// <summary>The checkpoint with the signatures of its log, and ours; not with what else came along.</summary>
    SignedNote Kept(SignedNote note, NoteSignature cosignature) => SignedNote.Of(
        note.Text, [.. _keys.Select(key => key.GoodOf(note)).OfType<NoteSignature>(), cosignature]);

    (ulong Size, Hash32 Root) Load()
    {
        if (DurableFile.Read(CheckpointFile, SignedNote.BytesMax) is not { } content)
            return default;
        if (!SignedNote.TryParse(content, out var note) || !WitnessRequest.TryReadText(note.Text, out var origin, out var size, out var root) || origin != Origin)
            throw Refused($"it is not a checkpoint of {Origin}");
        if (_key.Public.GoodOf(note) is null)
            throw Refused($"the cosignature in it is not one of {_key.Public.Name} with the key in this directory: the file or the key was changed");
        return (size, root);
    }

    StoreRefusedException Refused(string why) => new(
        $"The witness was not started: {Path.GetFileName(CheckpointFile)} says what was cosigned last, and {why}. " +
        "Put the file back as it was. Without it the witness would cosign a history that contradicts what it said before.");
}
