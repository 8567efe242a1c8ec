using System.Globalization;

namespace EventDbx.Cli.Commands.Plugin;

/// <summary><c>dbx plugin test</c>: whether plugins are there, and take an event.</summary>
internal static class PluginTesting
{
    static readonly Slot Name = PluginCommand.Name with { Optional = true };

    public static Verb Create() => new("test", "Reach each enabled plugin, and send it a sample event.", Name)
    {
        Remarks =
        [
            "The event is `patient-updated` of the patient p-001, with the event id 45c3013e-9b95-4ed0-9af9-1a465f81d3cf. It is no event of the store. " +
            "A plugin that is named is tested whether or not it is enabled.",
        ],
        Examples =
        [
            new("dbx plugin test", "All that are enabled."),
            new("dbx plugin test hook --json", "One, as JSON."),
        ],
        Options = { AccessToken.Option },
        Run = (call, cancellation) =>
        {
            var name = call.Find(Name) is { } given ? PluginCommand.Given(given) : null;
            return name is not null
                ? PluginCommand.OnExistingAsync(call, name, store => RunAsync(call, store, name, cancellation), cancellation)
                : Link.ToExistingAsync(
                    call, store => RunAsync(call, store, null, cancellation),
                    () =>
                    {
                        call.Shell.Out.Write(call.Json ? "[]\n" : "(no plugins enabled)\n");
                        return ExitCode.Done;
                    },
                    cancellation);
        },
    };

    static async Task<ExitCode> RunAsync(Call call, IStore store, string? name, CancellationToken cancellation)
    {
        (int tested, int failed) = (0, 0);
        var json = new JsonText().BeginArray();
        await foreach (var result in store.TestPluginsAsync(name, cancellation).ConfigureAwait(false))
        {
            tested++;
            failed += result.Failure is null ? 0 : 1;
            if (call.Json)
                json.Value(result.Json);
            else
                await call.Shell.Out.WriteAsync(PlainText.Line($"{PluginAnswers.LabelOf(result.Kind, result.Name)} - {(result.Failure is { } why ? $"FAILED ({why})" : "ok")}")).ConfigureAwait(false);
        }

        await call.Shell.Out.WriteAsync(
            call.Json ? json.EndArray().ToString()
            : tested == 0 ? "(no plugins enabled)\n"
            : string.Create(CultureInfo.InvariantCulture, $"Tested {tested} plugin(s): {tested - failed} succeeded, {failed} failed\n")).ConfigureAwait(false);
        if (failed == 0)
            return ExitCode.Done;
        // With --json the list says it all: two documents would be none.
        if (!call.Json)
            await call.NoteAsync(string.Create(CultureInfo.InvariantCulture, $"Error: plugin test failed for {failed} plugin(s)")).ConfigureAwait(false);
        return ExitCode.Failed;
    }
}
