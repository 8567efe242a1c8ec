namespace EventDbx.Verifier;

/// <summary>Files of the caller.</summary>
internal static class Files
{
    /// <summary>Reads a whole file, or standard input for <c>-</c>.</summary>
    /// <exception cref="RefutedException">It is larger than a document may be.</exception>
    /// <exception cref="UnreadableException">It cannot be read.</exception>
    public static ReadOnlyMemory<byte> Read(string path, int most = Limits.DocumentBytesMax)
    {
        using var stream = Open(path);
        var buffer = new byte[Math.Min(most, 64 * 1024) + 1];
        var length = 0;
        try
        {
            while (stream.Read(buffer, length, buffer.Length - length) is > 0 and var count)
            {
                length += count;
                if (length > most)
                    throw new RefutedException($"{Printable.Quoted(path)} has more than {most} bytes: no document of this kind has.");
                if (length == buffer.Length)
                    Array.Resize(ref buffer, (int)Math.Min(2L * buffer.Length, most + 1L));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }

        return buffer.AsMemory(0, length);
    }

    /// <summary>Reads as much of a file as there is room for, and returns how much.</summary>
    /// <exception cref="UnreadableException">It cannot be read.</exception>
    public static int ReadInto(string path, Span<byte> buffer)
    {
        using var stream = Open(path);
        try
        {
            return stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, e);
        }
    }

    /// <exception cref="UnreadableException">It cannot be read.</exception>
    public static Stream Open(string path)
    {
        try
        {
            return path == "-" ? Console.OpenStandardInput() : new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw Unreadable(path, e);
        }
    }

    static UnreadableException Unreadable(string path, Exception e) => new(e switch
    {
        FileNotFoundException or DirectoryNotFoundException => $"there is no file {Printable.Quoted(path)}.",
        UnauthorizedAccessException when Directory.Exists(path) => $"{Printable.Quoted(path)} is a directory; a file belongs here.",
        _ => $"{Printable.Quoted(path)} cannot be read: {Printable.Of(e.Message)}",
    });
}
