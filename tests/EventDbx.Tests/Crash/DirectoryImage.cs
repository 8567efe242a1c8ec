using System.Security.Cryptography;

namespace EventDbx.Tests.Crash;

/// <summary>A copy of a data directory, to be cut, flipped and opened; deleted with it.</summary>
internal sealed class DirectoryImage : IDisposable
{
    DirectoryImage(string path) => Path = path;

    public string Path { get; }

    public string Store => System.IO.Path.Combine(Path, "event_store");

    /// <summary>Also of a directory that is open: while nobody writes, it is what a kill would leave.</summary>
    public static DirectoryImage Copy(string directory)
    {
        // RocksDB may be tidying up behind our back: what counts is a copy of one moment.
        for (var attempts = 0; ; attempts++)
        {
            var image = new DirectoryImage(Directory.CreateTempSubdirectory("eventdbx-test-").FullName);
            var before = Listing(directory);
            try
            {
                image.Fill(directory);
                if (before == Listing(directory))
                    return image;
            }
            catch (IOException) when (attempts < 100)
            {
            }

            image.Dispose();
        }
    }

    static string Listing(string directory) => string.Join('\n', new DirectoryInfo(directory).EnumerateFiles("*", SearchOption.AllDirectories)
        .Select(static file => $"{file.FullName} {(file.Exists ? file.Length : -1)}").Order(StringComparer.Ordinal));

    void Fill(string directory)
    {
        foreach (var folder in Directory.EnumerateDirectories(directory, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(In(System.IO.Path.GetRelativePath(directory, folder)));
        foreach (var file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
            File.WriteAllBytes(In(System.IO.Path.GetRelativePath(directory, file)), Read(file));
    }

    public string In(string relative) => System.IO.Path.Combine(Path, relative);

    /// <summary>Relative names of all files, but the lock's.</summary>
    public IEnumerable<string> Files => Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories)
        .Select(file => System.IO.Path.GetRelativePath(Path, file))
        .Where(static file => file != DirectoryLock.FileName)
        .Order(StringComparer.Ordinal);

    /// <summary>
    /// Names, times and contents of everything but <c>event_store.lock</c>: an attempt takes the lock, says there who it is, and
    /// wipes that out again.
    /// </summary>
    public string Fingerprint() => string.Join('\n', Files.Select(file =>
        $"{file} {File.GetLastWriteTimeUtc(In(file)).Ticks} {Convert.ToHexString(SHA256.HashData(Read(In(file))))}"));

    /// <summary>Without the advisory lock that .NET takes on every file, which a running database's files refuse.</summary>
    public static byte[] Read(string path)
    {
        using var file = OperatingSystem.IsWindows()
            ? File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete)
            : Libc.Open(path, writable: false);
        var content = new byte[RandomAccess.GetLength(file)];
        DurableFile.Fill(file, content, 0);
        return content;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
