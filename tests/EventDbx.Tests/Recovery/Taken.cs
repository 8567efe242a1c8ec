using EventDbx.Integrity;
using EventDbx.Recovery;
using EventDbx.Tests.Crash;

namespace EventDbx.Tests.Recovery;

/// <summary>A backup as a restore sees it once it is unpacked: a copy of a data directory, and what is said of its log.</summary>
internal sealed class Taken : IDisposable
{
    readonly DirectoryImage _image;
    readonly uint _epoch;

    Taken(DirectoryImage image, Guid databaseId, uint epoch, ulong size, Hash32 root) => (_image, DatabaseId, _epoch, Size, Root) = (image, databaseId, epoch, size, root);

    public Guid DatabaseId { get; }

    public ulong Size { get; }

    public Hash32 Root { get; }

    /// <summary>The copy itself.</summary>
    public string Path => _image.Path;

    /// <summary>Of a database that is open, and that nobody writes to just now.</summary>
    public static Taken Of(Database database, string directory) => new(DirectoryImage.Copy(directory), database.DatabaseId, database.Epoch, database.LogSize, database.LogRoot);

    /// <summary>Unpacks it where a restore wants it.</summary>
    public RestoreRequest UnpackInto(StoreRestore restore)
    {
        var from = System.IO.Path.Combine(restore.Unpacked, "data");
        Directory.CreateDirectory(from);
        foreach (var folder in Directory.EnumerateDirectories(Path, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(System.IO.Path.Combine(from, System.IO.Path.GetRelativePath(Path, folder)));
        foreach (var file in Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories))
            File.Copy(file, System.IO.Path.Combine(from, System.IO.Path.GetRelativePath(Path, file)));
        return new() { From = from, DatabaseId = DatabaseId, Epoch = _epoch, LogSize = Size, LogRoot = Root, Pieces = ["tokens.json", "plugins.json"], Backup = "a backup", Actor = new("ops", "kim") };
    }

    /// <summary>All of a restore, into the directory of the options; opened once at its end.</summary>
    public async Task<RestoreReport> RestoreAsync(DatabaseOptions options, Func<RestoreRequest, RestoreRequest>? ask = null, bool keepOld = false)
    {
        RestoreReport report;
        using (var restore = StoreRestore.Begin(options))
        {
            var request = UnpackInto(restore);
            report = restore.Prepare(ask is null ? request : ask(request), options, null, TestContext.Current.CancellationToken);
            restore.Commit(["schemas.json", "tokens.json", "plugins.json", "staged_events.json"], null, keepOld);
            await restore.OpenAsync(options);
        }

        return report;
    }

    /// <summary>What a restore draws its epoch with: these, and not chance.</summary>
    public static Action<Span<byte>> Bytes(params byte[] bytes) => span => bytes.AsSpan(0, Math.Min(bytes.Length, span.Length)).CopyTo(span);

    public void Dispose() => _image.Dispose();
}
