using System.Formats.Tar;
using System.IO.Compression;

namespace EventDbx.Server.Plugins.Install;

/// <summary>The entries of a tar.gz, one after the other.</summary>
internal static class TarBundle
{
    /// <summary>What the headers of so many entries take besides what is in them: two blocks each, four with a long name.</summary>
    const long HeadersMax = ServerLimits.PluginEntriesMax * 2048L;

    public static IEnumerable<BundleEntry> Read(string path, long bytesMax)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 64 * 1024);
        using GZipStream unzipped = new(file, CompressionMode.Decompress);
        // Names and attributes that an entry brings are read into memory: they end with the bytes of all of it.
        using BoundedStream bounded = new(unzipped, bytesMax + HeadersMax);
        using TarReader tar = new(bounded);
        while (tar.GetNextEntry() is { } entry)
        {
            if (entry.EntryType == TarEntryType.GlobalExtendedAttributes)
                continue;
            var isDirectory = entry.EntryType == TarEntryType.Directory;
            yield return new()
            {
                Name = entry.Name, IsDirectory = isDirectory, Strange = StrangeOf(entry.EntryType), Length = entry.Length, Mode = entry.Mode,
                Open = () => entry.DataStream ?? Stream.Null,
            };
        }

        // The checksum of all of it stands at its end, and the library for tar does not look there.
        var rest = new byte[64 * 1024];
        while (bounded.Read(rest) > 0)
        {
            // Padding.
        }
    }

    static string? StrangeOf(TarEntryType type) => type switch
    {
        TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile or TarEntryType.Directory => null,
        TarEntryType.SymbolicLink => "a symbolic link",
        TarEntryType.HardLink => "a hard link",
        TarEntryType.CharacterDevice or TarEntryType.BlockDevice => "a device",
        TarEntryType.Fifo => "a named pipe",
        _ => $"of the kind '{(char)type}'",
    };

    /// <summary>Gives so many bytes of another one and no more.</summary>
    sealed class BoundedStream(Stream inner, long bytesMax) : Stream
    {
        long _left = bytesMax;

        public override int Read(Span<byte> buffer)
        {
            var read = inner.Read(buffer);
            return (_left -= read) >= 0 ? read
                : throw new RefusedException(RefusalCode.LimitExceeded, "The bundle unpacks to more bytes than one of its size may.");
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() { }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
