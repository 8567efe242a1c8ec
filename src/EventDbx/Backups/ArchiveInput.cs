using System.Security.Cryptography;

namespace EventDbx.Backups;

/// <summary>The files of an archive, one after the other, hashed on their way.</summary>
internal sealed class ArchiveInput(Stream archive, IProgress<long>? progress, CancellationToken cancellation) : IDisposable
{
    /// <summary>Zeros that may follow the last file: tar fills up records of 10 KiB.</summary>
    const int EndBlocksMax = 32;

    readonly ZstdFrame _frame = new(archive, progress);
    readonly byte[] _header = new byte[TarHeader.Bytes];
    readonly byte[] _buffer = new byte[256 * 1024];

    /// <summary>The next file, whose content <see cref="Read(long, Stream?)"/> has to be asked for; null at the end of the archive.</summary>
    /// <exception cref="RefusedException">There is something else.</exception>
    public (string Name, long Size)? Next()
    {
        string? longName = null;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            Fill(_header);
            if (_header.AsSpan().IndexOfAnyExcept((byte)0) < 0)
            {
                if (longName is not null)
                    throw Damage.Of("a name is followed by no file");
                EndOfTar();
                return null;
            }

            var (name, type, size) = TarHeader.Read(_header);
            if (type != TarHeader.Pax)
                return (longName ?? name, size);
            if (longName is not null || size is 0 or > TarHeader.PaxBytesMax)
                throw Damage.Of("the name of a file cannot be read");
            longName = TarHeader.ReadPath(ReadSmall(size)) ?? throw Damage.Of("a file has properties, but no name");
        }
    }

    /// <summary>The content of a small file, whole.</summary>
    public byte[] ReadSmall(long size)
    {
        var content = new byte[size];
        Fill(content);
        SkipPadding(size);
        return content;
    }

    /// <summary>The content of a file, copied where it is wanted; its SHA-256.</summary>
    public string Read(long size, Stream? target)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var left = size; left > 0;)
        {
            cancellation.ThrowIfCancellationRequested();
            var part = _buffer.AsSpan(0, (int)Math.Min(left, _buffer.Length));
            Fill(part);
            digest.AppendData(part);
            target?.Write(part);
            left -= part.Length;
        }

        SkipPadding(size);
        return Convert.ToHexStringLower(digest.GetHashAndReset());
    }

    public void Dispose() => _frame.Dispose();

    void EndOfTar()
    {
        for (var blocks = 1; ; blocks++)
        {
            var read = 0;
            while (read < _header.Length && _frame.Read(_header.AsSpan(read)) is > 0 and var more)
                read += more;
            if (read == 0 && blocks > 1)
                break;
            if (read < _header.Length || _header.AsSpan().IndexOfAnyExcept((byte)0) >= 0 || blocks > EndBlocksMax)
                throw Damage.Of("something follows its last file");
        }

        _frame.End();
    }

    void SkipPadding(long size)
    {
        if ((int)(size % TarHeader.Bytes) is not (> 0 and var over))
            return;
        Span<byte> padding = stackalloc byte[TarHeader.Bytes - over];
        Fill(padding);
        if (padding.IndexOfAnyExcept((byte)0) >= 0)
            throw Damage.Of("there is something between two files");
    }

    void Fill(Span<byte> target)
    {
        while (!target.IsEmpty)
        {
            var read = _frame.Read(target);
            if (read == 0)
                throw Damage.Of("it ends before its last file");
            target = target[read..];
        }
    }
}
