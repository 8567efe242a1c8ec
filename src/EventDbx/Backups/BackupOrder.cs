using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventDbx.Backups;

/// <summary>An earlier backup of the same database, as the one to refer to.</summary>
/// <param name="DatabaseId">Of which database it is.</param>
/// <param name="Base">What the manifest of the later one says of it.</param>
/// <param name="Files">Every file that it has, or that a base of it has, each with its <see cref="BackupFile.Sha256"/>.</param>
public sealed record BackupSince(Guid DatabaseId, BackupBase Base, IReadOnlyList<BackupFile> Files)
{
    /// <summary>What is known of one that was read whole.</summary>
    /// <param name="outline">It.</param>
    /// <param name="file">The name of its file, without a directory.</param>
    public static BackupSince Of(BackupOutline outline, string file)
    {
        var manifest = outline.Manifest;
        var files = new BackupFile[manifest.Files.Count];
        for (var i = 0; i < files.Length; i++)
            files[i] = new(manifest.Files[i].Path, manifest.Files[i].Size) { Sha256 = outline.Digests[manifest.Files[i].Path] };
        var standsOn = manifest.Base is { } below ? new[] { below.BackupId }.Concat(below.StandsOn ?? []).ToArray() : null;
        return new(manifest.DatabaseId, new(manifest.BackupId, file, manifest.LogSize, manifest.LogRoot, outline.ManifestSha256) { StandsOn = standsOn }, files);
    }
}

/// <summary>What a caller asks for: the body of <c>POST /admin/backup</c>.</summary>
public sealed record BackupOrder
{
    /// <summary>False: what reads the store, and every other secret of the configuration, stays out.</summary>
    public bool Keys { get; init; } = true;

    /// <summary>The backup to refer to; null: the new one stands alone.</summary>
    public BackupSince? Since { get; init; }

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, BackupOrderJson.Default.BackupOrder);

    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: it is none.</exception>
    public static BackupOrder Read(ReadOnlySpan<byte> json)
    {
        try
        {
            var order = JsonSerializer.Deserialize(json, BackupOrderJson.Default.BackupOrder) ?? throw Refused("it is null");
            if (order.Since is { } since)
                Check(since);
            return order;
        }
        catch (JsonException cause)
        {
            throw Refused(cause.Message);
        }
    }

    static void Check(BackupSince since)
    {
        if (!BackupPath.IsPlainName(since.Base.File) || !Hash32.TryParse(since.Base.ManifestSha256, out _) || !Hash32.TryParse(since.Base.LogRoot, out _))
            throw Refused("`since.base` does not name a backup: a file without a directory, and hashes of 64 hex digits");
        foreach (var file in since.Files)
        {
            if (file is null)
                throw Refused("`since.files` has null for a file");
            if (!BackupPath.IsAllowed(file.Path) || file.Size < 0 || !Hash32.TryParse(file.Sha256, out _))
                throw Refused($"`since.files` has {Damage.Quote(file.Path)}, which is no file of a backup with its size and SHA-256");
        }
    }

    static RefusedException Refused(string why) => new(
        RefusalCode.InvalidArgument, $"The request for a backup is none: {why}. It takes `{{\"keys\":true}}`, and `since` as docs/backups.md has it.");
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    AllowDuplicateProperties = false, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BackupOrder))]
internal sealed partial class BackupOrderJson : JsonSerializerContext;
