using System.Text.Json;

namespace EventDbx.Backups;

/// <summary>How to read an archive.</summary>
public sealed record BackupReadOptions
{
    /// <summary>Opens the archive of a base, from its beginning; null: it is not at hand. The reader closes it.</summary>
    public Func<BackupBase, Stream?> Base { get; init; } = static _ => null;

    /// <summary>Looks at the manifest before anything else is read, or made; throws where this backup is not wanted.</summary>
    public Action<BackupManifest>? Accept { get; init; }

    /// <summary>Sync what is unpacked. False for whoever only looks at it and deletes it again.</summary>
    public bool Durable { get; init; } = true;

    /// <summary>Told how many bytes of the archive, and of each base from 0 again, are read.</summary>
    public IProgress<long>? Progress { get; init; }
}

/// <summary>An archive that was read whole, with every checksum right.</summary>
/// <param name="Manifest">What it says of itself.</param>
/// <param name="ManifestSha256">SHA-256 of that; 64 hex digits.</param>
/// <param name="Digests">SHA-256 of every file by its path, those in a base among them.</param>
public sealed record BackupOutline(BackupManifest Manifest, string ManifestSha256, IReadOnlyDictionary<string, string> Digests);

/// <summary>An archive that was unpacked.</summary>
/// <param name="Outline">What is in it.</param>
/// <param name="DataDirectory">The data directory, unpacked. It has no watermark: docs/backups.md.</param>
/// <param name="ConfigFile">The configuration; null where there is none in it.</param>
public sealed record BackupContents(BackupOutline Outline, string DataDirectory, string? ConfigFile)
{
    public BackupManifest Manifest => Outline.Manifest;
}

/// <summary>Reads archives, which anybody may have made: what is not exactly as <see cref="BackupWriter"/> writes it is refused, and leaves nothing behind.</summary>
public static class BackupReader
{
    /// <summary>Reads an archive whole and holds it against its checksums. Its bases are not looked at.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it is not as it was written; <see cref="RefusalCode.InvalidArgument"/>: it has another version, and had it when it was written.</exception>
    public static BackupOutline Read(Stream archive, BackupReadOptions options, CancellationToken cancellation) =>
        ReadFiles(archive, options.Progress, (manifest, _) => options.Accept?.Invoke(manifest), static (_, _) => null, cancellation);

    /// <summary>Reads the manifest alone, which proves nothing about the rest.</summary>
    /// <exception cref="RefusedException">There is none, or of another version.</exception>
    public static (BackupManifest Manifest, string Sha256) ReadManifest(Stream archive, CancellationToken cancellation)
    {
        using var input = new ArchiveInput(archive, null, cancellation);
        var bytes = ManifestOf(input);
        return (BackupManifest.Read(bytes), Hash32.Of(bytes).ToString());
    }

    /// <summary>Unpacks an archive, and what it needs of its bases, and holds all of it against the checksums.</summary>
    /// <param name="archive">From its beginning. It is not closed.</param>
    /// <param name="target">A directory that does not exist yet. It gets mode 0700, and is removed again where anything is wrong.</param>
    /// <param name="options">Where its bases are, and what to look at.</param>
    /// <param name="cancellation">Gives it up between buffers; nothing is left behind.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.IntegrityViolation"/>: it is not as it was written; <see cref="RefusalCode.InvalidArgument"/>: the target exists, another version, more than there is room for;
    /// <see cref="RefusalCode.NotFound"/>: a base is not at hand.
    /// </exception>
    /// <exception cref="IOException">It cannot be read, or the target not be written.</exception>
    public static BackupContents Unpack(Stream archive, string target, BackupReadOptions options, CancellationToken cancellation)
    {
        target = Path.GetFullPath(target);
        if (Path.Exists(target))
            throw new RefusedException(RefusalCode.InvalidArgument, $"\"{target}\" exists already; a backup is unpacked into a directory that does not.");
        var unpacking = new Unpacking(target, options, cancellation);
        try
        {
            var outline = unpacking.Run(archive);
            var config = Path.Combine(target, BackupPath.Config);
            return new(outline, Path.Combine(target, "data"), File.Exists(config) ? config : null);
        }
        catch
        {
            unpacking.Remove();
            throw;
        }
    }

