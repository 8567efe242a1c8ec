using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace EventDbx.Server.Plugins.Install;

/// <summary>The end of a gzip file: checksum and length of what is in it (RFC 1952, 2.3.1).</summary>
/// <remarks>The library holds them against what it unpacked where they are there, and takes a file for whole that ends before them.</remarks>
internal static class GzipTrailer
{
    const int Bytes = 8;

    /// <param name="path">The file.</param>
    /// <param name="bytesMax">What it may have unpacked.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="InvalidDataException">It does not end with the checksum and the length of what is in it.</exception>
    public static void Check(string path, long bytesMax, CancellationToken cancellation)
    {
        var trailer = new byte[Bytes];
        using (var file = File.OpenHandle(path))
        {
            var length = RandomAccess.GetLength(file);
            if (length < Bytes || RandomAccess.Read(file, trailer, length - Bytes) != Bytes)
                throw Damaged();
        }

        var (crc, last) = (BinaryPrimitives.ReadUInt32LittleEndian(trailer), BinaryPrimitives.ReadUInt32LittleEndian(trailer.AsSpan(4)));
        // Zeros at the end of a file are no end: what was not written is read as them.
        if (last == 0)
            throw Damaged();
        var (found, all) = Sum(path, 0, bytesMax, cancellation);
        // A file may be several behind each other: the end is that of the last one. No bundle has as much as 4 GiB, where lengths begin anew.
        if (all > last)
            found = Sum(path, all - last, bytesMax, cancellation).Crc;
        if (all < last || found != crc)
            throw Damaged();
    }

    static (uint Crc, long Bytes) Sum(string path, long from, long bytesMax, CancellationToken cancellation)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 64 * 1024);
        using GZipStream unzipped = new(file, CompressionMode.Decompress);
        using BoundedStream bounded = new(unzipped, bytesMax);
        Crc32 crc = new();
        var buffer = new byte[64 * 1024];
        var at = 0L;
        for (int read; (read = bounded.Read(buffer)) > 0; at += read)
        {
            cancellation.ThrowIfCancellationRequested();
            var skipped = (int)Math.Clamp(from - at, 0, read);
            crc.Append(buffer.AsSpan(skipped, read - skipped));
        }

        return (crc.GetCurrentHashAsUInt32(), at);
    }

    static InvalidDataException Damaged() => new("It is cut off or damaged: it does not end with the checksum and the length of what is in it.");
}
