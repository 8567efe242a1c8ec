using System.Buffers.Binary;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Verification;

/// <summary>The row of an event, taken apart into its fields, so that one can be changed and the rest stays as it is.</summary>
/// <remarks>Reads docs/storage-format.md on its own; that it puts a row together again to the byte is asserted where it is used.</remarks>
internal sealed class EntryParts
{
    /// <param name="Name">As the matrix calls it.</param>
    /// <param name="PrefixBytes">Bytes of the length before it: 0 for a fixed width, 2 or 4.</param>
    /// <param name="Content">What stands there.</param>
    public sealed record Part(string Name, int PrefixBytes, byte[] Content);

    readonly List<Part> _parts = [];

    EntryParts()
    {
    }

    public IReadOnlyList<Part> Parts => _parts;

    public static EntryParts Of(ReadOnlySpan<byte> body)
    {
        var entry = new EntryParts();
        var flags = (EntryRow.RowFlags)body[1];
        var rest = body;
        Take(ref rest, "format and flags", 2);
        Take(ref rest, "aggregate type", 0, 2);
        Take(ref rest, "aggregate id", 0, 2);
        Take(ref rest, "version", 8);
        Take(ref rest, "event type", 0, 2);
        Take(ref rest, "event id", 16);
        Take(ref rest, "created_at", 8);
        if (flags.HasFlag(EntryRow.RowFlags.Actor))
        {
            Take(ref rest, "actor, group", 0, 2);
            Take(ref rest, "actor, user", 0, 2);
        }

        if (flags.HasFlag(EntryRow.RowFlags.Note))
            Take(ref rest, "note", 0, 2);
        if (flags.HasFlag(EntryRow.RowFlags.Batch))
            Take(ref rest, "place in its batch", 4);
        Take(ref rest, "schema revision", 8);
        Take(ref rest, "prev_root", 32);
        Take(ref rest, "root", 32);
        if (flags.HasFlag(EntryRow.RowFlags.Patch))
            Take(ref rest, "request fingerprint", 32);
        if (flags.HasFlag(EntryRow.RowFlags.Key))
            Take(ref rest, "wrapped key", 0, 2);
        Take(ref rest, "sealed payload", 0, 4);
        Assert.True(rest.IsEmpty);
        return entry;

        void Take(ref ReadOnlySpan<byte> from, string name, int bytes, int prefix = 0)
        {
            bytes = prefix switch { 2 => BinaryPrimitives.ReadUInt16BigEndian(from), 4 => BinaryPrimitives.ReadInt32BigEndian(from), _ => bytes };
            entry._parts.Add(new(name, prefix, from.Slice(prefix, bytes).ToArray()));
            from = from[(prefix + bytes)..];
        }
    }

    public Part? Find(string name) => _parts.Find(part => part.Name == name);

    /// <summary>The same with other content in one field; null takes it out, where its flag says so too.</summary>
    public EntryParts With(string name, byte[]? content)
    {
        var changed = new EntryParts();
        foreach (var part in _parts)
        {
            if (part.Name != name)
                changed._parts.Add(part);
            else if (content is not null)
                changed._parts.Add(part with { Content = content });
        }

        return changed;
    }

    public byte[] Write()
    {
        var bytes = new List<byte>();
        foreach (var part in _parts)
        {
            var prefix = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(prefix, part.Content.Length);
            bytes.AddRange(prefix[(4 - part.PrefixBytes)..]);
            bytes.AddRange(part.Content);
        }

        return [.. bytes];
    }
}
