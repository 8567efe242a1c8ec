using EventDbx.Server.Daemon;

namespace EventDbx.Cli.Commands.Server;

/// <summary><c>dbx destroy</c>: removes all data and the configuration.</summary>
internal static class DestroyCommand
{
    const string Word = "destroy";

    static readonly TimeSpan LockTimeoutDefault = TimeSpan.FromSeconds(5);

    static readonly Option<bool> Yes = Options.Switch("--yes", "Do not ask.");

    public static Verb Create() => new("destroy", "Stop the server, and remove all data and the configuration.")
    {
        Remarks =
        [
            "The data encryption key goes with the configuration: nobody can read a backup of the data without a copy of it. Configurations that restores have replaced and kept beside it go, too. Only files of " +
            "EventDBX are removed; what else lies in the directory stays, and is named. No link is followed.",
        ],
        Examples =
        [
            new("dbx destroy", "Ask, then remove everything."),
            new("dbx destroy --yes --data-dir /tmp/trial", "Remove a trial without asking; another store's configuration stays."),
        ],
        Options = { Yes, ServerLife.Timeout },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var shell = call.Shell;
        var plan = Destruction.Plan(call.LoadConfig(), shell.Environment("HOME") ?? shell.Environment("USERPROFILE"));
        if (!call.Get(Yes) && !await ConfirmedAsync(call, plan, cancellation).ConfigureAwait(false))
        {
            await shell.Out.WriteLineAsync("Destroy command cancelled.").ConfigureAwait(false);
            return ExitCode.Done;
        }

        var stopped = await ServerLife.StopAsync(call, plan.DataDirectory, cancellation).ConfigureAwait(false);
        if (stopped.Server is not null)
            await call.NoteAsync(stopped.Text(shell.Clock)).ConfigureAwait(false);
        var left = plan.Run(call.Get(GlobalOptions.LockTimeout) ?? LockTimeoutDefault);
        if (call.Json)
        {
            var json = new JsonText().BeginObject().Member("data_dir", plan.DataDirectory).Member("config", plan.ConfigFile).Name("other_configs").BeginArray();
            foreach (var path in plan.OtherConfigs)
                json.Value(path);
            json.EndArray().Name("left").BeginArray();
            foreach (var path in left)
                json.Value(path);
            await shell.Out.WriteAsync(json.EndArray().EndObject().ToString()).ConfigureAwait(false);
            return ExitCode.Done;
        }

        await shell.Out.WriteLineAsync(plan.ConfigFile is null
            ? $"All EventDBX data removed from {plan.DataDirectory}"
            : $"All EventDBX data and configuration removed from {plan.DataDirectory}").ConfigureAwait(false);
        if (plan.ConfigFile is null)
        {
            await call.NoteAsync(plan.OtherStore is { } other
                ? $"The configuration stays: it belongs to the store in {other}, too, and may hold its only key."
                : "There is no configuration.").ConfigureAwait(false);
        }

        if (plan.OtherConfigs.Count > 0)
            await call.NoteAsync($"Removed with it, each with its keys: {string.Join(", ", plan.OtherConfigs)}").ConfigureAwait(false);
        if (left.Count > 0)
            await call.NoteAsync($"Left, for it is not EventDBX's: {string.Join(", ", left)}").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static async Task<bool> ConfirmedAsync(Call call, Destruction plan, CancellationToken cancellation)
    {
        var config = plan.ConfigFile is null ? "" : $", and the configuration {plan.ConfigFile} with its data encryption key,";
        var others = plan.OtherConfigs.Count == 0 ? "" : $" Further configurations of it go, too: {string.Join(", ", plan.OtherConfigs)}.";
        await call.Shell.Error.WriteAsync(
            $"This removes all data in {plan.DataDirectory}{config} for good.{others} Type `{Word}` to go on: ").ConfigureAwait(false);
        var answer = await call.Shell.In.ReadLineAsync(cancellation).ConfigureAwait(false);
        return answer?.Trim() == Word;
    }
}
