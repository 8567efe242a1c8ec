using System.Globalization;
using System.Text;

namespace EventDbx.Cli.Commands.Queue;

/// <summary><c>dbx queue</c>: what plugins have not taken. Alone it shows that.</summary>
internal static class QueueCommand
{
    /// <summary>Of which plugin; all, unless it says.</summary>
    public static Option<string> Plugin { get; } = Options.Text("--plugin", "NAME", "Of this plugin alone (default: of all).");

    static readonly Option<long?> Take = Options.WholeNumber("--take", "Entries of each list at most (default: 1000).", max: 100_000);

    const int TakeDefault = 1000;

    public static Verb Create()
    {
        var queue = new Verb("queue", "Show the events that plugins refused: those that wait for another try, and those that are dead.")
        {
            Remarks =
            [
                "A plugin that is down has nothing in it: everything waits for it in the log (`dbx plugin list` says how much), as long as it takes. An event that a plugin " +
                "refuses waits alone, with the later ones of its aggregate; it is tried again after 1 s, 2 s, 4 s … 5 min, and given up as dead after `plugin_max_attempts`.",
            ],
            Examples =
            [
                new("dbx queue", "Everything."),
                new("dbx queue --plugin hook --json", "Of one plugin, as JSON."),
                new("dbx queue retry", "Try what is dead again."),
            ],
            Options = { Plugin, Take, AccessToken.Option },
            Further = "",
            Check = RefuseFurther,
            Run = RunAsync,
        };
        queue.Subcommands.Add(QueueClear.Create());
        queue.Subcommands.Add(QueueRetry.Create());
        // The parser asks for one of the commands unless there is something to do without.
        queue.SetAction(static _ => { });
        return queue;
    }

    /// <summary>The plugin that the command line names; null: all.</summary>
    public static string? PluginOf(Call call) => call.Get(Plugin) is { } name ? EventDbx.Cli.Commands.Plugin.PluginCommand.Given(name) : null;

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            var queue = await store.GetQueueAsync(PluginOf(call), (int)(call.Get(Take) ?? TakeDefault), cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(call.Json ? new JsonText().Value(queue.Json).ToString() : Text(queue)).ConfigureAwait(false);
            if (!call.Json)
                await NoteDownAsync(call, store, cancellation).ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () =>
        {
            call.Shell.Out.Write(call.Json ? new JsonText().Value(Empty).ToString() : "pending=0 dead=0\n");
            return ExitCode.Done;
        },
        cancellation);

    /// <summary>An empty queue must not read as if all were well.</summary>
    static async Task NoteDownAsync(Call call, IStore store, CancellationToken cancellation)
    {
        var only = PluginOf(call);
        foreach (var plugin in await store.ListPluginsAsync(cancellation).ConfigureAwait(false))
        {
            if (plugin.State == "down" && (only is null || only == (plugin.Name ?? plugin.Kind)))
            {
                await call.NoteAsync(PlainText.Of(string.Create(
                    CultureInfo.InvariantCulture, $"{plugin.Label} is down, and {plugin.Lag} entries of the log wait for it: {plugin.LastError}"))).ConfigureAwait(false);
            }
        }
    }

    static ReadOnlyMemory<byte> Empty => """{"pending":0,"dead":0,"pending_events":[],"dead_events":[]}"""u8.ToArray();

    static string Text(QueueListing queue)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"pending={queue.Pending} dead={queue.Dead}\n");
        List("Pending events:", queue.Pending, queue.PendingEvents, static entry => entry.Held
            ? $" (held, no further retries) plugin={entry.Plugin} last_error={entry.LastError}"
            : $" plugin={entry.Plugin} next_attempt_at={entry.NextAttemptAt} last_error={entry.LastError}");
        List("Dead events:", queue.Dead, queue.DeadEvents, static entry => $" (no further retries) plugin={entry.Plugin} last_error={entry.LastError}");
        return text.ToString();

        void List(string title, long all, IReadOnlyList<QueueEntry> entries, Func<QueueEntry, string> more)
        {
            if (entries.Count == 0)
                return;
            text.Append('\n').Append(title).Append('\n');
            foreach (var entry in entries)
                text.Append(PlainText.Line(string.Create(CultureInfo.InvariantCulture, $"  {entry.EventId} aggregate={entry.Aggregate} event={entry.EventType} attempts={entry.Attempts}{more(entry)}")));
            if (all > entries.Count)
                text.Append(CultureInfo.InvariantCulture, $"  … and {all - entries.Count} more\n");
        }
    }

    static void RefuseFurther(Call call)
    {
        string[] commands = ["clear", "retry"];
        if (call.Further is [var word, ..])
            throw new UsageException($"unknown command `queue {word}`{NearestName.Hint(word, commands)}; known are {string.Join(", ", commands)}.");
    }
}
