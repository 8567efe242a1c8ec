using EventDbx.Cli.Output;

namespace EventDbx.Cli.Commands.Completion;

/// <summary><c>dbx completion SHELL</c>: a script that completes commands, options and their values, made from the command tree.</summary>
internal static class CompletionCommand
{
    static readonly Slot ShellName = new("--shell", "bash|zsh|fish|powershell", "For which shell.");

    public static Verb Create() => new("completion", "Print the script with which a shell completes commands, options and values of dbx.", ShellName)
    {
        Remarks =
        [
            "The script holds what this version has and starts nothing. Packages install it; otherwise read it in when the shell starts, or put it where the shell looks for it.",
        ],
        Examples =
        [
            new("dbx completion bash > ~/.local/share/bash-completion/completions/dbx", "For bash, with the package bash-completion."),
            new("dbx completion zsh > ~/.zfunc/_dbx", "For zsh, where ~/.zfunc is in fpath."),
            new("dbx completion fish > ~/.config/fish/completions/dbx.fish", "For fish."),
            new("dbx completion powershell | Out-String | Invoke-Expression", "For PowerShell, in its profile."),
        ],
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        Func<IReadOnlyList<CommandOutline>, string> script = call[ShellName].ToLowerInvariant() switch
        {
            "bash" => BashCompletion.Of,
            "zsh" => ZshCompletion.Of,
            "fish" => FishCompletion.Of,
            "powershell" or "pwsh" => PowerShellCompletion.Of,
            _ => throw new UsageException($"there is no completion for `{call[ShellName]}`: {ShellName.ValueName.Replace("|", ", ", StringComparison.Ordinal)} are known."),
        };
        var text = script([.. CommandOutline.Of(CommandTree.Root)]);
        await call.Shell.Out.WriteAsync(call.Json ? new JsonText().BeginObject().Member("script", text).EndObject().ToString() : text).ConfigureAwait(false);
        return ExitCode.Done;
    }
}
