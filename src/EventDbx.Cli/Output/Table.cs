using Spectre.Console;

namespace EventDbx.Cli.Output;

/// <summary>Rows of one shape: a drawn table on a terminal, <c>name=value name=value</c> lines for everything else.</summary>
internal sealed class Table(params IReadOnlyList<string> columns)
{
    /// <summary>Columns whose values are read as one: a number or a time over two lines is none.</summary>
    static readonly string[] NeverBroken = ["version", "created_at", "updated_at", "position"];

    readonly List<string[]> _rows = [];

    /// <param name="values">One for each column; what would steer a terminal or begin a line is shown escaped.</param>
    public void Add(params string[] values)
    {
        if (values.Length != columns.Count)
            throw new ArgumentException($"A row of this table has {columns.Count} values.", nameof(values));
        _rows.Add([.. values.Select(PlainText.Of)]);
    }

    public Task WriteAsync(Shell shell)
    {
        if (shell.OutIsTerminal)
        {
            Draw(shell);
            return Task.CompletedTask;
        }

        foreach (var row in _rows)
            shell.Out.WriteLine(string.Join(' ', columns.Select((column, i) => $"{column}={row[i]}")));
        return Task.CompletedTask;
    }

    void Draw(Shell shell)
    {
        if (_rows.Count == 0)
            return;

        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(shell.Out),
            Ansi = shell.Colour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = shell.Colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
        });
        var drawn = new Spectre.Console.Table { Border = TableBorder.Simple };
        foreach (var column in columns)
            drawn.AddColumn(new TableColumn(new Markup(Markup.Escape(column), new Style(decoration: Decoration.Bold))) { NoWrap = NeverBroken.Contains(column) });
        foreach (var row in _rows)
            drawn.AddRow(row.Select(value => new Text(value)));
        console.Write(drawn);
    }
}
