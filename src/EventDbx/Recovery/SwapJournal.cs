using System.Text.Json;
using System.Text.Json.Serialization;

namespace EventDbx.Recovery;

/// <summary>The file <c>event_store.swap</c>: which pieces of a data directory are exchanged. Once it is there, they are.</summary>
/// <param name="Format"><see cref="CurrentFormat"/>.</param>
/// <param name="Cause">Why: <see cref="Restore"/> or <see cref="Rebuild"/>.</param>
/// <param name="Aside">Name of the folder that the old pieces go to.</param>
/// <param name="KeepAside">Whether that folder stays once the new store has opened.</param>
/// <param name="Pieces">Names in the data directory that what is staged takes.</param>
/// <param name="Replaced">Those of them that an old piece had.</param>
/// <param name="Removed">Names of old pieces that nothing takes the place of.</param>
/// <param name="Config">Where the staged configuration goes: relative to the data directory, or, where it is not in it, absolute; null: there is none.</param>
/// <param name="DatabaseId">Of the store that is staged: only when that one has opened are old pieces deleted.</param>
/// <param name="Epoch">The same.</param>
internal sealed record SwapJournal(
    string Format, string Cause, string Aside, bool KeepAside, string[] Pieces, string[] Replaced, string[] Removed, string? Config, Guid DatabaseId, uint Epoch)
{
    public const string CurrentFormat = "eventdbx-swap/1";

    public const string Restore = "restore";

    public const string Rebuild = "rebuild";

    /// <summary>Bytes of a journal: a few dozen names.</summary>
    const int BytesMax = 1024 * 1024;

    /// <summary>Whether every piece is in its place, and only what is left over waits to be deleted.</summary>
    [JsonIgnore]
    public bool IsDone => Pieces.Length == 0 && Removed.Length == 0 && Config is null;

    public void Write(string path) => DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(this, SwapJournalJson.Default.SwapJournal));

    /// <summary>Reads it; null where there is none.</summary>
    /// <exception cref="StoreRefusedException">There is one that cannot be read: which pieces are old and which new is not known.</exception>
    public static SwapJournal? Find(string path)
    {
        if (DurableFile.Read(path, BytesMax) is not { } content)
            return null;
        try
        {
            if (JsonSerializer.Deserialize(content, SwapJournalJson.Default.SwapJournal) is { Format: CurrentFormat, Cause: not null, Pieces: not null, Replaced: not null, Removed: not null } read
                && Array.TrueForAll([read.Aside, .. read.Pieces, .. read.Replaced, .. read.Removed], IsName) && read.Aside.StartsWith(DirectorySwap.AsidePrefix, StringComparison.Ordinal) && read.Config is null or { Length: > 0 })
                return read;
        }
        catch (JsonException)
        {
            // Below, with what it means.
        }

        throw new StoreRefusedException(
            $"The file {path} says which pieces of the data directory are being exchanged, and cannot be read. Nothing was changed. What is new lies in `event_store.staged`, what is old in `event_store.before-…`.");
    }

    /// <summary>A name of something directly in the data directory.</summary>
    public static bool IsName(string? name) => name is { Length: > 0 and <= 255 } && name is not ("." or "..") && name.AsSpan().IndexOfAny('/', '\\', '\0') < 0;
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SwapJournal))]
internal sealed partial class SwapJournalJson : JsonSerializerContext;
