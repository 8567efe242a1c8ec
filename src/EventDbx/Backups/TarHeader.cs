using System.Buffers.Binary;

namespace EventDbx.Backups;

/// <summary>The 512 bytes before each file of a tar archive (POSIX ustar), and what we take of them.</summary>
/// <remarks>
/// <code>
/// name [100] | mode [8] | uid [8] | gid [8] | size [12] | mtime [12] | checksum [8] | type | link [100] | "ustar" …
/// </code>
/// Numbers are octal text; a size of 8 GiB and more is base-256, as GNU, BSD and 7-Zip read it. A name that does not fit into 100
/// bytes of ASCII stands in a record <c>path</c> of a header of type <c>x</c> before it (pax). Links, devices, sparse files, and
/// whatever else a tar can hold are refused by name.
/// </remarks>
internal static class TarHeader
{
    public const int Bytes = 512;

    /// <summary>Bytes of pax records before one file: a path at its limit, and what other writers put there.</summary>
    public const int PaxBytesMax = 16 * 1024;

    public const byte Regular = (byte)'0';
    public const byte Pax = (byte)'x';

    const int NameBytes = 100, SizeAt = 124, SizeBytes = 12, SumAt = 148, SumBytes = 8, TypeAt = 156, MagicAt = 257, PrefixAt = 345, PrefixBytes = 155;
    const long OctalMax = 0x1_FFFF_FFFF;

    /// <summary>Whether a name fits into a header as it is.</summary>
    public static bool Fits(string name) => name.Length <= NameBytes && Ascii.IsValid(name);

    public static void Write(Span<byte> header, string name, byte type, long size, bool executable, long unixSeconds)
    {
        header.Clear();
        Encoding.ASCII.GetBytes(name, header);
        (executable ? "0000700"u8 : "0000600"u8).CopyTo(header[100..]);
        "0000000"u8.CopyTo(header[108..]);
        "0000000"u8.CopyTo(header[116..]);
        if (size <= OctalMax)
            Octal(header.Slice(SizeAt, SizeBytes - 1), size);
        else
        {
            header[SizeAt] = 0x80;
            BinaryPrimitives.WriteInt64BigEndian(header[(SizeAt + 4)..], size);
        }

        Octal(header.Slice(136, 11), Math.Clamp(unixSeconds, 0, OctalMax));
        header[TypeAt] = type;
        "ustar\000"u8.CopyTo(header[MagicAt..]);
        var sum = SumOf(header);
        Octal(header.Slice(SumAt, 6), sum);
        header[SumAt + 7] = (byte)' ';
    }

    /// <summary>A pax record: its own length in digits, a space, key, equals sign, value, line feed.</summary>
    public static byte[] PathRecord(string path)
    {
        var rest = Encoding.UTF8.GetByteCount(path) + " path=\n".Length;
        var length = rest + 1;
        while (length != rest + length.ToString(System.Globalization.CultureInfo.InvariantCulture).Length)
            length++;
        return Encoding.UTF8.GetBytes($"{length} path={path}\n");
    }

    /// <exception cref="RefusedException">It is none, or of something that is no regular file.</exception>
    public static (string Name, byte Type, long Size) Read(ReadOnlySpan<byte> header)
    {
        if (!header[MagicAt..].StartsWith("ustar"u8) || ReadNumber(header.Slice(SumAt, SumBytes)) != SumOf(header))
            throw Damage.Of("where the header of a file should be there is something else");
        var name = ReadText(header[..NameBytes]);
        // GNU writes other things where POSIX has a prefix; there is one only behind POSIX's own mark.
        if (header[MagicAt + 5] == 0 && ReadText(header.Slice(PrefixAt, PrefixBytes)) is { Length: > 0 } prefix)
            name = $"{prefix}/{name}";
        var type = header[TypeAt] is 0 ? Regular : header[TypeAt];
        if (type is not (Regular or Pax))
            throw Damage.Of($"{Damage.Quote(name)} is {NameOf(type)}; a backup has regular files only");
        return ReadNumber(header.Slice(SizeAt, SizeBytes)) is { } size and <= Limits.BackupBytesMax
            ? (name, type, size)
            : throw Damage.Of($"{Damage.Quote(name)} has an impossible size");
    }

    /// <summary>The path that pax records give to the file behind them; null where they give none.</summary>
    /// <exception cref="RefusedException">They are none, or change something else about the file.</exception>
    public static string? ReadPath(ReadOnlySpan<byte> records)
    {
        string? path = null;
        while (!records.IsEmpty)
        {
            var space = records.IndexOf((byte)' ');
            if (space is < 1 or > 9 || !int.TryParse(records[..space], out var length) || length <= space + 1 || length > records.Length || records[length - 1] != '\n')
                throw Damage.Of("the names of a file cannot be read");
            var record = records[(space + 1)..(length - 1)];
            records = records[length..];
            if (record.StartsWith("path="u8))
                path = Encoding.UTF8.GetString(record["path="u8.Length..]);
            else if (!record.StartsWith("mtime="u8) && !record.StartsWith("atime="u8) && !record.StartsWith("ctime="u8))
                throw Damage.Of("a file has properties that a backup does not give to files");
        }

        return path;
    }

    static string NameOf(byte type) => type switch
    {
        (byte)'1' => "a hard link",
        (byte)'2' => "a symbolic link",
        (byte)'3' => "a character device",
        (byte)'4' => "a block device",
        (byte)'5' => "a directory",
        (byte)'6' => "a named pipe",
        (byte)'S' => "a sparse file",
        _ => $"an entry of type {type}",
    };

    static long? ReadNumber(ReadOnlySpan<byte> field)
    {
        if ((field[0] & 0x80) != 0)
        {
            // Base-256 is for sizes; a sum in it is none.
            if (field.Length != SizeBytes)
                return null;
            var high = field[1..^8];
            return field[0] == 0x80 && high.IndexOfAnyExcept((byte)0) < 0 && BinaryPrimitives.ReadInt64BigEndian(field[^8..]) is >= 0 and var large ? large : null;
        }

        var text = field.Trim(" \0"u8);
        var value = 0L;
        foreach (var digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'7')
                return null;
            value = (value << 3) | (long)(digit - '0');
        }

        return text.IsEmpty ? null : value;
    }

    static string ReadText(ReadOnlySpan<byte> field) =>
        Encoding.UTF8.GetString(field.IndexOf((byte)0) is >= 0 and var end ? field[..end] : field);

    /// <summary>The sum of all bytes, those of the sum itself taken as spaces.</summary>
    static long SumOf(ReadOnlySpan<byte> header)
    {
        var sum = 0L;
        for (var i = 0; i < Bytes; i++)
            sum += i is >= SumAt and < SumAt + SumBytes ? (byte)' ' : header[i];
        return sum;
    }

    static void Octal(Span<byte> field, long value)
    {
        for (var i = field.Length - 1; i >= 0; i--, value >>= 3)
            field[i] = (byte)('0' + (value & 7));
    }
}
