namespace EventDbx.Backups;

/// <summary>What to back up, beyond the store itself.</summary>
public sealed record BackupRequest
{
    /// <summary>Product and version, for the manifest.</summary>
    public required string CreatedBy { get; init; }

    /// <summary>The configuration as it goes into the backup, read once the store has been copied; null: there is none. Told what must not stand in it.</summary>
    public Func<SecretTexts, BackupConfig?> ReadConfig { get; init; } = static _ => null;

    /// <summary>
    /// Why a file of the data directory is left out, as the end of a sentence; empty: it is nothing that anybody misses, and is not mentioned; null: it is taken.
    /// Asked with its path relative to the data directory, with <c>/</c>. What the engine keeps there for itself is not asked about, nor what is in no backup (keys that sign checkpoints or belong to TLS).
    /// </summary>
    public Func<string, string?> LeaveOut { get; init; } = static _ => null;

    /// <summary>False: no file of the data directory is taken that holds a data key and nothing else, whatever it is called, or in which a data key stands that this database works with, or one of <see cref="Secrets"/>.</summary>
    public bool Keys { get; init; } = true;

    /// <summary>Keys and secrets that no file may hold, where there are to be no keys. Asked when the backup is taken.</summary>
    public Func<IEnumerable<string>> Secrets { get; init; } = static () => [];

    /// <summary>What goes into the backup in the place of a file, which is read whole for it; null: the file. Asked with its path, as <see cref="LeaveOut"/> is.</summary>
    public Func<string, Func<byte[], BackupBlank>?> Blank { get; init; } = static _ => null;

    /// <summary>What else is left out, because it lies elsewhere.</summary>
    public IReadOnlyList<BackupOmission> LeftOut { get; init; } = [];

    /// <summary>An earlier backup of the same database: files that it has byte for byte are not written again. Null: all are.</summary>
    public BackupSince? Since { get; init; }

    /// <summary>Bytes that are free on the disk of a directory.</summary>
    internal Func<string, long> FreeBytes { get; init; } = static directory => new DriveInfo(directory).AvailableFreeSpace;
}

/// <summary>A configuration on its way into a backup.</summary>
/// <param name="Content">The file, without what is left out of it.</param>
/// <param name="Path">Where it lies.</param>
/// <param name="HasKeys">Whether what reads the store, and everything else that is secret, is still in it.</param>
public sealed record BackupConfig(byte[] Content, string Path, bool HasKeys)
{
    /// <summary>What was blanked in it beyond its settings, as in <see cref="BackupBlank"/>; null: nothing.</summary>
    public string? Blanked { get; init; }
}

/// <summary>A file without its secrets.</summary>
/// <param name="Content">What is taken; null: nothing is.</param>
/// <param name="Why">What was taken out, or why all of it was, as the reason of a <see cref="BackupOmission"/>; null: it is as it was.</param>
public sealed record BackupBlank(byte[]? Content, string? Why);
