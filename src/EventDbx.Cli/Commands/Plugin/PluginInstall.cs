using System.Globalization;
using EventDbx.Server.Plugins.Install;

namespace EventDbx.Cli.Commands.Plugin;

/// <summary><c>dbx plugin install</c>: a program that process plugins can be.</summary>
internal static class PluginInstall
{
    static readonly Slot Name = new("--plugin", "PLUGIN", "The plugin's identifier, such as dbx_search.");
    static readonly Slot Version = new("--version", "VERSION", "Its version, such as 1.0.0.");

    static readonly Option<string> Source = Options.Text("--source", "PATH|URL", "A zip, a tar.gz or a single program: a file, or an https address.", "-s");
    static readonly Option<string> Bin = Options.Text("--bin", "FILE", "Which file of the bundle is the program (default: the only one, or the one named like the plugin).");
    static readonly Option<string> Checksum = Options.Text("--checksum", "SHA256", "What the bundle must be, in hex; demanded for http.");
    static readonly Option<bool> Force = Options.Switch("--force", "Instead of the same version, if it is installed.");

    public static Verb Create() => new("install", "Install a program for process plugins, with or without a server running.", Name, Version)
    {
        Remarks =
        [
            "It goes to `plugins/PLUGIN/VERSION/TARGET` in the data directory, whole or not at all; what is there stays until all of it is unpacked. " +
            "Nothing of a bundle is written elsewhere. Then `dbx plugin config process` makes a plugin of it.",
        ],
        Examples =
        [
            new("dbx plugin install dbx_search 1.0.0 --source ./dbx_search.tar.gz", "From a file."),
            new("dbx plugin install dbx_search 1.0.0 --source https://dl.example/dbx_search.zip --bin dbx_search", "From an address."),
        ],
        Options = { Source, Bin, Checksum, Force },
        Check = call =>
        {
            if (call.Get(Source) is null)
                throw new UsageException($"where from? `{Source.Name} PATH|URL`.");
        },
        Run = RunAsync,
    };

    /// <summary>What a process plugin is to be must be installed here, for this machine.</summary>
    /// <exception cref="RefusedException">It is not.</exception>
    public static void DemandInstalled(Call call, string id, string version)
    {
        if (id.Length == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "plugin identifier cannot be empty.");
        if (version.Length == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "plugin version cannot be empty.");
        var registry = new PluginRegistry(call.LoadConfig().Config.DataDir);
        if (registry.Find(id, version) is not null)
            return;
        var known = registry.List();
        var versions = known.Where(plugin => plugin.Name == id && plugin.Target == PluginTarget.Current).Select(plugin => plugin.Version).ToList();
        throw new RefusedException(
            RefusalCode.NotFound,
            $"plugin '{id}' version {version} is not installed for target {PluginTarget.Current}{(versions.Count > 0
                ? $" (installed: {string.Join(", ", versions)})" : NearestName.Hint(id, known.Select(plugin => plugin.Name)))}; run `dbx plugin install` first.");
    }

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var source = call.Get(Source)!;
        InstallRequest request = new()
        {
            Name = call[Name],
            Version = call[Version],
            // A file is relative to where the command runs.
            Source = source.Contains("://", StringComparison.Ordinal) || string.IsNullOrWhiteSpace(source) ? source : call.Shell.Resolve(source.Trim()),
            Bin = call.Get(Bin),
            Checksum = call.Get(Checksum),
            Force = call.Get(Force),
        };
        InstalledPlugin installed;
        using (var bar = new Bar(call.Shell))
            installed = await new PluginInstaller(call.LoadConfig().Config.DataDir, call.Shell.Clock).InstallAsync(request, bar, cancellation).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(installed) : PlainText.Line(
            $"installed plugin '{installed.Name}' v{installed.Version} for {installed.Target} at {installed.BinaryPath}")).ConfigureAwait(false);
        return ExitCode.Done;
    }

    /// <summary>The record of the registry.</summary>
    static string Json(InstalledPlugin plugin)
    {
        var json = new JsonText().BeginObject()
            .Member("name", plugin.Name).Member("version", plugin.Version).Member("target", plugin.Target)
            .Member("install_dir", plugin.InstallDirectory).Member("binary_path", plugin.BinaryPath);
        if (plugin.Source is { } source)
            json.Name("source").BeginObject().Member("type", source.IsRemote ? "remote" : "local").Member(source.IsRemote ? "registry" : "path", source.Place).EndObject();
        else
            json.Member("source", null);
        return json.Member("checksum", plugin.Checksum).Member("installed_at", plugin.InstalledAt.ToString()).EndObject().ToString();
    }

    /// <summary>Bytes that have come, then bytes that are unpacked.</summary>
    sealed class Bar(Shell shell) : IProgress<InstallProgress>, IDisposable
    {
        Progress _bar = new(shell, "bytes fetched");
        InstallStep _step = InstallStep.Fetching;

        public void Report(InstallProgress value)
        {
            if (value.Step != _step)
            {
                _bar.Dispose();
                (_bar, _step) = (new(shell, "bytes unpacked"), value.Step);
            }

            _bar.Report(value.Bytes, value.BytesInAll is > 0 and var all ? (double)value.Bytes / all : null);
        }

        public void Dispose() => _bar.Dispose();
    }
}
