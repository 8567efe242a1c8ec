using System.Buffers.Binary;
using System.Globalization;

namespace EventDbx.Verifier.Notes;

/// <summary>Whom the caller trusts: keys of logs, keys of witnesses, and how many of these must have signed.</summary>
internal sealed record Trust(IReadOnlyList<VerifierKey> Keys, IReadOnlyList<VerifierKey> Witnesses, int Quorum)
{
    /// <summary>Nobody.</summary>
    public static Trust None { get; } = new([], [], 0);

    /// <summary>Whether a key was given for this log.</summary>
    public bool Knows(string origin) => Keys.Any(key => key.Name == origin);

    /// <summary>Checks who signed a checkpoint, and says so in the report.</summary>
    /// <exception cref="RefutedException">Keys are trusted, and none of them signed it; or a signature of a trusted key is wrong.</exception>
    public void Judge(Checkpoint checkpoint, Report report)
    {
        JudgeLog(checkpoint, report);
        if (Witnesses.Count > 0)
            JudgeWitnesses(checkpoint, report);
    }

    /// <summary>The same for the signature of the log alone: an older checkpoint may come from a time without witnesses.</summary>
    /// <exception cref="RefutedException">Keys are trusted, and none of them signed it; or a signature of a trusted key is wrong.</exception>
    public void JudgeLog(Checkpoint checkpoint, Report report)
    {
        // A key vouches for the log whose name it has, and for no other.
        if (Keys.Count == 0)
            report.Misses($"nobody vouches for {checkpoint.What.ToLowerInvariant()}: give the key of its log with --key.");
        else if (!Knows(checkpoint.Origin))
            throw new RefutedException(OfAnotherLog(checkpoint));
        else
            JudgeKey(checkpoint, report);
    }

    void JudgeKey(Checkpoint checkpoint, Report report)
    {
        VerifierKey? signer = null;
        var message = Text.Utf8.GetBytes(checkpoint.Note.Signed);
        foreach (var signature in checkpoint.Note.Signatures)
        {
            var key = Keys.FirstOrDefault(known => known.Name == checkpoint.Origin && known.Name == signature.Name && known.Id == signature.KeyId);
            if (key is null)
                continue;
            if (!key.Verifies(signature.Bytes, message))
                throw new RefutedException($"{checkpoint.What} has a wrong signature of {Printable.Of(key.Vkey)}: what stands there was not signed by that key.");
            signer = key;
        }

        if (signer is null)
            throw new RefutedException($"{checkpoint.What} has no signature of a key that you trust.");
        report.Key = signer.Vkey;
    }

    string OfAnotherLog(Checkpoint checkpoint)
    {
        var text = $"{checkpoint.What} is of the log {Printable.Quoted(checkpoint.Origin)}; the key you trust is of {Printable.Quoted(Keys[0].Name)}.";
        // The same key under another epoch is another vkey: trust in it is for people to give.
        var isEpoch = Keys.Any(key => checkpoint.Origin.StartsWith(key.Name + "/e", StringComparison.Ordinal));
        return isEpoch ? text + " The log began a new epoch; ask its owner for the key of this epoch, and why." : text;
    }

    void JudgeWitnesses(Checkpoint checkpoint, Report report)
    {
        var seen = new HashSet<VerifierKey>();
        foreach (var signature in checkpoint.Note.Signatures)
        {
            var witness = Witnesses.FirstOrDefault(known => known.Name == signature.Name && known.Id == signature.KeyId);
            if (witness is null || seen.Contains(witness))
                continue;
            if (!TryCosignature(witness, signature, checkpoint.Note.Signed, out var time))
                throw new RefutedException($"{checkpoint.What} has a wrong cosignature of the witness {Printable.Quoted(witness.Name)}.");
            seen.Add(witness);
            report.Witnesses.Add((witness.Name, time));
        }

        if (seen.Count < Quorum)
        {
            report.Misses(string.Create(CultureInfo.InvariantCulture,
                $"{checkpoint.What.ToLowerInvariant()} has {seen.Count} good cosignatures of the {Witnesses.Count} witnesses you trust, and {Quorum} are needed."));
        }
    }

    static bool TryCosignature(VerifierKey witness, Signature signature, string signed, out ulong time)
    {
        time = signature.Bytes.Length >= 8 ? BinaryPrimitives.ReadUInt64BigEndian(signature.Bytes) : 0;
        return signature.Bytes.Length == 8 + 64 && time <= long.MaxValue
            && witness.Verifies(signature.Bytes[8..], Text.Utf8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {time}\n{signed}")));
    }
}
