using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventDbx.Backups;

/// <summary>What a backup says of itself: the first entry of the archive, <c>manifest.json</c>.</summary>
public sealed record BackupManifest
{
    /// <summary>The form of archive that is written and read here.</summary>
    public const int CurrentVersion = 2;

    /// <summary>A form of before, without checksums.</summary>
    internal const int VersionWithoutChecksums = 1;

    /// <summary>Form of the archive.</summary>
    public required int Version { get; init; }

    /// <summary>A name of this backup alone, by which an incremental one finds its base; a UUID.</summary>
    public required Guid BackupId { get; init; }

    /// <summary>When it was begun; RFC 3339, UTC.</summary>
    public required string CreatedAt { get; init; }

    /// <summary>Product and version that made it.</summary>
    public required string CreatedBy { get; init; }

    /// <summary>Format of the store in it (docs/storage-format.md).</summary>
    public required uint StorageFormat { get; init; }

    public required Guid DatabaseId { get; init; }

    public required uint Epoch { get; init; }

    /// <summary>Entries of its log, read from the backed-up store itself.</summary>
    public required ulong LogSize { get; init; }

    /// <summary>Root of the log tree over them; 64 hex digits.</summary>
    public required string LogRoot { get; init; }

    /// <summary>Whether the store is encrypted.</summary>
    public required bool Encrypted { get; init; }

    /// <summary><see cref="KeysIncluded"/> or <see cref="KeysLeftOut"/>: whether whoever has the archive can read what is in it.</summary>
    public required string Keys { get; init; }

    /// <summary><see cref="Leader"/> or <see cref="Mirror"/>.</summary>
    public required string Standing { get; init; }

    /// <summary>The data directory it was made from; null where that is not told.</summary>
    public string? DataDir { get; init; }

    /// <summary>Where the configuration lay; null where there was none.</summary>
    public string? ConfigPath { get; init; }

    /// <summary>What was wrong with the database when it was backed up, in a sentence; null: nothing that was known.</summary>
    public string? Unhealthy { get; init; }

    /// <summary>The backup that holds the files which are <see cref="BackupFile.InBase"/>; null: none is needed.</summary>
    public BackupBase? Base { get; init; }

    /// <summary>What lay in the data directory, or belongs to it, and is not in the backup.</summary>
    public required IReadOnlyList<BackupOmission> LeftOut { get; init; }

    /// <summary>Every file of the backup, in the order of the archive; those of a base among them.</summary>
    public required IReadOnlyList<BackupFile> Files { get; init; }

    public const string KeysIncluded = "included";

    public const string KeysLeftOut = "left_out";

    public const string Leader = "leader";

    public const string Mirror = "mirror";

    /// <summary>Bytes of all files, those of a base among them: what it takes on disk.</summary>
    [JsonIgnore]
    public long TotalBytes
    {
        get
        {
            var total = 0L;
            foreach (var file in Files)
                total = checked(total + file.Size);
            return total;
        }
    }

