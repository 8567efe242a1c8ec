namespace EventDbx.Benchmarks.Rest;

/// <summary>What a person waits for: help, and a server that answers. Commands in turns.</summary>
internal static class StartBenchmark
{
    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        var rounds = arguments.Int("rounds", 20);
        List<(string What, Func<double> Milliseconds)> subjects =
        [
            ("the smallest program: true", () => TimeRun("true")),
            ("./dbx --help: the script, then .NET", () => TimeRun(Path.Combine(Checkout.Root, "dbx"), "--help")),
            ("dbx --help, .NET", () => TimeRun(DbxPrograms.Managed, "--help")),
            ("dbx start, .NET, new store: to the first answer", () => TimeStart(scratch, DbxPrograms.Managed, "new")),
            ("dbx start, .NET, 10,000 events: to the first answer", () => TimeStart(scratch, DbxPrograms.Managed, "filled")),
        ];
        if (DbxPrograms.Native(arguments) is { } native)
        {
            subjects.AddRange([
                ("dbx --help, native", () => TimeRun(native, "--help")),
                ("dbx start, native, new store: to the first answer", () => TimeStart(scratch, native, "new")),
                ("dbx start, native, 10,000 events: to the first answer", () => TimeStart(scratch, native, "filled")),
            ]);
        }

        Fill(scratch);
        var times = subjects.ToDictionary(subject => subject.What, _ => new List<double>());
        for (var round = -1; round < rounds; round++)
        {
            foreach (var (what, milliseconds) in subjects)
            {
                var took = milliseconds();
                // The first round finds the files in no cache, and the script may build.
                if (round >= 0)
                    times[what].Add(took);
            }
        }

        Report report = new("what", "p50 ms", "best ms", "worst ms");
        foreach (var (what, took) in times)
            report.Row(what, $"{Median.Of(took):n1}", $"{took.Min():n1}", $"{took.Max():n1}");
    }

    static void Fill(ScratchDirectory scratch)
    {
        using var server = DbxServer.Start(DbxPrograms.Managed, Path.Combine(scratch.Path, "filled"));
        server.Fill(server.IssueToken(), new(seed: 1), Receipts.Aggregates(10_000));
    }

    static double TimeRun(string program, params string[] arguments)
    {
        var startedAt = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        var took = Stopwatch.GetElapsedTime(startedAt).TotalMilliseconds;
        return process.ExitCode == 0 ? took : throw new IOException($"{program} ended with {process.ExitCode}.");
    }

    /// <param name="home">A store of this name; "new" is made anew each time.</param>
    static double TimeStart(ScratchDirectory scratch, string program, string home)
    {
        var path = Path.Combine(scratch.Path, home);
        var startedAt = Stopwatch.GetTimestamp();
        double took;
        using (DbxServer.Start(program, path))
            took = Stopwatch.GetElapsedTime(startedAt).TotalMilliseconds;
        if (home == "new")
            Directory.Delete(path, recursive: true);
        return took;
    }
}

/// <summary>The two forms of <c>dbx</c>.</summary>
internal static class DbxPrograms
{
    /// <summary>As <c>./dbx</c> builds it; built anew where it is not there, or older than its sources.</summary>
    public static string Managed { get; } = Build();

    /// <param name="arguments"><c>--native DIR</c>: what <c>tools/publish-aot.sh DIR</c> made.</param>
    /// <returns>Null when nobody asked for it.</returns>
    public static string? Native(Arguments arguments) => arguments.Text("native") is { } directory ? Path.Combine(directory, "dbx") : null;

    static string Build()
    {
        using var script = Process.Start(new ProcessStartInfo(Path.Combine(Checkout.Root, "dbx"), ["--version"]) { RedirectStandardOutput = true })!;
        script.StandardOutput.ReadToEnd();
        script.WaitForExit();
        return Path.Combine(Checkout.Root, "artifacts", "bin", "EventDbx.Cli", "release", "dbx");
    }
}
