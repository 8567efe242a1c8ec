using System.Globalization;

namespace EventDbx.Cli.Commands.Queue;

/// <summary><c>dbx queue clear</c>: dead events are given up for good.</summary>
internal static class QueueClear
{
    const string Word = "clear";

    static readonly Option<bool> Yes = Options.Switch("--yes", "Do not ask.");

    public static Verb Create() => new("clear", "Forget the dead events, after asking; what waits stays.")
    {
        Remarks = ["The events stay in the store: `dbx plugin replay` sends them again. An aggregate that a dead event holds (`--hold-on-dead`) goes on behind it."],
        Examples =
        [
            new("dbx queue clear", "Ask, then forget them."),
            new("dbx queue clear --plugin hook --yes", "Those of one plugin, without asking."),
        ],
        Options = { QueueCommand.Plugin, Yes, AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            var plugin = QueueCommand.PluginOf(call);
            var dead = (await store.GetQueueAsync(plugin, 0, cancellation).ConfigureAwait(false)).Dead;
            if (dead == 0)
                return await SayAsync(call, 0, "no dead plugin events to clear").ConfigureAwait(false);
            if (!call.Get(Yes) && !await ConfirmedAsync(call, dead, cancellation).ConfigureAwait(false))
                return await SayAsync(call, 0, "clear cancelled").ConfigureAwait(false);
            var cleared = await store.ClearDeadAsync(plugin, cancellation).ConfigureAwait(false);
            return await SayAsync(call, cleared, string.Create(CultureInfo.InvariantCulture, $"cleared {cleared} dead event(s) from the plugin queue")).ConfigureAwait(false);
        },
        absent: () =>
        {
            call.Shell.Out.Write(Said(call, 0, "no dead plugin events to clear"));
            return ExitCode.Done;
        },
        cancellation);

    static async Task<bool> ConfirmedAsync(Call call, long dead, CancellationToken cancellation)
    {
        // A script that does not know of the question would wait for good, or take some line of its own for the answer.
        if (!call.Shell.ErrorIsTerminal)
            throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"this would remove {dead} dead plugin event(s), and there is no terminal to ask at: give `{Yes.Name}`."));
        await call.Shell.Error.WriteAsync(string.Create(
            CultureInfo.InvariantCulture, $"This will remove {dead} dead plugin event(s). Type '{Word}' to confirm: ")).ConfigureAwait(false);
        var answer = await call.Shell.In.ReadLineAsync(cancellation).ConfigureAwait(false);
        return string.Equals(answer?.Trim(), Word, StringComparison.OrdinalIgnoreCase);
    }

    static async Task<ExitCode> SayAsync(Call call, long cleared, string text)
    {
        await call.Shell.Out.WriteAsync(Said(call, cleared, text)).ConfigureAwait(false);
        return ExitCode.Done;
    }

    static string Said(Call call, long cleared, string text) => call.Json ? new JsonText().BeginObject().Member("cleared", cleared).EndObject().ToString() : text + "\n";
}
