namespace EventDbx.Transfer;

/// <summary>Where an export goes.</summary>
/// <remarks>
/// <code>
/// several types        a directory, made if need be
/// one type             an existing file, or a path that is not there and ends in .csv (.json): that file; else a directory
/// zip, a directory     TYPE_csv.zip in it, or aggregates_csv.zip for several types
/// zip, else            the path, with .zip for its extension
/// </code>
/// A path that ends in a separator is a directory.
/// </remarks>
public sealed record ExportTarget(bool Zip, IReadOnlyList<string> Paths)
{
    /// <param name="request">What was asked for.</param>
    /// <param name="names">Of the types' files, without extension.</param>
    /// <exception cref="IOException">What is there is of the wrong kind.</exception>
    public static ExportTarget Choose(ExportRequest request, IReadOnlyList<string> names)
    {
        var format = NameOf(request.Format);
        var output = request.Output;
        var isDirectory = Directory.Exists(output) || Path.EndsInDirectorySeparator(output);
        if (request.Zip)
            return new(true, [Whole(isDirectory ? Path.Combine(output, $"{(names.Count == 1 ? names[0] : "aggregates")}_{format}.zip") : WithZip(output))]);
        if (names.Count == 1 && !isDirectory && (File.Exists(output) || string.Equals(Path.GetExtension(output), $".{format}", StringComparison.OrdinalIgnoreCase)))
            return new(false, [Whole(output)]);
        if (File.Exists(output))
            throw new IOException($"{output} is a file; the files of {names.Count} aggregate types go into a directory, or with zip into one archive.");
        return new(false, [.. names.Select(name => Whole(Path.Combine(output, $"{name}.{format}")))]);
    }

    /// <summary>The extension.</summary>
    public static string NameOf(ExportFormat format) => format switch
    {
        ExportFormat.Csv => "csv",
        ExportFormat.Json => "json",
    };

    /// <summary>The path of a file that may be replaced.</summary>
    /// <exception cref="IOException">A directory or a device is there.</exception>
    public static string Whole(string path)
    {
        if (Directory.Exists(path))
            throw new IOException($"{path} is a directory, where the export's file would be.");
        // To replace a device by a file would be a surprise to everybody.
        if (!OperatingSystem.IsWindows() && (path.StartsWith("/dev/", StringComparison.Ordinal) || path.StartsWith("/proc/", StringComparison.Ordinal)))
            throw new IOException($"{path} is no place for a file: an export is written beside its name, and gets it when it is whole.");
        return path;
    }

    static string WithZip(string path) =>
        string.Equals(Path.GetExtension(path), ".zip", StringComparison.OrdinalIgnoreCase) ? path : Path.ChangeExtension(path, ".zip");
}
