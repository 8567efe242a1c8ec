using System.CommandLine.Parsing;
using EventDbx.Cli.Commands;
using EventDbx.Cli.Commands.Aggregate;
using EventDbx.Cli.Commands.Audit;
using EventDbx.Cli.Commands.Backup;
using EventDbx.Cli.Commands.Completion;
using EventDbx.Cli.Commands.Config;
using EventDbx.Cli.Commands.Demo;
using EventDbx.Cli.Commands.Doctor;
using EventDbx.Cli.Commands.Following;
using EventDbx.Cli.Commands.Import;
using EventDbx.Cli.Commands.Key;
using EventDbx.Cli.Commands.Log;
using EventDbx.Cli.Commands.Man;
using EventDbx.Cli.Commands.Plugin;
using EventDbx.Cli.Commands.Queue;
using EventDbx.Cli.Commands.Recover;
using EventDbx.Cli.Commands.Remote;
using EventDbx.Cli.Commands.Restore;
using EventDbx.Cli.Commands.Schema;
using EventDbx.Cli.Commands.Server;
using EventDbx.Cli.Commands.Token;
using EventDbx.Cli.Commands.Transfers;
using EventDbx.Cli.Commands.Upgrade;
using EventDbx.Cli.Commands.Verify;
using EventDbx.Cli.Commands.Witness;

namespace EventDbx.Cli;

