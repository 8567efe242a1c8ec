using EventDbx.Cli.Output;
using EventDbx.Server;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Upgrades;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Upgrade;

/// <summary><c>dbx upgrade</c>: puts another release in the place of this one, once it is verified.</summary>
internal static class UpgradeCommand
{
    public const string Name = "upgrade";

    const string Latest = "latest";

    static readonly Slot Wanted = new("--to", "VERSION", "Which release, such as v2.1.0; `latest` is the newest (default).") { Optional = true };

    static readonly Option<bool> PrintOnly = Options.Switch("--print-only", "Print what would be fetched, and where it would go; change nothing.");
    static readonly Option<string> Suppress = Options.Text("--suppress", "VERSION", "Say nothing more of this release after commands; `latest` is the newest.");
    static readonly Option<bool> ClearSuppress = Options.Switch("--clear-suppress", "Tell of newer releases again.");
    static readonly Option<bool> AllowDowngrade = Options.Switch("--allow-downgrade", "Take an older version than this one; it may not read what this one has written.");
    static readonly Option<string> KeysFile = Options.Text("--release-keys", "FILE", $"Trust the public keys in this file, instead of those of this build (default: {ReleaseKeys.FileVariable}).");

    /// <summary>Options that make no sense with a command below this one.</summary>
    public static IReadOnlyList<Option> NotBelow { get; } = [PrintOnly, Suppress, ClearSuppress, AllowDowngrade, KeysFile];

    public static Verb Create()
    {
        var upgrade = new Verb(Name, "Install another release of EventDBX, verified by signature and checksum.", Wanted)
        {
            Remarks =
            [
                "The archive for this machine is fetched from the address of releases, held against the signed list of the very version, unpacked beside this one, started once, and then meant by `dbx`, in one step. " +
                "The version before stays beside it: `dbx upgrade VERSION --allow-downgrade` goes back to it without fetching anything. A server that runs goes on with the version it has until `dbx restart`.",
                $"It replaces what install.sh installed; for a package, a .NET tool, a container or a checkout it names the command that does. {ReleaseServer.AddressVariable} names another address of releases. " +
                "`dbx upgrade@VERSION`, `upgrade@latest` and `upgrade@list` are the same.",
                $"On a terminal, commands tell of a newer release, which they look for every {ServerLimits.ReleaseCheckInterval.TotalHours:0} hours, for a second at most. {UpgradeNotice.OffVariable}, with any value, turns that off.",
            ],
            Options = { PrintOnly, AllowDowngrade, KeysFile, Suppress, ClearSuppress },
            Examples =
            [
                new("dbx upgrade", "To the newest release."),
                new("dbx upgrade v2.2.0 --print-only", "What would be fetched, and where it would go."),
                new("dbx upgrade v2.1.0 --allow-downgrade", "Back to the version before."),
                new("dbx upgrade --suppress latest", "Say nothing more of the newest."),
            ],
            Check = Check,
            Run = RunAsync,
        };
        upgrade.Subcommands.Add(UpgradeList.Create());
        // The parser asks for one of the commands unless there is something to do without.
        upgrade.SetAction(static _ => { });
        return upgrade;
    }

    /// <summary>Arguments in which <c>upgrade@VERSION</c> has become <c>upgrade VERSION</c>; null: they have no such word where a command stands.</summary>
    public static IReadOnlyList<string>? Spelt(IReadOnlyList<string> arguments, ParseResult parse)
    {
        const string Prefix = Name + "@";
        if (parse.CommandResult.Command is not RootCommand || parse.UnmatchedTokens is not [var word, ..] || !word.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        if (parse.UnmatchedTokens is [_, var further, ..])
            throw new UsageException($"unexpected `{further}`: nothing follows `{word}`. Write `dbx upgrade {word[Prefix.Length..]}` with further arguments.");
        var wanted = word[Prefix.Length..] is { Length: > 0 } named ? named : Latest;
        var at = arguments.ToList().IndexOf(word);
        return [.. arguments.Take(at), Name, wanted, .. arguments.Skip(at + 1)];
    }

    /// <summary>Where releases are, as the environment says.</summary>
    public static ReleaseServer OpenServer(Shell shell) =>
        new(shell.Environment(ReleaseServer.AddressVariable) is { } address && !string.IsNullOrWhiteSpace(address) ? address : ReleaseServer.DefaultAddress, shell.Version, shell.Clock);

    static void Check(Call call)
    {
        foreach (var one in (Option[])[Suppress, ClearSuppress])
        {
            if (!call.Has(one))
                continue;
            if (call.Find(Wanted) is not null)
                throw new UsageException($"`{one.Name}` installs nothing, and goes with no {Wanted.ValueName}.");
            foreach (var other in NotBelow.Where(other => other != one))
                call.NotBoth(one, other);
        }
    }

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        if (call.Has(ClearSuppress))
            return await IgnoreAsync(call, null).ConfigureAwait(false);
        using var server = OpenServer(call.Shell);
        if (call.Get(Suppress) is { } suppressed)
        {
            var tag = VersionOf(suppressed)?.Tag ?? (await server.FindLatestAsync(cancellation).ConfigureAwait(false)).Tag;
            return await IgnoreAsync(call, tag).ConfigureAwait(false);
        }

        var asked = call.Find(Wanted) ?? Latest;
        if (asked.TrimStart('@') == UpgradeList.Name)
            return await UpgradeList.RunAsync(call, cancellation).ConfigureAwait(false);
        return await InstallAsync(call, server, VersionOf(asked), cancellation).ConfigureAwait(false);
    }

