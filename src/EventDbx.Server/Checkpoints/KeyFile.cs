using EventDbx.Storage;

namespace EventDbx.Server.Checkpoints;

/// <summary>The file of a <see cref="SigningKey"/>: for its owner only, made when it is first needed, never written over.</summary>
/// <remarks>
/// A file of its own beside the store, not one of its documents: those are sealed with the data key, and who holds that key could
/// then sign whatever history they make. Nor does it travel with a copy of the store's directory <c>event_store</c>.
/// </remarks>
public static class KeyFile
{
    /// <summary>Of a log, in its data directory.</summary>
    public const string LogFileName = "checkpoint.key";

    /// <summary>Bytes of a key file: a name at its limit, the secret, and room to say what is wrong with more.</summary>
    const int BytesMax = 4096;

    const UnixFileMode OthersMay = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>The key of the log in a data directory. It is made, and on disk, where there is none.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: the file is none, or others may read it.</exception>
    /// <exception cref="IOException">It cannot be read or written.</exception>
    public static SigningKey OfLog(string dataDirectory) =>
        ReadOrCreate(Path.Combine(dataDirectory, LogFileName), NoteAlgorithm.Signature, () => SigningKey.LogName);

    /// <summary>The key of the log in a data directory, as it is there.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: there is none, the file is none, or others may read it.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SigningKey OfLogThatHasSigned(string dataDirectory)
    {
        var path = Path.Combine(dataDirectory, LogFileName);
        return Path.Exists(path) ? Read(path, NoteAlgorithm.Signature) : throw Refused(
            $"The key file {LogFileName} is not in the data directory. Where checkpoints were signed, put back the file that signed them: a copy or backup of the " +
            "store does not have it, and no other key is made in its place. Where none was signed yet, the first one makes it: `dbx log checkpoint`.");
    }

    /// <summary>The key in a file. It is made, and on disk, where there is none.</summary>
    /// <param name="path">The file, in a directory that exists.</param>
    /// <param name="algorithm">What the key is for; one for something else is refused.</param>
    /// <param name="newName">The name of a key that is made.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: the file is none, or others may read it.</exception>
    /// <exception cref="IOException">It cannot be read or written.</exception>
    public static SigningKey ReadOrCreate(string path, NoteAlgorithm algorithm, Func<string> newName)
    {
        // Where somebody else is first, theirs is the key.
        if (!Path.Exists(path))
            _ = DurableFile.TryCreate(path, Encoding.UTF8.GetBytes(SigningKey.NewText(newName(), algorithm)));
        return Read(path, algorithm);
    }

    static SigningKey Read(string path, NoteAlgorithm algorithm)
    {
        var name = Path.GetFileName(path);
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & OthersMay) != 0)
            throw Refused($"The key file {name} may be read or written by others than its owner, so it proves nothing about who signed: `chmod 600 {name}` in its directory, if nobody else has used it.");
        byte[]? content;
        try
        {
            content = DurableFile.Read(path, BytesMax);
        }
        catch (UnauthorizedAccessException)
        {
            throw Refused($"The key file {name} may not be read by this user.");
        }

        return SigningKey.Parse(Encoding.UTF8.GetString(content ?? []), algorithm)
            ?? throw Refused(
                $"The key file {name} does not hold what it should: one line `PRIVATE+KEY+NAME+ID+BASE64` with the {NoteKey.KeyBytes} bytes of an Ed25519 key for " +
                $"{(algorithm == NoteAlgorithm.Signature ? "signatures (01)" : "cosignatures (04)")}. Put the right file back. A new key is made only where there is no file, and nobody who trusts the old one will trust it.");
    }

    static RefusedException Refused(string message) => new(new Refusal(RefusalCode.Unavailable, message) { Final = true });
}
