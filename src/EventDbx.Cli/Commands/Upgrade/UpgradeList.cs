using System.Text;
using EventDbx.Cli.Output;
using EventDbx.Server;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Commands.Upgrade;

/// <summary><c>dbx upgrade list</c>: the releases that there are.</summary>
internal static class UpgradeList
{
    public const string Name = "list";

    const int LimitDefault = 20;

    static readonly Option<long?> Limit = Options.WholeNumber("--limit", $"Releases at most (default: {LimitDefault}).", min: 1, max: ServerLimits.ReleasesListedMax, "-n");

    public static Verb Create() => new(Name, "List the releases that there are, newest first.")
    {
        Options = { Limit },
        Examples =
        [
            new("dbx upgrade list", "The newest ones."),
            new("dbx upgrade list -n 100 --json", "A hundred, as JSON."),
        ],
        Check = static call =>
        {
            if (UpgradeCommand.NotBelow.FirstOrDefault(call.Has) is { } other)
                throw new UsageException($"`{other.Name}` is of `dbx upgrade`, and goes with no list.");
        },
        Run = RunAsync,
    };

    public static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        using var server = UpgradeCommand.OpenServer(call.Shell);
        var releases = await server.ListAsync((int)(call.Get(Limit) ?? LimitDefault), cancellation).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(releases) : Text(releases)).ConfigureAwait(false);
        return ExitCode.Done;
    }

    static string Text(IReadOnlyList<ListedRelease> releases)
    {
        if (releases.Count == 0)
            return "(no releases found)\n";
        StringBuilder text = new();
        foreach (var release in releases)
        {
            string[] flags = [.. new[] { release.Prerelease ? "prerelease" : null, release.Draft ? "draft" : null }.OfType<string>()];
            text.Append(PlainText.Line(string.Join("  ", new[] { release.Tag, release.PublishedAt, flags.Length > 0 ? $"[{string.Join(", ", flags)}]" : null }.OfType<string>())));
        }

        return text.ToString();
    }

    static string Json(IReadOnlyList<ListedRelease> releases)
    {
        var json = new JsonText().BeginArray();
        foreach (var release in releases)
        {
            json.BeginObject().Member("tag", release.Tag).Member("name", release.Name).Member("published_at", release.PublishedAt)
                .Member("draft", release.Draft).Member("prerelease", release.Prerelease).Member("html_url", release.HtmlUrl).EndObject();
        }

        return json.EndArray().ToString();
    }
}
