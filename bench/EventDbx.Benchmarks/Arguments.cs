using System.Globalization;

namespace EventDbx.Benchmarks;

/// <summary>Pairs of <c>--name value</c>, and bare flags.</summary>
internal sealed class Arguments(string[] words)
{
    public int Int(string name, int otherwise) =>
        Find(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>A length in seconds, fractions too.</summary>
    public TimeSpan Seconds(string name, double otherwise) =>
        TimeSpan.FromSeconds(Find(name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise);

    /// <summary>Numbers with commas between them.</summary>
    public int[] Ints(string name, int[] otherwise) =>
        Find(name) is { } text ? [.. text.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(number => int.Parse(number, CultureInfo.InvariantCulture))] : otherwise;

    public string? Text(string name) => Find(name);

    /// <summary>Words with commas between them.</summary>
    public string[] Texts(string name) => Find(name)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [];

    public bool Flag(string name) => words.Contains($"--{name}");

    /// <summary>The same, with other pairs taken first.</summary>
    public Arguments With(params string[] first) => new([.. first, .. words]);

    /// <summary>A new, empty directory under <c>--dir</c>; the disk it is on is the disk that is measured.</summary>
    public ScratchDirectory Scratch() =>
        new(Find("dir") ?? throw new ArgumentException("Say --dir: the disk it is on is the disk that is measured."));

    string? Find(string name)
    {
        var at = Array.IndexOf(words, $"--{name}");
        return at < 0 ? null : words[at + 1];
    }
}

/// <summary>A directory that is gone when the measurement is.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    public ScratchDirectory(string under)
    {
        var name = $"bench-{Environment.ProcessId}-{Stopwatch.GetTimestamp():x}";
        Path = Directory.CreateDirectory(System.IO.Path.Combine(under, name)).FullName;
    }

    public string Path { get; }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
