using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Tests.Upgrades;

/// <summary>An installation as install.sh lays it out, in a directory of the test, and a server of releases.</summary>
internal sealed class UpgradeBench : IAsyncDisposable
{
    public const string Old = "2.0.0";

    public UpgradeBench()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The programs of these releases are shell scripts.");
        Install(Old);
        File.CreateSymbolicLink(Path.Combine(Root, "current"), Old);
        Directory.CreateDirectory(Line.Directory["prefix/bin"]);
        File.CreateSymbolicLink(Bin, "../lib/eventdbx/current/dbx");
        Line.Directory.Write(".eventdbx/config.toml", "port = 7070\n");
        Line.Self = [Path.Combine(Root, Old, "dbx")];
        Line.Version = Old;
        Line.Environment["EVENTDBX_RELEASES_URL"] = Stand.Address;
        Line.Environment["EVENTDBX_RELEASE_KEYS"] = Line.Directory.Write("keys", $"# of the test\n{Stand.PublicKey}\n");
    }

    public CommandLine Line { get; } = new();

    public ReleaseStand Stand { get; } = new();

    public string Root => Line.Directory["prefix/lib/eventdbx"];

    public string Bin => Line.Directory["prefix/bin/dbx"];

    /// <summary>What <c>dbx</c> means.</summary>
    public string Current => new FileInfo(Path.Combine(Root, "current")).LinkTarget!;

    /// <summary>The versions beside each other, and whatever else lies there, but for the lock.</summary>
    public IEnumerable<string> Laid => Directory.EnumerateFileSystemEntries(Root).Select(Path.GetFileName).Where(static name => name is not (".lock" or "current")).Order(StringComparer.Ordinal)!;

    public static string ArchiveOf(string version) => ReleaseVersion.TryParse(version, out var parsed) ? UpgradePlan.ArchiveOf(parsed) : throw new ArgumentException(version);

    public void Install(string version)
    {
        var program = Line.Directory.Write($"prefix/lib/eventdbx/{version}/dbx", ReleaseStand.Program(version));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
    }

    /// <summary>What starting it says.</summary>
    public async Task<string> SaidAsync() => (await CompletionTests.RunAsync(Bin, "", "--version")).Out.Trim();

    public async ValueTask DisposeAsync()
    {
        await Stand.DisposeAsync();
        Line.Dispose();
    }
}
