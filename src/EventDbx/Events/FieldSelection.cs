using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace EventDbx.Events;

/// <summary>Which parts of a state are asked for: <c>status,/activity/resource</c>.</summary>
/// <remarks>
/// Parts are separated by commas. A part that begins with <c>/</c> is a JSON Pointer (RFC 6901); any other is the plain name
/// of a field. Each part that is there becomes a field under the text that asked for it; the others are left out.
/// </remarks>
public sealed class FieldSelection
{
    readonly (byte[] Asked, byte[][] Path)[] _parts;

    FieldSelection((byte[] Asked, byte[][] Path)[] parts) => _parts = parts;

    /// <summary>Reads a list of parts, or says why it is none.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out FieldSelection? selection, out Refusal refusal)
    {
        (selection, refusal) = (null, default);
        List<(byte[] Asked, byte[][] Path)> parts = [];
        foreach (var part in text.Split(','))
        {
            if (Check(part) is { } wrong)
            {
                refusal = new(RefusalCode.InvalidArgument, wrong);
                return false;
            }

            var asked = Encoding.UTF8.GetBytes(part);
            if (!parts.Exists(known => known.Asked.AsSpan().SequenceEqual(asked)))
                parts.Add((asked, PathOf(part)));
        }

        parts.Sort(static (left, right) => left.Asked.AsSpan().SequenceCompareTo(right.Asked));
        selection = new([.. parts]);
        return true;
    }

    /// <summary>Writes the parts that are there, in the order of the bytes that asked for them.</summary>
    internal void Write(ref StateJson json, ReadOnlySpan<byte> blob)
    {
        foreach (var (asked, path) in _parts)
        {
            if (StateText.TryFind(blob, path[0], out var value) && TryFind(ref value, path.AsSpan(1)))
                json.Field(asked, value);
        }
    }

    static string? Check(string part)
    {
        if (part.Length == 0)
            return "A field is empty; give names and JSON Pointers with commas between them.";
        if (part[0] != '/')
            return part.Contains('.', StringComparison.Ordinal) ? $"`{part}` is no plain name; as a JSON Pointer it is `/{part}`." : null;
        for (var at = part.IndexOf('~', StringComparison.Ordinal); at >= 0; at = part.IndexOf('~', at + 1))
        {
            if (at + 1 == part.Length || part[at + 1] is not ('0' or '1'))
                return $"`{part}` is no JSON Pointer: after `~` comes 0 (for `~`) or 1 (for `/`).";
        }

        return null;
    }

    static byte[][] PathOf(string part) => part[0] != '/'
        ? [Encoding.UTF8.GetBytes(part)]
        : [.. part[1..].Split('/').Select(step => Encoding.UTF8.GetBytes(step.Replace("~1", "/").Replace("~0", "~")))];

    /// <summary>Goes down from a value; false when there is no such place.</summary>
    static bool TryFind(ref ReadOnlySpan<byte> value, ReadOnlySpan<byte[]> path)
    {
        foreach (var step in path)
        {
            var reader = new Utf8JsonReader(value, new JsonReaderOptions { MaxDepth = Limits.PayloadDepthMax });
            reader.Read();
            var found = reader.TokenType switch
            {
                JsonTokenType.StartObject => TryEnterMember(ref reader, step),
                JsonTokenType.StartArray => TryEnterItem(ref reader, step),
                _ => false,
            };
            if (!found)
                return false;
            var start = (int)reader.TokenStartIndex;
            reader.Skip();
            value = value[start..(int)reader.BytesConsumed];
        }

        return true;
    }

    static bool TryEnterMember(ref Utf8JsonReader reader, ReadOnlySpan<byte> name)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var wanted = reader.ValueTextEquals(name);
            reader.Read();
            if (wanted)
                return true;
            reader.Skip();
        }

        return false;
    }

    static bool TryEnterItem(ref Utf8JsonReader reader, ReadOnlySpan<byte> index)
    {
        if (!System.Buffers.Text.Utf8Parser.TryParse(index, out uint left, out var used) || used != index.Length || (index[0] == '0' && used > 1))
            return false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (left-- == 0)
                return true;
            reader.Skip();
        }

        return false;
    }
}
