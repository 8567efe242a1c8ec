using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace EventDbx.Storage;

/// <summary>The seal of a clean stop: what every file of the store was when it was closed.</summary>
/// <remarks>
/// <code>
/// eventdbx store inventory 1
/// whole SIZE SHA-256 NAME            SHA-256 of the whole file: CURRENT, MANIFEST-*, *.log, IDENTITY, OPTIONS-* …
/// last SIZE SHA-256 NAME             of its last 4 KiB: *.sst (footer and index; blocks have checksums of their own)
/// …                                  one line per file, in the byte order of the names, names percent-encoded
/// sum SHA-256                        of every byte before this line
/// </code>
/// RocksDB may open a damaged directory without complaint and delete what it could not read (one flipped bit in a MANIFEST
/// is enough), so after a clean stop its files are compared before it sees them. LOCK and LOG*, which RocksDB never reads,
/// are left out. The file is deleted before the first write of the next open: a crash cannot leave a stale one.
/// </remarks>
internal static class StoreInventory
{
    const string Title = "eventdbx store inventory 1\n";
    const string RowTitle = "store row ";
    const int TailBytes = 4096;
    const int InventoryBytesMax = 64 * 1024 * 1024;

    /// <summary>Writes the inventory of a store that is closed. The last act of a clean stop.</summary>
    /// <param name="path">The inventory's own file; not inside the store.</param>
    /// <param name="store">The directory of the store.</param>
    /// <exception cref="IOException">A file cannot be read, or the inventory not written; there is none then.</exception>
    /// <param name="storeRow">What the store says it is, so that a wrong key is found before RocksDB touches a file.</param>
    public static void Write(string path, string store, ReadOnlySpan<byte> storeRow)
    {
        var text = new StringBuilder(Title).Append(RowTitle).Append(Convert.ToHexStringLower(storeRow)).Append('\n');
        foreach (var (name, line) in Lines(store))
            text.Append(line).Append(' ').Append(name).Append('\n');
        var lines = text.ToString();
        DurableFile.Write(path, Encoding.UTF8.GetBytes($"{lines}sum {SumOf(lines)}\n"));
    }

    /// <summary>Whether the store is, as far as it is sealed, byte for byte what the inventory says. Changes nothing.</summary>
    /// <param name="path">The inventory's own file.</param>
    /// <param name="store">The directory of the store.</param>
    /// <param name="difference">A full sentence naming the first difference, or empty.</param>
    public static bool Matches(string path, string store, out string difference)
    {
        try
        {
            difference = Compare(path, store) ?? "";
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or FormatException or ArgumentException)
        {
            difference = $"The store cannot be compared with its inventory: {cause.Message}";
        }

        return difference.Length == 0;
    }

    /// <summary>Deletes the inventory durably. Call it before anything in the store is changed.</summary>
    /// <returns>False when there was none: the last stop was not clean.</returns>
    public static bool Delete(string path) => DurableFile.Delete(path);

    /// <summary>The row that says what the store is; null when there is no sound inventory.</summary>
    public static byte[]? ReadStoreRow(string path) =>
        DurableFile.Read(path, InventoryBytesMax) is { } content && Parse(content, out var row) is not null ? row : null;

    static string? Compare(string path, string store)
    {
        if (DurableFile.Read(path, InventoryBytesMax) is not { } content)
            return "There is no inventory: the store was not closed by a clean stop.";
        if (Parse(content, out _) is not { } expected)
            return $"The inventory \"{path}\" is damaged.";

        foreach (var (name, line) in Lines(store))
        {
            if (!expected.Remove(name, out var said))
                return $"The file \"{name}\" was not in the store when it was closed.";
            if (said != line)
                return $"The file \"{name}\" is not what it was when the store was closed: it was {said}, it is {line}.";
        }

        return expected.Keys.Order(StringComparer.Ordinal).FirstOrDefault() is { } missing
            ? $"The file \"{missing}\" is missing: it was in the store when it was closed."
            : null;
    }

    /// <summary>Lines by name, or null when a single byte is not as written.</summary>
    static Dictionary<string, string>? Parse(byte[] content, out byte[] storeRow)
    {
        storeRow = [];
        var text = Encoding.UTF8.GetString(content);
        var sumAt = text.LastIndexOf("sum ", StringComparison.Ordinal);
        if (!text.StartsWith(Title, StringComparison.Ordinal) || sumAt < Title.Length || text[sumAt..] != $"sum {SumOf(text[..sumAt])}\n")
            return null;
        var lines = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in text[Title.Length..sumAt].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith(RowTitle, StringComparison.Ordinal))
            {
                storeRow = Convert.FromHexString(line[RowTitle.Length..]);
                continue;
            }

            var nameAt = line.LastIndexOf(' ') + 1;
            lines[line[nameAt..]] = line[..(nameAt - 1)];
        }

        return lines;
    }

    /// <summary>For each file in the order of names: its name, and what is sealed of it (kind, size, digest).</summary>
    static IEnumerable<(string Name, string Line)> Lines(string store) =>
        Directory.EnumerateFiles(store, "*", Everything)
            .Select(file => (Path: file, Name: Path.GetRelativePath(store, file).Replace(Path.DirectorySeparatorChar, '/')))
            .Where(file => !IsIgnored(file.Name))
            .Select(file => (file.Path, Name: Uri.EscapeDataString(file.Name)))
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .Select(file => (file.Name, LineOf(file.Path)));

    static EnumerationOptions Everything => new()
    {
        RecurseSubdirectories = true,
        AttributesToSkip = FileAttributes.None,
        IgnoreInaccessible = false,
    };

    static bool IsIgnored(string name) =>
        name is "LOCK" or "LOG" || name.StartsWith("LOG.old.", StringComparison.Ordinal);

    static string LineOf(string path)
    {
        using var file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        var size = RandomAccess.GetLength(file);
        var isTable = path.EndsWith(".sst", StringComparison.Ordinal);
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[isTable ? TailBytes : 128 * 1024];
        var at = isTable ? Math.Max(0, size - TailBytes) : 0;
        for (int read; (read = RandomAccess.Read(file, buffer, at)) > 0; at += read)
            digest.AppendData(buffer, 0, read);
        var kind = isTable ? "last" : "whole";
        return string.Create(CultureInfo.InvariantCulture, $"{kind} {size} {Convert.ToHexStringLower(digest.GetHashAndReset())}");
    }

    static string SumOf(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