    /// <param name="call">The command line.</param>
    /// <param name="server">Where releases are.</param>
    /// <param name="wanted">Null: the newest.</param>
    /// <param name="cancellation">Gives it up.</param>
    static async Task<ExitCode> InstallAsync(Call call, ReleaseServer server, ReleaseVersion? wanted, CancellationToken cancellation)
    {
        var running = VersionOf(call.Shell.Version)!;
        Demand(call, wanted, running);
        var place = Installation.Of(call.Shell.Self, call.Shell.Environment);
        var root = (place as Installation.Versioned)?.Root;
        if (wanted is not null && wanted == running)
            return await SayAsync(call, running, $"EventDBX {running} is installed already.").ConfigureAwait(false);
        if (place is Installation.Managed { What: var what, Advice: var advice } && !call.Get(PrintOnly))
            throw new RefusedException(RefusalCode.InvalidArgument, $"{what}, and is not replaced from here. What does it: {advice}.");

        var keys = await KeysAsync(call, cancellation).ConfigureAwait(false);
        var upgrader = root is null ? null : new Upgrader(root, server, keys, call.Shell.Clock);
        if (wanted is not null && await IsHereAsync(call, upgrader, wanted, cancellation).ConfigureAwait(false))
            return await SayHereAsync(call, wanted, root!).ConfigureAwait(false);

        var release = wanted is null ? await server.FindLatestAsync(cancellation).ConfigureAwait(false) : await server.FindAsync(wanted, cancellation).ConfigureAwait(false);
        if (wanted is null)
        {
            Remember(call, release.Tag);
            wanted = ReleaseVersion.TryParse(release.Tag, out var latest) ? latest : throw new IOException($"The newest release is called \"{PlainText.Of(release.Tag)}\", which is no version.");
            if (wanted <= running)
                return await SayAsync(call, running, wanted == running ? $"EventDBX {running} is the newest release." : $"EventDBX {running} is newer than the newest release, {wanted.Tag}.").ConfigureAwait(false);
            if (await IsHereAsync(call, upgrader, wanted, cancellation).ConfigureAwait(false))
                return await SayHereAsync(call, wanted, root!).ConfigureAwait(false);
        }

        if (place is Installation.Managed { Advice: var instead })
            return await SayAsync(call, wanted, $"Installing EventDBX CLI ({wanted.Tag}) via: {instead}").ConfigureAwait(false);
        if (keys.Count == 0 && !call.Get(PrintOnly))
            throw Upgrader.NoKeys();
        var plan = await upgrader!.PlanAsync(release, wanted, cancellation).ConfigureAwait(false);
        if (!call.Json)
            await call.Shell.Out.WriteAsync(Text(plan)).ConfigureAwait(false);
        if (!call.Get(PrintOnly))
            await InstallAsync(call, upgrader, plan, cancellation).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(plan, installed: !call.Get(PrintOnly))
            : call.Get(PrintOnly) ? "" : $"`dbx` is EventDBX {wanted} from now on; {running} stays beside it.\n").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static async Task InstallAsync(Call call, Upgrader upgrader, UpgradePlan plan, CancellationToken cancellation)
    {
        await call.Shell.Out.FlushAsync(cancellation).ConfigureAwait(false);
        using (var progress = new Progress(call.Shell, "bytes"))
        {
            await upgrader.InstallAsync(plan, new Told(sofar => progress.Report(sofar.Bytes, sofar.InAll is > 0 and var all ? (double)sofar.Bytes / all : null)), cancellation)
                .ConfigureAwait(false);
        }

        await call.NoteAsync("A server that runs goes on with the version it has until `dbx restart`.").ConfigureAwait(false);
    }

    /// <summary>Whether a version lies here and runs; then it is meant from now on, unless only that is asked.</summary>
    static async Task<bool> IsHereAsync(Call call, Upgrader? upgrader, ReleaseVersion wanted, CancellationToken cancellation)
    {
        if (upgrader?.Has(wanted) != true)
            return false;
        if (call.Get(PrintOnly))
            return true;
        try
        {
            await upgrader.SwitchAsync(wanted, cancellation).ConfigureAwait(false);
            return true;
        }
        catch (RefusedException broken) when (broken.Refusal.Code == RefusalCode.InvalidArgument)
        {
            await call.NoteAsync($"{broken.Message} It is fetched anew.").ConfigureAwait(false);
            return false;
        }
    }

