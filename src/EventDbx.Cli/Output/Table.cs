using Spectre.Console;

namespace EventDbx.Cli.Output;

/// <summary>Rows of one shape: a drawn table on a terminal, <c>name=value name=value</c> lines for everything else.</summary>
internal sealed class Table(params IReadOnlyList<string> columns)
{
    readonly List<string[]> _rows = [];

    /// <param name="values">One for each column.</param>
    public void Add(params string[] values)
    {
        if (values.Length != columns.Count)
            throw new ArgumentException($"A row of this table has {columns.Count} values.", nameof(values));
        _rows.Add(values);
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
            drawn.AddColumn(new TableColumn(new Markup(Markup.Escape(column), new Style(decoration: Decoration.Bold))));
        foreach (var row in _rows)
            drawn.AddRow(row.Select(value => new Text(value)));
        console.Write(drawn);
    }
}
