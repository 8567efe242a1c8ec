using System.Buffers;

namespace EventDbx.Transfer;

/// <summary>Minified JSON over many lines, two blanks a level; or as it is.</summary>
internal readonly ref struct JsonLayout(IBufferWriter<byte> output, bool pretty)
{
    static ReadOnlySpan<byte> Blanks => "                                "u8;

    /// <summary>Begins a line, if there are lines.</summary>
    public void NewLine(int depth)
    {
        if (!pretty)
            return;
        output.Write("\n"u8);
        for (var left = 2 * depth; left > 0; left -= Blanks.Length)
            output.Write(Blanks[..Math.Min(left, Blanks.Length)]);
    }

    /// <summary>Writes a value.</summary>
    /// <param name="json">Minified and well-formed.</param>
    /// <param name="depth">The level it stands on.</param>
    public void Write(ReadOnlySpan<byte> json, int depth)
    {
        if (!pretty)
        {
            output.Write(json);
            return;
        }

        for (var at = 0; at < json.Length; at++)
        {
            var token = json[at];
            if (token == (byte)'"')
            {
                var end = EndOfString(json, at);
                output.Write(json[at..end]);
                at = end - 1;
                continue;
            }

            if (token is (byte)'}' or (byte)']')
                NewLine(--depth);
            output.Write(json.Slice(at, 1));
            if (token is (byte)'{' or (byte)'[' && json[at + 1] == token + 2)
                output.Write(json.Slice(++at, 1));
            else if (token is (byte)'{' or (byte)'[')
                NewLine(++depth);
            else if (token == (byte)',')
                NewLine(depth);
            else if (token == (byte)':')
                output.Write(" "u8);
        }
    }

    static int EndOfString(ReadOnlySpan<byte> json, int start)
    {
        for (var at = start + 1; ; at++)
        {
            if (json[at] == (byte)'\\')
                at++;
            else if (json[at] == (byte)'"')
                return at + 1;
        }
    }
}