    internal byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, BackupJson.Default.BackupManifest);

    /// <summary>Reads one and holds it against every rule.</summary>
    /// <exception cref="RefusedException">It is of another version (<see cref="RefusalCode.InvalidArgument"/>), or no manifest (<see cref="RefusalCode.IntegrityViolation"/>).</exception>
    internal static BackupManifest Read(ReadOnlySpan<byte> json)
    {
        try
        {
            if (JsonSerializer.Deserialize(json, BackupJson.Default.BackupVersion) is not { Version: var version })
                throw Damage.Of("its manifest is no JSON object");
            if (version != CurrentVersion)
                throw new RefusedException(RefusalCode.InvalidArgument, $"The backup has version {version}, and this version of EventDBX reads backups of version {CurrentVersion}. Use the EventDBX that made it.");
            var manifest = JsonSerializer.Deserialize(json, BackupJson.Default.BackupManifest) ?? throw Damage.Of("its manifest is empty");
            manifest.Check();
            return manifest;
        }
        catch (JsonException cause)
        {
            throw Damage.Of($"its manifest cannot be read ({cause.Message})");
        }
    }

    void Check()
    {
        if (!Hash32.TryParse(LogRoot, out _))
            throw Damage.Of("its manifest has no root of the log");
        if (Keys is not (KeysIncluded or KeysLeftOut) || Standing is not (Leader or Mirror))
            throw Damage.Of("its manifest does not say whether it has keys, or whether it is of a leader");
        if (Base is { } before && (!Hash32.TryParse(before.ManifestSha256, out _) || !BackupPath.IsPlainName(before.File)))
            throw Damage.Of("its manifest does not name its base as one is named");
        foreach (var omission in LeftOut)
        {
            if (omission is null)
                throw Damage.Of("its manifest has null for what was left out");
        }

        BackupPath.CheckAll(Files, Base is not null);
    }
}

/// <summary>One file of a backup.</summary>
/// <param name="Path">Relative, with <c>/</c>: <c>data/…</c>, or <c>config.toml</c>.</param>
/// <param name="Size">In bytes.</param>
public sealed record BackupFile(string Path, long Size)
{
    /// <summary>Whether it is a program, and so gets mode 0700 instead of 0600.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Executable { get; init; }

    /// <summary>Its bytes are in the base, under the same path.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool InBase { get; init; }

    /// <summary>SHA-256 of its bytes, 64 hex digits, where they are in the base; null for those in this archive, whose digests are in <c>checksums.json</c>.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Sha256 { get; init; }
}

/// <summary>The backup that an incremental one was made against.</summary>
/// <param name="BackupId">Its id.</param>
/// <param name="File">The name of its file, without a directory, when the incremental one was made.</param>
/// <param name="LogSize">Entries of its log.</param>
/// <param name="LogRoot">Their root; 64 hex digits.</param>
/// <param name="ManifestSha256">SHA-256 of its manifest; 64 hex digits.</param>
public sealed record BackupBase(Guid BackupId, string File, ulong LogSize, string LogRoot, string ManifestSha256)
{
    /// <summary>The backups that it stands on itself, its own base first; null: on none, or not told, as far as archives of before go.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<Guid>? StandsOn { get; init; }

    /// <summary>How many backups are needed beside one that was made against it.</summary>
    [JsonIgnore]
    public int Depth => 1 + (StandsOn?.Count ?? 0);

    /// <summary>Whether it is a backup, or stands on it.</summary>
    public bool Needs(Guid backup) => BackupId == backup || StandsOn?.Contains(backup) == true;
}

/// <summary>Something that is not in a backup.</summary>
/// <param name="Path">Its name in the data directory, a path elsewhere, or the name of a setting.</param>
/// <param name="Reason">Why, as the end of a sentence.</param>
public sealed record BackupOmission(string Path, string Reason)
{
    /// <summary>Begins the reason where the file itself is in the backup, with something blank.</summary>
    public const string BlankedBegins = "blanked: ";

    /// <summary>Whether it is in the backup, and only something of it is not.</summary>
    [JsonIgnore]
    public bool IsBlanked => Reason.StartsWith(BlankedBegins, StringComparison.Ordinal);
}

/// <summary>The last entry of an archive, <c>checksums.json</c>: without it the archive is not whole.</summary>
/// <param name="Files">Every entry before it, the manifest first.</param>
internal sealed record BackupChecksums(IReadOnlyList<BackupChecksum> Files);

/// <param name="Path">Of the entry.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">64 hex digits.</param>
internal sealed record BackupChecksum(string Path, long Size, string Sha256);

internal sealed record BackupVersion(int Version);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(BackupManifest))]
[JsonSerializable(typeof(BackupChecksums))]
[JsonSerializable(typeof(BackupVersion))]
internal sealed partial class BackupJson : JsonSerializerContext;
