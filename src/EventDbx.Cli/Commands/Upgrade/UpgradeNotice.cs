using EventDbx.Server;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Commands.Upgrade;

/// <summary>After a command: that there is a newer release. To people alone, on a terminal, and a second at most.</summary>
/// <remarks>
/// What is known stands in a file. Where it is six hours old the address of releases is asked beside the command; once that has ended, and all that it says is written,
/// what is left of the second is waited for an answer. Whatever comes of it, the next look is in six hours: that is written down before anybody is asked, and where it cannot be, nobody is.
/// </remarks>
internal sealed class UpgradeNotice
{
    /// <summary>With any value: nobody looks, and nothing is said.</summary>
    public const string OffVariable = "DBX_NO_UPGRADE_CHECK";

    /// <summary>Commands that serve or start what serves, whose output others read, that look at a data directory as it is or leave none, or that are about releases themselves.</summary>
    static readonly string[] Silent = ["start", "restart", "witness", "follow", "completion", "man", "destroy", "doctor", "restore", UpgradeCommand.Name];

    readonly Shell _shell;
    readonly string _root;
    readonly ReleaseVersion _running;
    readonly long _began;
    readonly Task<string?>? _lookup;

    UpgradeNotice(Shell shell, string root, ReleaseVersion running)
    {
        (_shell, _root, _running, _began) = (shell, root, running, shell.Clock.GetTimestamp());
        var now = shell.Clock.GetUtcNow();
        // A directory is made by what needs one for data, not for this; nor is one that has gone meanwhile made again.
        if (Directory.Exists(root) && UpgradeState.Read(root, out _) is var state && state.IsDue(now) && TryWrite(state with { LastChecked = now.ToUnixTimeSeconds() }))
            _lookup = Task.Run(LookAsync, CancellationToken.None);
    }

    /// <summary>Begins to look, where there is somebody to tell; else null.</summary>
    public static UpgradeNotice? Begin(ParseResult parse, Shell shell)
    {
        var command = parse.CommandResult.Command;
        var noun = command;
        while (noun.Parents.FirstOrDefault() is Command above and not RootCommand)
            noun = above;
        var wanted = shell is { OutIsTerminal: true, ErrorIsTerminal: true } && command is Verb { Hidden: false, OutlivesTerminal: false } && !noun.Hidden && Array.IndexOf(Silent, noun.Name) < 0
            && !parse.GetValue(GlobalOptions.Json) && shell.Environment(OffVariable) is null;
        return wanted && ReleaseVersion.TryParse(shell.Version, out var running) && !running.IsDevelopment ? new(shell, Call.RootOf(shell), running) : null;
    }

    /// <summary>Says what there is to say, when the command has ended.</summary>
    public async Task EndAsync()
    {
        var answer = _lookup is null ? null : await AnswerAsync(_lookup).ConfigureAwait(false);
        // As it is now: the command may have run for hours, and others beside it.
        var state = UpgradeState.Read(_root, out _);
        if (answer is not null && answer != state.LatestKnownVersion)
        {
            state = state with { LatestKnownVersion = answer };
            TryWrite(state);
        }

        if (state.NewerThan(_running) is not { } latest)
            return;
        try
        {
            await _shell.Error.WriteAsync(
                $"\nA newer EventDBX CLI release ({latest.Tag}) is available.\n  Upgrade:  dbx upgrade {latest.Tag}\n  Suppress: dbx upgrade --suppress {latest.Tag}\n").ConfigureAwait(false);
        }
        catch (IOException)
        {
            // The terminal has gone; what the command did stands.
        }
    }

    bool TryWrite(UpgradeState state)
    {
        try
        {
            state.Write(_root);
            return true;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The tag, or null; in what is left of the time, whatever the look is waiting for.</summary>
    async Task<string?> AnswerAsync(Task<string?> lookup)
    {
        var left = ServerLimits.ReleaseCheckTimeout - _shell.Clock.GetElapsedTime(_began);
        if (!lookup.IsCompleted && left > TimeSpan.Zero)
            await Task.WhenAny(lookup, Task.Delay(left, _shell.Clock)).ConfigureAwait(false);
        return lookup.IsCompleted ? await lookup.ConfigureAwait(false) : null;
    }

    /// <summary>Never fails: nobody has asked for it.</summary>
    async Task<string?> LookAsync()
    {
        try
        {
            using var late = new CancellationTokenSource(ServerLimits.ReleaseCheckTimeout, _shell.Clock);
            using var server = UpgradeCommand.OpenServer(_shell);
            var tag = (await server.FindLatestAsync(late.Token).ConfigureAwait(false)).Tag;
            return ReleaseVersion.TryParse(tag, out _) ? tag : null;
        }
        catch (Exception)
        {
            // Whatever it was, the command that it ran beside has done its own.
            return null;
        }
    }
}
