using System.Text.Json;
using System.Text.Json.Serialization;
using EventDbx.Backups;
using EventDbx.Storage;

namespace EventDbx.Server.Backups;

/// <summary>What is remembered of the last backup that came to its end: the file <c>last_backup.json</c> of the data directory.</summary>
/// <remarks>For people who ask how old it is, and for nothing else: it is no part of the log, is in no backup, and does not come along with a restore, for what was restored has not been backed up.</remarks>
public sealed record BackupRecord
{
    public const string FileName = "last_backup.json";

    /// <summary>In place of a path: it was handed out, to whoever asked a server for it or to standard output.</summary>
    public const string Streamed = "streamed";

    /// <summary>Bytes of one: a path, and numbers.</summary>
    const int BytesMax = 64 * 1024;

    public required Guid BackupId { get; init; }

    /// <summary>When it was begun; RFC 3339, UTC.</summary>
    public required string CreatedAt { get; init; }

    public required Guid DatabaseId { get; init; }

    public required uint Epoch { get; init; }

    /// <summary>Entries of the log that are in it: those at positions 1 to this one.</summary>
    public required ulong LogSize { get; init; }

    /// <summary>The backup that an incremental one refers to; null: it stands alone.</summary>
    public Guid? Base { get; init; }

    /// <summary>Whether whoever has it can read it: as in its manifest.</summary>
    public required string Keys { get; init; }

    /// <summary>The file that was made; or <see cref="Streamed"/>.</summary>
    public required string To { get; init; }

    /// <summary>Notes one that has come to its end, in the place of the one before it. The backup is good whether or not that succeeds.</summary>
    /// <param name="dataDirectory">The data directory, which is open here.</param>
    /// <param name="manifest">What it says of itself.</param>
    /// <param name="path">The file; null where it was handed out.</param>
    /// <returns>Why it could not be noted; null: it is.</returns>
    public static string? Write(string dataDirectory, BackupManifest manifest, string? path)
    {
        var record = new BackupRecord
        {
            BackupId = manifest.BackupId, CreatedAt = manifest.CreatedAt, DatabaseId = manifest.DatabaseId, Epoch = manifest.Epoch, LogSize = manifest.LogSize,
            Base = manifest.Base?.BackupId, Keys = manifest.Keys, To = path ?? Streamed,
        };
        try
        {
            DurableFile.Write(Path.Combine(dataDirectory, FileName), JsonSerializer.SerializeToUtf8Bytes(record, BackupRecordJson.Default.BackupRecord));
            return null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            return cause.Message;
        }
    }

    /// <summary>Reads it.</summary>
    /// <param name="dataDirectory">The data directory.</param>
    /// <param name="why">Why it cannot be read; null: it was, or there is none.</param>
    /// <returns>Null where there is none, or it cannot be read.</returns>
    public static BackupRecord? Find(string dataDirectory, out string? why)
    {
        why = null;
        try
        {
            return DurableFile.Read(Path.Combine(dataDirectory, FileName), BytesMax) is { } content ? JsonSerializer.Deserialize(content, BackupRecordJson.Default.BackupRecord) ?? throw new JsonException("it is null") : null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or JsonException)
        {
            why = cause.Message;
            return null;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, AllowDuplicateProperties = false)]
[JsonSerializable(typeof(BackupRecord))]
internal sealed partial class BackupRecordJson : JsonSerializerContext;
