namespace EventDbx.Transfer;

/// <summary>How states are written.</summary>
public enum ExportFormat
{
    /// <summary>A line for each aggregate, a column for each field that one of its type has.</summary>
    Csv,

    /// <summary>An array of objects.</summary>
    Json,
}

/// <summary>What is exported, how, and where to.</summary>
public sealed record ExportRequest
{
    /// <summary>Only aggregates of this type; null: all.</summary>
    public string? Type { get; init; }

    /// <summary>As they were at a moment; null: now.</summary>
    public Timestamp? At { get; init; }

    /// <summary>A file or a directory, by the rules of <see cref="ExportTarget"/>; an absolute path.</summary>
    public required string Output { get; init; }

    public ExportFormat Format { get; init; }

    /// <summary>All files in one ZIP archive.</summary>
    public bool Zip { get; init; }

    /// <summary>JSON over many lines.</summary>
    public bool Pretty { get; init; }

    /// <summary>CSV in which no cell is a formula to a spreadsheet.</summary>
    public bool CsvSafe { get; init; }
}

/// <summary>What an export is at.</summary>
public enum ExportPhase
{
    /// <summary>Seeing which types and which fields there are.</summary>
    Survey,

    Aggregates,

    Events,
}

/// <summary>How far an export is.</summary>
/// <param name="Phase">What it is at.</param>
/// <param name="Done">Aggregates, or events, so far.</param>
/// <param name="Fraction">Of the whole, 0 to 1; null when nobody knows the whole.</param>
public readonly record struct ExportProgress(ExportPhase Phase, long Done, double? Fraction);

/// <summary>A file that was written.</summary>
public sealed record ExportedFile(string Path, long Bytes);

/// <summary>What an export did. Without files there was nothing to export, and nothing was written.</summary>
/// <param name="Files">One for each type, or one archive, or the events.</param>
/// <param name="Types">Aggregate types; 0 for events.</param>
/// <param name="Rows">Aggregates, or events.</param>
/// <param name="Elapsed">From the first page read to the last file renamed.</param>
public sealed record ExportSummary(IReadOnlyList<ExportedFile> Files, int Types, long Rows, TimeSpan Elapsed)
{
    /// <summary>Of all files, as they lie on the disk.</summary>
    public long Bytes => Files.Sum(static file => file.Bytes);
}
