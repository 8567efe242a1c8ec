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
            var keys = Named(Keys, signature);
            if (signature.Name != checkpoint.Origin || keys.Length == 0)
                continue;
            signer = keys.FirstOrDefault(key => key.Verifies(signature.Bytes, message))
                ?? throw new RefutedException($"{checkpoint.What} has a wrong signature of {Printable.Of(keys[0].Vkey)}: what stands there was not signed by that key.");
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
        report.Witnesses.AddRange(Cosigners(checkpoint));
        if (report.Witnesses.Count < Quorum)
        {
            report.Misses(string.Create(CultureInfo.InvariantCulture,
                $"{checkpoint.What.ToLowerInvariant()} has {report.Witnesses.Count} good cosignatures of the {Witnesses.Count} witnesses you trust, and {Quorum} are needed."));
        }
    }

    /// <summary>Which of the trusted witnesses cosigned it, each once, and when they first say so: seconds since 1970.</summary>
    /// <exception cref="RefutedException">A cosignature of one of them is wrong, whatever else stands there.</exception>
    public List<(string Name, ulong Time)> Cosigners(Checkpoint checkpoint)
    {
        var (seen, cosigners) = (new HashSet<VerifierKey>(), new List<(string, ulong)>());
        foreach (var signature in checkpoint.Note.Signatures)
        {
            var witnesses = Named(Witnesses, signature);
            if (witnesses.Length == 0)
                continue;
            ulong time = 0;
            var witness = witnesses.FirstOrDefault(known => TryCosignature(known, signature, checkpoint.Note.Signed, out time))
                ?? throw new RefutedException($"{checkpoint.What} has a wrong cosignature of the witness {Printable.Quoted(signature.Name)}.");
            if (seen.Add(witness))
                cosigners.Add((witness.Name, time));
        }

        return cosigners;
    }

    /// <summary>Whose a signature says it is. An id has four bytes only: several keys of one name may have it, and any of them may be the one.</summary>
    static VerifierKey[] Named(IReadOnlyList<VerifierKey> keys, Signature signature) =>
        [.. keys.Where(known => known.Name == signature.Name && known.Id == signature.KeyId)];

    static bool TryCosignature(VerifierKey witness, Signature signature, string signed, out ulong time)
    {
        time = signature.Bytes.Length >= 8 ? BinaryPrimitives.ReadUInt64BigEndian(signature.Bytes) : 0;
        return signature.Bytes.Length == 8 + 64 && time <= long.MaxValue
            && witness.Verifies(signature.Bytes[8..], Text.Utf8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {time}\n{signed}")));
    }
}
