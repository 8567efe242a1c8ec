using System.Globalization;

namespace EventDbx.Tests.Verification;

/// <summary>What became of a change.</summary>
internal enum TamperVerdict
{
    /// <summary>An open, a read or a verify refuses.</summary>
    Found,

    /// <summary>Nobody refuses, and a stated reason why that does no harm.</summary>
    Harmless,

    /// <summary>The store alone cannot show it; a checkpoint that was kept elsewhere does, and did.</summary>
    Outside,

    /// <summary>There is no such change, for a stated reason.</summary>
    None,
}

/// <summary>The tamper matrix: what is changed, by how, and each cell with its verdicts. A cell without one fails the test.</summary>
internal sealed class TamperTable
{
    /// <summary>How somebody changes something.</summary>
    public static readonly string[] Operations =
    [
        "flip a bit", "replace", "swap two", "delete", "duplicate", "reorder", "truncate", "re-type JSON", "put back an old value",
        "move to another aggregate", "recompute everything",
    ];

    readonly List<string> _places = [];
    readonly Dictionary<(string Place, string Operation), SortedSet<string>> _cells = [];
    readonly List<string> _reasons = [];
    readonly int[] _counts = new int[4];

    public List<string> Holes { get; } = [];

    public int Changes => _counts.Sum();

    /// <summary>A row of the table; in the order in which they were begun.</summary>
    public void Begin(string place)
    {
        if (!_places.Contains(place))
            _places.Add(place);
    }

    public void Add(string place, string operation, TamperVerdict verdict, string? reason = null)
    {
        Begin(place);
        Assert.Contains(operation, Operations);
        if (!_cells.TryGetValue((place, operation), out var verdicts))
            _cells[(place, operation)] = verdicts = new(StringComparer.Ordinal);
        _counts[(int)verdict]++;
        verdicts.Add(verdict switch
        {
            TamperVerdict.Found => "found",
            TamperVerdict.Harmless => $"harmless{Note(reason!)}",
            TamperVerdict.Outside => "outside",
            TamperVerdict.None => $"–{Note(reason!)}",
        });
    }

    public void Hole(string place, string operation, string what) => Holes.Add($"{place} × {operation}: {what}");

    /// <summary>Cells that nothing was done for: the matrix would be silent there.</summary>
    public IEnumerable<string> Silent() =>
        from place in _places
        from operation in Operations
        where !_cells.ContainsKey((place, operation))
        select $"{place} × {operation}";

    /// <summary>Cells of the table by their verdict, and the changes that were made for them.</summary>
    public string Summary() => string.Create(
        CultureInfo.InvariantCulture,
        $"{_cells.Count} cells: {Cells("found")} found, {Cells("harmless")} with something harmless, {Cells("outside")} need an outside checkpoint, {Cells("–")} have nothing to change. "
        + $"{_counts[0] + _counts[1] + _counts[2]} changes were made: {_counts[0]} found, {_counts[1]} harmless, {_counts[2]} found by an outside checkpoint, {Holes.Count} silent.");

    int Cells(string verdict) => _cells.Values.Count(verdicts => verdicts.Any(text => text.StartsWith(verdict, StringComparison.Ordinal)));

    public string Markdown()
    {
        var text = new StringBuilder("""
            # The tamper matrix

            Written by a test (`CompleteTamperMatrixTests`; `UPDATE_GOLDEN=1` writes it anew): what somebody can change in a data directory, how, and
            who notices. Every change is made on a store with one of everything, encrypted and plain, and everything that can be read is
            compared with before.

            * **found**: the open is refused, or a read of it, or `dbx verify --all`. A checksum computed anew does not help; neither does the
              data key, where it says so below.
            * **harmless**: nobody refuses, for the reason in the note.
            * **outside**: everything was computed anew from end to end, watermark and all. `verify` passes; the test shows that a checkpoint
              kept elsewhere from before is no prefix of what is there now.
            * **–**: there is no such change.


            """.ReplaceLineEndings("\n"));
        text.Append("| What | ").AppendJoin(" | ", Operations).Append(" |\n|---|").Insert(text.Length, "---|", Operations.Length).Append('\n');
        foreach (var place in _places)
        {
            text.Append(CultureInfo.InvariantCulture, $"| {place} | ");
            text.AppendJoin(" | ", Operations.Select(operation => _cells.TryGetValue((place, operation), out var verdicts) ? string.Join(", ", verdicts) : "**silent**")).Append(" |\n");
        }

        text.Append('\n');
        for (var i = 0; i < _reasons.Count; i++)
            text.Append(CultureInfo.InvariantCulture, $"{i + 1}. {_reasons[i]}\n");
        return text.ToString();
    }

    string Note(string reason)
    {
        if (!_reasons.Contains(reason))
            _reasons.Add(reason);
        return string.Create(CultureInfo.InvariantCulture, $" ({_reasons.IndexOf(reason) + 1})");
    }
}
