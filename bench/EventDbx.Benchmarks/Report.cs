namespace EventDbx.Benchmarks;

/// <summary>Prints a Markdown table row by row, so that a long run shows what it has so far.</summary>
internal sealed class Report
{
    const int FirstWidth = 54;

    readonly string[] _heads;

    public Report(params string[] heads)
    {
        _heads = heads;
        Console.WriteLine();
        Row(heads);
        Console.WriteLine("|" + string.Join("|", heads.Select((head, i) => i == 0 ? new string('-', FirstWidth + 2) : new string('-', Width(head) + 1) + ":")) + "|");
    }

    public void Row(params string[] cells) =>
        Console.WriteLine("| " + string.Join(" | ", cells.Select((cell, i) => i == 0 ? cell.PadRight(FirstWidth) : cell.PadLeft(Width(_heads[i])))) + " |");

    static int Width(string head) => Math.Max(9, head.Length);
}
