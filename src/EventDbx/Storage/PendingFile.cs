using System.Security.Cryptography;

namespace EventDbx.Storage;

/// <summary>A file in the making: written beside its name, synced, and renamed once it is whole. Until then the name keeps what it had.</summary>
/// <remarks>Unlike those of <see cref="DurableFile"/> it may be long, and two processes may make one of the same name: the later wins, whole, or with <see cref="TryName"/> the first.</remarks>
public sealed class PendingFile : IDisposable
{
    const int RandomBytes = 4;

    static readonly System.Buffers.SearchValues<char> s_hexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");

    readonly string _temporary;
    FileStream? _stream;
    bool _renamed;

    PendingFile(string path, string temporary, FileStream stream) => (Path, _temporary, _stream) = (path, temporary, stream);

    public string Path { get; }

    /// <summary>Where it is written, until <see cref="Finish"/>.</summary>
    public FileStream Stream => _stream ?? throw new InvalidOperationException($"{Path} is finished.");

    /// <exception cref="IOException">There is no such directory, or no right to write in it.</exception>
    public static PendingFile Create(string path)
    {
        var temporary = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes))}{DurableFile.TemporarySuffix}";
        return new(path, temporary, new(temporary, DurableFile.NewFile()));
    }

    /// <summary>The name that a file in the making would have got, by the one that it has; null where it is none of ours.</summary>
    public static string? NameOf(string temporary)
    {
        var (suffix, random) = (DurableFile.TemporarySuffix, 1 + (2 * RandomBytes));
        if (temporary.Length <= random + suffix.Length || !temporary.EndsWith(suffix, StringComparison.Ordinal))
            return null;
        var name = temporary[..^(random + suffix.Length)];
        var middle = temporary.AsSpan(name.Length, random);
        return middle[0] == '.' && middle[1..].IndexOfAnyExcept(s_hexDigits) < 0 ? name : null;
    }

    /// <summary>Syncs and closes it; returns its bytes.</summary>
    public long Finish()
    {
        var stream = Stream;
        stream.Flush(flushToDisk: true);
        var bytes = stream.Length;
        stream.Dispose();
        _stream = null;
        return bytes;
    }

    /// <summary>Gives a finished file its name.</summary>
    public void Rename()
    {
        File.Move(_temporary, Path, overwrite: true);
        _renamed = true;
        DurableFile.SyncDirectoryOf(Path);
    }

    /// <summary>Gives a finished file its name; false where something has it already, which stays as it is.</summary>
    /// <remarks>In one step, so that of many at once one gets it; but for file systems that know neither such a rename nor second names.</remarks>
    /// <exception cref="IOException">It has not got it.</exception>
    public bool TryName()
    {
        if ((OperatingSystem.IsWindows() ? null : Libc.TryRename(_temporary, Path) ?? TryLink()) is { } named)
        {
            if (!named)
                return false;
        }
        else
        {
            try
            {
                // Except on Windows it looks first and renames then: two who do it at once both succeed.
                File.Move(_temporary, Path, overwrite: false);
            }
            catch (IOException) when (IsTaken(Path))
            {
                return false;
            }
        }

        _renamed = true;
        DurableFile.SyncDirectoryOf(Path);
        return true;
    }

    /// <summary>Whether something has a name: a link that leads nowhere has its own, too.</summary>
    public static bool IsTaken(string path) => System.IO.Path.Exists(path) || new FileInfo(path).LinkTarget is not null;

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    bool? TryLink()
    {
        var linked = Libc.TryLink(_temporary, Path);
        if (linked == true)
            DurableFile.TryDelete(_temporary);
        return linked;
    }

    /// <summary>What has not got its name is deleted.</summary>
    public void Dispose()
    {
        _stream?.Dispose();
        if (!_renamed)
            DurableFile.TryDelete(_temporary);
    }
}
