using System.Buffers.Binary;
using System.IO.Compression;

namespace EventDbx.Server.Plugins.Install;

/// <summary>The entries of a zip, in the order of its directory.</summary>
internal static class ZipBundle
{
    const uint EndSignature = 0x06054b50, End64Signature = 0x06064b50, Locator64Signature = 0x07064b50, HeaderSignature = 0x02014b50;
    const int EndBytes = 22, Locator64Bytes = 20, End64Bytes = 56, HeaderBytes = 46, CommentBytesMax = ushort.MaxValue;
    const int KindMask = 0xF000, RegularFile = 0x8000, DirectoryKind = 0x4000, SymbolicLink = 0xA000;

    public static IEnumerable<BundleEntry> Read(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 64 * 1024);
        RefuseTooMany(file);
        file.Position = 0;
        using ZipArchive zip = new(file, ZipArchiveMode.Read);
        foreach (var entry in zip.Entries)
        {
            var kind = (entry.ExternalAttributes >> 16) & KindMask;
            yield return new()
            {
                Name = entry.FullName, IsDirectory = entry.FullName.EndsWith('/'), Length = entry.Length, Crc = entry.Crc32,
                Mode = (entry.ExternalAttributes >> 16) is var mode and not 0 ? (UnixFileMode)(mode & 0xFFF) : default,
                Strange = entry.IsEncrypted ? "encrypted"
                    : kind == SymbolicLink ? "a symbolic link"
                    : kind is not (0 or RegularFile or DirectoryKind) ? "a device or pipe"
                    : kind == DirectoryKind && !entry.FullName.EndsWith('/') ? "a directory without '/' at its end" : null,
                Open = entry.Open,
            };
        }
    }

    /// <summary>The library reads the whole directory into memory before it gives the first entry: its headers are counted first.</summary>
    static void RefuseTooMany(FileStream file)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        file.Position = DirectoryOf(file);
        for (var entries = 0; file.ReadAtLeast(header, HeaderBytes, throwOnEndOfStream: false) == HeaderBytes && BinaryPrimitives.ReadUInt32LittleEndian(header) == HeaderSignature;)
        {
            if (++entries > ServerLimits.PluginEntriesMax)
                throw new RefusedException(RefusalCode.LimitExceeded, $"The bundle has more than {ServerLimits.PluginEntriesMax} entries.");
            file.Position += BinaryPrimitives.ReadUInt16LittleEndian(header[28..]) + BinaryPrimitives.ReadUInt16LittleEndian(header[30..]) + BinaryPrimitives.ReadUInt16LittleEndian(header[32..]);
        }
    }

    static long DirectoryOf(FileStream file)
    {
        var tail = new byte[(int)Math.Min(file.Length, EndBytes + CommentBytesMax + Locator64Bytes)];
        file.Position = file.Length - tail.Length;
        file.ReadExactly(tail);
        for (var at = tail.Length - EndBytes; at >= 0; at--)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at)) != EndSignature)
                continue;
            long offset = BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at + 16));
            if (at >= Locator64Bytes && BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(at - Locator64Bytes)) == Locator64Signature)
            {
                var end64 = new byte[End64Bytes];
                file.Position = BinaryPrimitives.ReadInt64LittleEndian(tail.AsSpan(at - Locator64Bytes + 8)) is var place && place >= 0 && place <= file.Length - End64Bytes
                    ? place : throw new InvalidDataException("Its directory lies outside of it.");
                file.ReadExactly(end64);
                if (BinaryPrimitives.ReadUInt32LittleEndian(end64) == End64Signature)
                    offset = BinaryPrimitives.ReadInt64LittleEndian(end64.AsSpan(48));
            }

            return offset >= 0 && offset <= file.Length ? offset : throw new InvalidDataException("Its directory lies outside of it.");
        }

        throw new InvalidDataException("It has no directory at its end.");
    }
}
