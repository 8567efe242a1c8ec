using Microsoft.Win32.SafeHandles;

namespace EventDbx.Storage;

/// <summary>Small files that are replaced whole: after a crash there is the old content or the new, never a mixture.</summary>
/// <remarks>
/// <code>
/// 1 write NAME.tmp (mode 0600)    2 sync it    3 rename it to NAME    4 sync the directory
/// </code>
/// One writer per file, so one temporary name is enough: what a crash leaves behind is never read, and the next write or
/// <see cref="CleanUp"/> removes it. A symbolic link at NAME is replaced, not followed.
/// </remarks>
public static class DurableFile
{
    /// <summary>What a temporary file's name has more than its target's.</summary>
    public const string TemporarySuffix = ".tmp";

    /// <summary>Only the owner reads and writes.</summary>
    public const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Replaces or creates a file. When this returns, a power cut cannot undo it.</summary>
    /// <exception cref="IOException">The old content is still there, or (directory sync failed) which one is unknown.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        Prepare(path, content);
        Take(path);
    }

    /// <summary>Steps 1 and 2: the new content is on disk, and the old one has the name. <see cref="Take"/> goes on, or <see cref="CleanUp"/> leaves all as it was.</summary>
    /// <exception cref="IOException">Nothing has changed.</exception>
    public static void Prepare(string path, ReadOnlySpan<byte> content)
    {
        var temporary = path + TemporarySuffix;
        File.Delete(temporary);
        try
        {
            // CreateNew: the file is ours and empty, and a link planted at its name is not followed.
            using (var file = new FileStream(temporary, NewFile()))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }
    }

    /// <summary>Steps 3 and 4, after <see cref="Prepare"/>.</summary>
    /// <exception cref="IOException">The old content is still there, or (directory sync failed) which one is unknown.</exception>
    public static void Take(string path)
    {
        var temporary = path + TemporarySuffix;
        try
        {
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            TryDelete(temporary);
            throw;
        }

        SyncDirectoryOf(path);
    }

    /// <summary>Creates a file, whole and durable; false where there is one already, or a link that leads nowhere: it stays as it is.</summary>
    /// <remarks>Here several may try at once: each writes beside a name of its own, and the first one's file gets the name (<see cref="PendingFile.TryName"/>).</remarks>
    /// <exception cref="IOException">There is none, and it could not be made.</exception>
    public static bool TryCreate(string path, ReadOnlySpan<byte> content)
    {
        // Where nothing has to be written, nothing that keeps from writing, a full disk say, is in the way.
        if (PendingFile.IsTaken(path))
            return false;
        using var file = PendingFile.Create(path);
        file.Stream.Write(content);
        file.Finish();
        return file.TryName();
    }

    /// <summary>The content, or null when there is no such file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="bytesMax">The largest content that is sound.</param>
    /// <exception cref="IOException">It is larger, or cannot be read.</exception>
    public static byte[]? Read(string path, int bytesMax)
    {
        try
        {
            using var file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
            var bytes = RandomAccess.GetLength(file);
            if (bytes > bytesMax)
                throw new IOException($"\"{path}\" has {bytes} bytes; at most {bytesMax} are expected.");
            var content = new byte[bytes];
            var read = Fill(file, content, 0);
            return read == content.Length ? content : content[..read];
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Deletes a file durably; false when there was none.</summary>
    public static bool Delete(string path)
    {
        if (!File.Exists(path))
            return false;
        File.Delete(path);
        SyncDirectoryOf(path);
        return true;
    }

    /// <summary>Removes the temporary file that a crash may have left beside a file.</summary>
    public static void CleanUp(string path) => TryDelete(path + TemporarySuffix);

    /// <summary>Reads until the buffer is full or the file ends; returns the bytes read.</summary>
    internal static int Fill(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        var at = 0;
        while (at < buffer.Length)
        {
            var read = RandomAccess.Read(file, buffer[at..], offset + at);
            if (read == 0)
                break;
            at += read;
        }

        return at;
    }

    /// <summary>Makes what was created, renamed or deleted beside a path durable. Nothing to do on Windows.</summary>
    public static void SyncDirectoryOf(string path)
    {
        if (!OperatingSystem.IsWindows())
            Libc.SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>A new file, written without a buffer, for its owner only.</summary>
    internal static FileStreamOptions NewFile()
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = Mode;
        return options;
    }

    internal static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (IOException)
        {
            // It is never read; the next write tries again.
        }
        catch (UnauthorizedAccessException)
        {
            // The same.
        }
    }
}
