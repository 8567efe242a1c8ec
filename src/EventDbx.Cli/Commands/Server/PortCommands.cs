using System.Text;
using EventDbx.Server;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;

namespace EventDbx.Cli.Commands.Server;

/// <summary>Commands that programs of this machine have a server carry out by its port of replication: in the process of the server, as their token.</summary>
/// <remarks>
/// The command goes to this very server by its socket, as any other command of its owner's machine with <c>--token</c> does. Nothing of the caller's world comes along: no standard input, no environment, no terminal,
/// no other server, directory or configuration.
/// </remarks>
internal sealed class PortCommands(ConfigFile file, string dataDirectory, Shell own)
{
    /// <summary>
    /// What is carried out: what reads, and what appends. All else is for the owner of the machine, or for <c>dbx --server</c>, whose requests say by themselves what they touch. Left out are
    /// what destroys (<c>destroy</c>, <c>aggregate remove</c>, <c>recover</c>, <c>schema drop</c>), installs or configures (<c>plugin</c>, <c>config</c>, <c>remote</c>, <c>key</c>, <c>token</c>, <c>queue</c>, changes of schemas),
    /// starts and stops, reads or writes files (<c>import</c>, <c>export</c>, <c>schema apply</c>, <c>log anchor</c>, <c>log mirror</c>), and what goes through the whole store (<c>verify</c>).
    /// </summary>
    public static IReadOnlyList<string> Allowed { get; } =
    [
        "aggregate apply", "aggregate archive", "aggregate commit", "aggregate create", "aggregate diff", "aggregate get", "aggregate list", "aggregate proof", "aggregate replay", "aggregate restore",
        "aggregate snapshot", "aggregate snapshots", "aggregate unstage", "aggregate verify",
        "audit list",
        "log checkpoint", "log consistency", "log key",
        "schema list", "schema show", "schema validate",
    ];

    /// <summary>Options of those that are not: they lead into files, or have no end.</summary>
    static readonly string[] Refused = ["--output", "--follow"];

    /// <summary>Options of those that take <c>@FILE</c> elsewhere: the files of a server are not its callers'.</summary>
    static readonly string[] MayBeFiles = ["--payload", "--patch"];

    /// <summary>Carries one out.</summary>
    public async Task<CommandOutcome> RunAsync(CommandRequest request, CancellationToken cancellation)
    {
        if (WhyNot(request.Arguments) is { } refusal)
            return new(-1, "", $"{refusal}\n");
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        await using var output = new BoundedText(ended);
        await using var error = new BoundedText(ended);
        using var shell = new Shell
        {
            In = TextReader.Null,
            OpenIn = static () => Stream.Null,
            Out = output,
            Error = error,
            Environment = name => name == AccessToken.Variable ? request.Token : null,
            WorkingDirectory = own.WorkingDirectory,
            Self = own.Self,
            Clock = own.Clock,
        };
        var code = await CommandTree.RunAsync([$"{GlobalOptions.Config.Name}={file.Path}", $"{GlobalOptions.DataDir.Name}={dataDirectory}", .. request.Arguments], shell, ended.Token).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        return output.IsFull || error.IsFull
            ? new(-1, "", $"The command prints more than {ServerLimits.SessionCommandOutputBytesMax / 1024 / 1024} MiB, and was given up; ask for less at once. What it had written to the store by then is written.\n")
            : new(code, output.ToString(), error.ToString());
    }

    /// <summary>Why a command line is not carried out; null where it is.</summary>
    internal static string? WhyNot(IReadOnlyList<string> arguments)
    {
        if (arguments.Any(static argument => argument.Contains('\0', StringComparison.Ordinal)))
            return "An argument holds a zero character, which no command line can.";
        var parse = CommandTree.Parse(arguments);
        var command = parse.CommandResult.Command;
        // Usage errors and help are the command line's own business: they touch nothing.
        if (command is not Verb)
            return parse.Tokens.Count == 0 || parse.GetValue(GlobalOptions.Help) ? null : NotCarriedOut(arguments[0]);
        var path = Output.Help.PathOf(command);
        if (!Allowed.Contains(path[(path.IndexOf(' ', StringComparison.Ordinal) + 1)..]))
            return NotCarriedOut(path);
        foreach (var option in GlobalOptions.Anywhere.Append(AccessToken.Option).Concat(command.Options))
        {
            if (parse.GetResult(option) is not { Implicit: false } given)
                continue;
            if (Refused.Contains(option.Name) || (option != GlobalOptions.Json && option != GlobalOptions.Help && (GlobalOptions.Anywhere.Contains(option) || option == AccessToken.Option)))
                return $"`{option.Name}` is not taken by the port of replication: the command is about this server, as the token of the request, and prints what it has to say.";
            if (MayBeFiles.Contains(option.Name) && given.Tokens.Any(static token => token.Value.StartsWith('@') || token.Value == "-"))
                return $"`{option.Name}` takes the value itself here: the files of a server are not its callers', and there is no standard input.";
        }

        return null;
    }

    static string NotCarriedOut(string what) =>
        $"`{what}` is not carried out by the port of replication. Carried out are: {string.Join(", ", Allowed)}. For all else use `dbx` on the machine of the server, or `dbx --server`.";

    /// <summary>What a command prints, up to a bound; then the command is given up.</summary>
    sealed class BoundedText(CancellationTokenSource over) : StringWriter
    {
        long _bytes;

        public bool IsFull { get; private set; }

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            if (Takes([value]))
                base.Write(value);
        }

        public override void Write(char[] buffer, int index, int count)
        {
            if (Takes(buffer.AsSpan(index, count)))
                base.Write(buffer, index, count);
        }

        public override void Write(ReadOnlySpan<char> buffer)
        {
            if (Takes(buffer))
                base.Write(buffer);
        }

        public override void Write(string? value)
        {
            if (Takes(value))
                base.Write(value);
        }

        /// <summary>Counts what it is as UTF-8. Halves of a pair that come one by one count three bytes each, and are four together.</summary>
        bool Takes(ReadOnlySpan<char> text)
        {
            if (IsFull || (_bytes += Encoding.UTF8.GetByteCount(text)) <= ServerLimits.SessionCommandOutputBytesMax)
                return !IsFull;
            IsFull = true;
            over.Cancel();
            return false;
        }
    }
}