    static Task<ExitCode> SayHereAsync(Call call, ReleaseVersion wanted, string root) =>
        SayAsync(call, wanted, call.Get(PrintOnly) ? $"EventDBX {wanted} lies in {root} already; `dbx` would mean it." : $"`dbx` is EventDBX {wanted} from now on.");

    static void Demand(Call call, ReleaseVersion? wanted, ReleaseVersion running)
    {
        if (wanted is null)
            return;
        if (wanted < ReleaseVersion.Minimum)
            throw new RefusedException(RefusalCode.InvalidArgument, $"{wanted.Tag} cannot be installed: the minimum supported version is {ReleaseVersion.Minimum.Tag}.");
        if (wanted < running && !call.Get(AllowDowngrade))
        {
            throw new RefusedException(RefusalCode.InvalidArgument,
                $"{wanted.Tag} is older than this version, {running}, and may not read what this one has written. Make a backup with this version, and give `{AllowDowngrade.Name}` to take it all the same.");
        }
    }

    /// <summary>Null: the newest.</summary>
    static ReleaseVersion? VersionOf(string text)
    {
        var plain = text.Trim();
        plain = plain.StartsWith('@') ? plain[1..] : plain;
        return plain.Length == 0 || plain.Equals(Latest, StringComparison.OrdinalIgnoreCase) ? null
            : ReleaseVersion.TryParse(plain, out var version) ? version
            : throw new UsageException($"`{text}` is no version: v2.1.0, 2.1.0, or latest.");
    }

    static async Task<IReadOnlyList<NoteKey>> KeysAsync(Call call, CancellationToken cancellation)
    {
        var named = call.Get(KeysFile) ?? call.Shell.Environment(ReleaseKeys.FileVariable);
        if (string.IsNullOrWhiteSpace(named))
            return call.Has(KeysFile) ? throw new UsageException($"`{KeysFile.Name}` is empty; give it a file.") : ReleaseKeys.OfBuild();
        var path = call.Shell.Resolve(named);
        var bytes = await Task.Run(() => DurableFile.Read(path, ReleaseKeys.BytesMax), cancellation).ConfigureAwait(false)
            ?? throw new RefusedException(RefusalCode.NotFound, $"There is no file {path} with keys of releases.");
        var keys = ReleaseKeys.Read(System.Text.Encoding.UTF8.GetString(bytes), path);
        return keys.Count > 0 ? keys : throw new RefusedException(RefusalCode.InvalidArgument, $"{path} has no key of releases in it.");
    }

    /// <summary>Keeps the tag of which nobody is to be told; null: of all.</summary>
    static async Task<ExitCode> IgnoreAsync(Call call, string? tag)
    {
        PrivateDirectory.Create(call.DefaultRoot);
        (StateOf(call, out var unreadable) with { IgnoredVersion = tag }).Write(call.DefaultRoot);
        if (unreadable is not null)
            await call.NoteAsync($"Warning: {unreadable}").ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? new JsonText().BeginObject().Member("ignored_version", tag).EndObject().ToString()
            : tag is null ? "Upgrade reminders have been re-enabled.\n" : $"Suppressing upgrade reminders for {PlainText.Line(tag)}").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static void Remember(Call call, string tag)
    {
        try
        {
            (StateOf(call, out _) with { LatestKnownVersion = tag, LastChecked = call.Shell.Clock.GetUtcNow().ToUnixTimeSeconds() }).Write(call.DefaultRoot);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // It is asked for again next time.
        }
    }

    static UpgradeState StateOf(Call call, out string? unreadable) => UpgradeState.Read(call.DefaultRoot, out unreadable);

    static async Task<ExitCode> SayAsync(Call call, ReleaseVersion version, string line)
    {
        await call.Shell.Out.WriteAsync(call.Json ? new JsonText().BeginObject().Member("tag", version.Tag).Member("message", line).EndObject().ToString() : line + "\n").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static string Text(UpgradePlan plan) =>
        $"Installing EventDBX CLI ({plan.Version.Tag}) via: {PlainText.Line(plan.Archive.Address.AbsoluteUri)}"
        + $"  checksums: {PlainText.Line(plan.Checksums.Address.AbsoluteUri)}"
        + (plan.Sha256 is { } hash ? $"  SHA-256:   {hash}\n  signed by: {plan.SignedBy}\n" : "  SHA-256:   not known, for this build trusts no key of releases (`--release-keys`)\n")
        + $"  into:      {PlainText.Line(plan.Target)}";

    static string Json(UpgradePlan plan, bool installed) => new JsonText().BeginObject()
        .Member("tag", plan.Version.Tag).Member("archive", plan.Archive.Address.AbsoluteUri).Member("checksums", plan.Checksums.Address.AbsoluteUri)
        .Member("sha256", plan.Sha256).Member("signed_by", plan.SignedBy).Member("target", plan.Target).Member("installed", installed).EndObject().ToString();

    /// <summary>Tells at once, in order; the framework's would hand it to another thread.</summary>
    sealed class Told(Action<(long Bytes, long? InAll)> tell) : IProgress<(long Bytes, long? InAll)>
    {
        public void Report((long Bytes, long? InAll) value) => tell(value);
    }
}
