using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Bundles for tests, well-behaved ones and others.</summary>
internal static class Archives
{
    public static byte[] TarGz(params (string Name, string Content)[] files) => TarGz(tar =>
    {
        foreach (var (name, content) in files)
            tar.WriteEntry(File(name, content));
    });

    public static byte[] TarGz(Action<TarWriter> write)
    {
        using MemoryStream bytes = new();
        using (GZipStream zipped = new(bytes, CompressionLevel.Optimal, leaveOpen: true))
        using (TarWriter tar = new(zipped, TarEntryFormat.Pax))
            write(tar);
        return bytes.ToArray();
    }

    public static PaxTarEntry File(string name, string content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite) =>
        new(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)), Mode = mode };

    public static byte[] Zip(params (string Name, string Content)[] files) => Zip(0, files);

    /// <param name="mode">Kind and permissions of Unix, of every entry.</param>
    /// <param name="files">Names, and what is in them.</param>
    public static byte[] Zip(int mode, params (string Name, string Content)[] files)
    {
        using MemoryStream bytes = new();
        using (ZipArchive zip = new(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in files)
            {
                var entry = zip.CreateEntry(name);
                entry.ExternalAttributes = mode << 16;
                using var data = entry.Open();
                data.Write(Encoding.UTF8.GetBytes(content));
            }
        }

        return bytes.ToArray();
    }

    /// <summary>A zip whose directory has so many entries, all of them of the same file.</summary>
    public static byte[] ZipOfMany(int entries)
    {
        const int HeaderBytes = 46 + 8;
        var bytes = new byte[(entries * HeaderBytes) + 56 + 20 + 22];
        for (var i = 0; i < entries; i++)
        {
            var header = bytes.AsSpan(i * HeaderBytes);
            BinaryPrimitives.WriteUInt32LittleEndian(header, 0x02014b50);
            BinaryPrimitives.WriteUInt16LittleEndian(header[28..], 8);
            Encoding.ASCII.GetBytes($"{i:x8}", header[46..]);
        }

        var end = bytes.AsSpan(entries * HeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(end, 0x06064b50);
        BinaryPrimitives.WriteInt64LittleEndian(end[4..], 44);
        BinaryPrimitives.WriteInt64LittleEndian(end[24..], entries);
        BinaryPrimitives.WriteInt64LittleEndian(end[32..], entries);
        BinaryPrimitives.WriteInt64LittleEndian(end[40..], (long)entries * HeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(end[56..], 0x07064b50);
        BinaryPrimitives.WriteInt64LittleEndian(end[64..], (long)entries * HeaderBytes);
        BinaryPrimitives.WriteInt32LittleEndian(end[72..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(end[76..], 0x06054b50);
        end[(76 + 8)..(76 + 20)].Fill(0xFF);
        return bytes;
    }

    /// <summary>A tar.gz of so many empty files.</summary>
    public static byte[] TarOfMany(int entries)
    {
        using MemoryStream bytes = new();
        using (GZipStream zipped = new(bytes, CompressionLevel.Fastest, leaveOpen: true))
        {
            var header = new byte[512];
            Encoding.ASCII.GetBytes("0000644\00000000\00000000\000000000000\000000000000\0        0", header.AsSpan(100));
            Encoding.ASCII.GetBytes("ustar\000", header.AsSpan(257));
            for (var i = 0; i < entries; i++)
            {
                Encoding.ASCII.GetBytes($"{i:x8}", header);
                header.AsSpan(148, 8).Fill((byte)' ');
                var sum = 0;
                foreach (var b in header)
                    sum += b;
                Encoding.ASCII.GetBytes($"{Convert.ToString(sum, 8).PadLeft(6, '0')}\0 ", header.AsSpan(148));
                zipped.Write(header);
            }

            zipped.Write(new byte[1024]);
        }

        return bytes.ToArray();
    }
}