    /// <summary>The one way through an archive.</summary>
    /// <param name="archive">The archive.</param>
    /// <param name="progress">Told bytes of it.</param>
    /// <param name="begin">Told manifest and its SHA-256 before a file is read.</param>
    /// <param name="open">Where a file goes, by its entry and its full set of bytes; null: it is only hashed. Closed with its digest.</param>
    /// <param name="cancellation">Gives it up.</param>
    internal static BackupOutline ReadFiles(
        Stream archive, IProgress<long>? progress, Action<BackupManifest, string> begin, Func<BackupManifest, BackupFile, UnpackedFile?> open, CancellationToken cancellation)
    {
        using var input = new ArchiveInput(archive, progress, cancellation);
        var bytes = ManifestOf(input);
        var sha256 = Hash32.Of(bytes).ToString();
        var manifest = ReadManifest(input, bytes, sha256);
        begin(manifest, sha256);
        var digests = new Dictionary<string, string>(StringComparer.Ordinal);
        List<BackupChecksum> found = [new(BackupPath.Manifest, bytes.Length, sha256)];
        foreach (var file in manifest.Files)
        {
            if (file.InBase)
            {
                digests.Add(file.Path, file.Sha256!);
                continue;
            }

            if (input.Next() is not var (name, size) || name != file.Path)
                throw Damage.Of($"{Damage.Quote(file.Path)} should follow, but does not");
            if (size != file.Size)
                throw Damage.Of($"{Damage.Quote(file.Path)} has {size} bytes, and its manifest says {file.Size}");
            using var target = open(manifest, file);
            var digest = input.Read(size, target?.Stream);
            target?.Finish(digest);
            digests.Add(file.Path, digest);
            found.Add(new(name, size, digest));
        }

        Compare(found, ReadChecksums(input));
        if (input.Next() is var (more, _))
            throw Damage.Of($"{Damage.Quote(more)} follows where it should end");
        return new(manifest, sha256, digests);
    }

    /// <summary>Another version is believed only where the end of the archive says that its manifest is the one that was written: every version begins with a manifest and ends with its checksums.</summary>
    static BackupManifest ReadManifest(ArchiveInput input, byte[] bytes, string sha256)
    {
        try
        {
            return BackupManifest.Read(bytes);
        }
        catch (RefusedException other) when (other.Refusal.Code == RefusalCode.InvalidArgument)
        {
            if (FindChecksums(input, other.Message) is not { } checksums)
            {
                // The form without checksums has none.
                if (JsonSerializer.Deserialize(bytes, BackupJson.Default.BackupVersion)!.Version <= BackupManifest.VersionWithoutChecksums)
                    throw;
                throw Damage.Of($"it has no checksums. {other.Message}");
            }

            if (checksums.Files is not [{ Path: BackupPath.Manifest } said, ..])
                throw Damage.Of($"its checksums do not begin with that of its manifest. {other.Message}");
            if (said.Sha256 != sha256)
                throw Damage.Of($"its manifest is not what was written: its SHA-256 is {sha256}, and {said.Sha256} was expected. {other.Message}");
            throw;
        }
    }

    static BackupChecksums? FindChecksums(ArchiveInput input, string version)
    {
        try
        {
            BackupChecksums? checksums = null;
            while (input.Next() is var (name, size))
            {
                if (name == BackupPath.Checksums && size is > 0 and <= Limits.BackupManifestBytesMax)
                    checksums = ParseChecksums(input.ReadSmall(size));
                else
                    _ = input.Read(size, target: null);
            }

            return checksums;
        }
        catch (RefusedException broken) when (broken.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            throw new RefusedException(RefusalCode.IntegrityViolation, $"{broken.Message} {version}");
        }
    }

    static byte[] ManifestOf(ArchiveInput input) =>
        input.Next() is (BackupPath.Manifest, > 0 and <= Limits.BackupManifestBytesMax and var size)
            ? input.ReadSmall(size)
            : throw Damage.Of("it does not begin with a manifest; it is no backup of EventDBX, or of an older version");

    static BackupChecksums ReadChecksums(ArchiveInput input)
    {
        if (input.Next() is not (BackupPath.Checksums, > 0 and <= Limits.BackupManifestBytesMax and var size))
            throw Damage.Of("it has no checksums: it was not written to its end, or something was put in");
        return ParseChecksums(input.ReadSmall(size));
    }

    static BackupChecksums ParseChecksums(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, BackupJson.Default.BackupChecksums) ?? throw Damage.Of("its checksums are empty");
        }
        catch (JsonException cause)
        {
            throw Damage.Of($"its checksums cannot be read ({cause.Message})");
        }
    }

    static void Compare(List<BackupChecksum> found, BackupChecksums said)
    {
        if (found.Count != said.Files.Count)
            throw Damage.Of($"it has {found.Count} files and checksums of {said.Files.Count}");
        for (var i = 0; i < found.Count; i++)
        {
            if (said.Files[i] is null)
                throw Damage.Of("its checksums have null for a file");
            if (found[i] != said.Files[i])
                throw Damage.Of($"{Damage.Quote(found[i].Path)} is not what was backed up: its SHA-256 is {found[i].Sha256}, and {(said.Files[i].Path == found[i].Path ? said.Files[i].Sha256 : "another file")} was expected");
        }
    }
}
