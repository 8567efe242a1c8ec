using System.Globalization;

namespace EventDbx.Benchmarks.Rest;

/// <summary>A private PostgreSQL under the directory that is measured; <c>tools/bench-postgres.sh</c> makes it and stops it.</summary>
internal sealed class PostgresCluster : IDisposable
{
    readonly string _directory;
    readonly int _postmaster;

    public PostgresCluster(string directory)
    {
        _directory = directory;
        var said = Script("start").Split(' ', StringSplitOptions.TrimEntries)
            .Select(word => word.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1]);
        _postmaster = int.Parse(said["pid"], CultureInfo.InvariantCulture);
        Version = said["version"];
        // What is cheapest: the Unix socket, statements prepared by themselves, nothing reset between two callers.
        ConnectionString =
            $"Host={said["socket"]};Port={said["port"]};Username=postgres;Database=postgres;Max Auto Prepare=20;No Reset On Close=true;Maximum Pool Size=64";
    }

    public string Version { get; }

    public string ConnectionString { get; }

    /// <summary>Of the postmaster, its backends and its writers.</summary>
    public TimeSpan Processor => ProcessUsage.ProcessorWithChildren(_postmaster);

    public void Dispose() => Script("stop");

    string Script(string verb)
    {
        using var script = Process.Start(new ProcessStartInfo(Path.Combine(Checkout.Root, "tools", "bench-postgres.sh"), [verb, _directory])
        {
            RedirectStandardOutput = true,
        })!;
        var said = script.StandardOutput.ReadToEnd();
        script.WaitForExit();
        return script.ExitCode == 0 ? said : throw new IOException($"tools/bench-postgres.sh {verb} ended with {script.ExitCode}.");
    }
}

/// <summary>Where the sources are.</summary>
internal static class Checkout
{
    public static string Root { get; } = Find(AppContext.BaseDirectory);

    static string Find(string directory) => File.Exists(Path.Combine(directory, "EventDbx.slnx"))
        ? directory
        : Find(Path.GetDirectoryName(directory) ?? throw new DirectoryNotFoundException("Run the benchmarks from a checkout."));
}
