using System.Buffers;

namespace EventDbx.Transfer;

/// <summary>Cells of CSV as RFC 4180 has them, with lines that end in LF.</summary>
internal static class CsvText
{
    static readonly SearchValues<byte> Quoted = SearchValues.Create(",\"\r\n"u8);

    /// <summary>What makes a spreadsheet take a cell for a formula, when the cell begins with it.</summary>
    static readonly SearchValues<byte> Formula = SearchValues.Create("=+-@\t\r"u8);

    /// <summary>Writes one cell, in quotes only where it must.</summary>
    /// <param name="output">Where it goes.</param>
    /// <param name="text">UTF-8.</param>
    /// <param name="safe">Puts a <c>'</c> before what a spreadsheet would take for a formula.</param>
    public static void WriteCell(IBufferWriter<byte> output, ReadOnlySpan<byte> text, bool safe)
    {
        var defused = safe && !text.IsEmpty && Formula.Contains(text[0]);
        var quoted = text.ContainsAny(Quoted);
        if (quoted)
            output.Write("\""u8);
        if (defused)
            output.Write("'"u8);
        for (int quote; quoted && (quote = text.IndexOf((byte)'"')) >= 0; text = text[(quote + 1)..])
        {
            output.Write(text[..quote]);
            output.Write("\"\""u8);
        }

        output.Write(text);
        if (quoted)
            output.Write("\""u8);
    }
}