/// <summary>Every command of <c>dbx</c>, and the way from arguments to an exit code.</summary>
internal static class CommandTree
{
    // No response files: `@file` is how a secret is handed over. No bundles: `-abc` is a slip, not three options.
    static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null, EnablePosixBundling = false };

    /// <summary>Built once: parsing does not change it.</summary>
    public static RootCommand Root { get; } = WithGlobals(new("EventDBX: an event-sourced, key-value, write-side database.")
    {
        StartCommand.Create(),
        StopCommand.Create(),
        StatusCommand.Create(),
        RestartCommand.Create(),
        DestroyCommand.Create(),
        AggregateCommand.Create(),
        SchemaCommand.Create(),
        ConfigCommand.Create(),
        TokenCommand.Create(),
        PluginCommand.Create(),
        QueueCommand.Create(),
        KeyCommand.Create(),
        RemoteCommand.Create(),
        TransferCommand.Push(),
        TransferCommand.Pull(),
        FollowCommand.Create(),
        PromoteCommand.Create(),
        ImportCommand.Create(),
        VerifyCommand.Create(),
        LogCommand.Create(),
        AuditCommand.Create(),
        BackupCommand.Create(),
        RestoreCommand.Create(),
        RecoverCommand.Create(),
        DoctorCommand.Create(),
        WitnessCommand.Create(),
        DemoCommand.Create(),
        UpgradeCommand.Create(),
        CompletionCommand.Create(),
        ManCommand.Create(),
        InspectCommand.Create(),
        ServerCommand.Create(),
    });

    /// <summary>The exit code of <c>dbx</c> with these arguments.</summary>
    public static Task<int> RunAsync(IReadOnlyList<string> arguments, Shell shell, CancellationToken cancellation) =>
        RunAsync(Root, arguments, shell, cancellation);

    /// <summary>What a command line says, before anything is done.</summary>
    internal static ParseResult Parse(IReadOnlyList<string> arguments) => Root.Parse(arguments, Parsing);

    internal static async Task<int> RunAsync(
        RootCommand root, IReadOnlyList<string> arguments, Shell shell, CancellationToken cancellation)
    {
        var parse = root.Parse(arguments, Parsing);
        using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using var interrupts = Interrupts.Forward(interrupted, hangUp: parse.CommandResult.Command is not Verb { OutlivesTerminal: true });
        ExitCode code;
        UpgradeNotice? notice = null;
        try
        {
            try
            {
                RefuseWhatIsNoText(arguments, shell);
                if (UpgradeCommand.Spelt(arguments, parse) is { } spelt)
                    parse = root.Parse(spelt, Parsing);
                notice = UpgradeNotice.Begin(parse, shell);
                code = await RunAsync(parse, shell, interrupted.Token).ConfigureAwait(false);
                await FlushAsync(shell).ConfigureAwait(false);
            }
            catch (Exception failure)
            {
                code = await Failures.ReportAsync(failure, parse, shell).ConfigureAwait(false);
                await shell.Out.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            }

            if (notice is not null && !interrupted.IsCancellationRequested)
                await notice.EndAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // Neither results nor errors have anywhere to go (a full disk, a closed stream); the exit code still has.
            code = ExitCode.Failed;
        }

        return (int)code;
    }

    /// <summary>Writes what the command, which has ended, has said.</summary>
    static async Task FlushAsync(Shell shell)
    {
        try
        {
            await shell.Out.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (OutputFailedException failed)
        {
            throw failed.Of("The command was carried out");
        }
    }

    internal static RootCommand WithGlobals(RootCommand root)
    {
        root.Options.Clear();
        foreach (var option in GlobalOptions.Anywhere.Append(GlobalOptions.Version))
            root.Options.Add(option);
        // In front of any command; behind one it is an option of that command, where it may be another token that is meant.
        root.Options.Add(AccessToken.Option);
        return root;
    }

    internal static UsageException UnknownOption(Command command, string token)
    {
        var name = token.Split('=', 2)[0];
        var known = command.Options.Concat(GlobalOptions.Anywhere).Select(option => option.Name);
        return new UsageException($"unknown option `{name}`{NearestName.Hint(name, known)}");
    }

    static async Task<ExitCode> RunAsync(ParseResult parse, Shell shell, CancellationToken cancellation)
    {
        var command = parse.CommandResult.Command;
        if (parse.GetValue(GlobalOptions.Help))
        {
            await shell.Out.WriteAsync(Help.Of(command)).ConfigureAwait(false);
            return ExitCode.Done;
        }

        if (command is RootCommand && parse.GetValue(GlobalOptions.Version))
        {
            await shell.Out.WriteLineAsync($"eventdbx {Release.Version}").ConfigureAwait(false);
            return ExitCode.Done;
        }

        // What the parser brings of its own, such as shell completion.
        if (command is not Verb && parse.Action is not null and not System.CommandLine.Invocation.ParseErrorAction)
            return (ExitCode)await parse.InvokeAsync(new() { Output = shell.Out, Error = shell.Error }, cancellation).ConfigureAwait(false);

        RefuseWhatWasNotUnderstood(parse, command);
        if (command is not Verb verb)
        {
            await shell.Error.WriteAsync(Help.Of(command)).ConfigureAwait(false);
            return ExitCode.Usage;
        }

        List<string> further = [];
        var call = new Call(parse, shell, verb.Fill(parse, further), further);
        await RemoteServer.CheckAsync(verb, call).ConfigureAwait(false);
        verb.Check(call);
        return await verb.Run(call, cancellation).ConfigureAwait(false);
    }

    /// <summary>Bytes that are not UTF-8 have become U+FFFD by now: two different names would be one, and history cannot be mended.</summary>
    static void RefuseWhatIsNoText(IReadOnlyList<string> arguments, Shell shell)
    {
        foreach (var argument in arguments)
        {
            if (argument.Contains('\ufffd', StringComparison.Ordinal) && shell.CommandLineBytes() is { } bytes && !System.Text.Unicode.Utf8.IsValid(bytes))
                throw new UsageException($"`{argument}` is not UTF-8; nothing was changed.");
        }
    }

    static void RefuseWhatWasNotUnderstood(ParseResult parse, Command command)
    {
        if (parse.UnmatchedTokens is [var token, ..])
        {
            throw token.StartsWith('-') ? UnknownOption(command, token) : new UsageException(
                $"unknown command `{token}`{NearestName.Hint(token, command.Subcommands.Select(sub => sub.Name))}");
        }

        // A noun alone is answered with its help.
        if (command is Verb && parse.Errors is [var error, ..])
            throw new UsageException(Words(error));
    }

    static string Words(ParseError error) => error.SymbolResult is not OptionResult { Option: var option } given
        ? error.Message.TrimEnd()
        : given.Tokens.Count switch
        {
            0 => $"`{option.Name}` needs a value: {option.HelpName}.",
            > 1 when option.Arity.MaximumNumberOfValues == 1 => $"`{option.Name}` is given {given.Tokens.Count} times; it takes one value.",
            _ => error.Message.TrimEnd(),
        };
}
