using EventDbx.Server.Daemon;

namespace EventDbx.Server.Backups;

/// <summary>Archives as files: encrypted or not, and whether they are.</summary>
public static class BackupFiles
{
    /// <summary>A stream that encrypts to a passphrase what is written to it; <see cref="Finish"/> ends it.</summary>
    /// <param name="output">Where to. It is not closed.</param>
    /// <param name="passphrase">Whoever has it can read it.</param>
    public static Stream Encrypt(Stream output, string passphrase) => new AgeWriter(output, passphrase);

    /// <summary>Ends what <see cref="Encrypt"/> has begun.</summary>
    public static void Finish(Stream encrypting) => ((AgeWriter)encrypting).Finish();

    /// <summary>Opens an archive from its beginning.</summary>
    /// <param name="path">The file.</param>
    /// <param name="passphrase">Asked for where it is encrypted; null: there is none.</param>
    /// <exception cref="RefusedException">It is encrypted, and there is no passphrase or another one; or its beginning was changed.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static Stream Open(string path, Func<string?> passphrase)
    {
        // Buffered: a header is read byte by byte.
        var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 64 * 1024, FileOptions.SequentialScan);
        try
        {
            if (!IsEncrypted(file))
                return file;
            return new AgeReader(file, passphrase() ?? throw new RefusedException(
                RefusalCode.InvalidArgument, $"{path} is encrypted to a passphrase. Give it: `--passphrase -`, `--passphrase @FILE`, or EVENTDBX_BACKUP_PASSPHRASE."));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether a path leads to something that a file must not take the place of: a device, a pipe, a socket.</summary>
    public static bool IsSpecial(string path)
    {
        if (OperatingSystem.IsWindows() || !Path.Exists(path) || Directory.Exists(path))
            return false;
        // Where the system does not tell, by where devices are.
        return !(Posix.IsRegularFile(path) ?? !path.StartsWith("/dev/", StringComparison.Ordinal));
    }

    /// <summary>Whether a file begins as an encrypted one does. It is read from its beginning afterwards.</summary>
    public static bool IsEncrypted(FileStream file)
    {
        Span<byte> start = stackalloc byte[32];
        var read = file.ReadAtLeast(start, AgeHeader.Beginning.Length, throwOnEndOfStream: false);
        file.Position = 0;
        return start[..read].StartsWith(AgeHeader.Beginning);
    }
}
