using System.Globalization;

namespace EventDbx.Cli.Commands.Plugin;

/// <summary><c>dbx plugin replay</c>: stored events once more.</summary>
internal static class PluginReplay
{
    static readonly Slot Plugin = new("--plugin", "PLUGIN", "The label of an enabled plugin.");
    static readonly Slot Id = Slot.AggregateId with { Optional = true, Description = "One aggregate (default: all of the type)." };

    public static Verb Create() => new("replay", "Send the stored events of an aggregate, or of all of a type, to a plugin again.", Plugin, Slot.AggregateType, Id)
    {
        Remarks =
        [
            "In the order of versions, one aggregate after the other; without those that its filters leave out. The first event that is not taken ends it. Its place in the log stays, " +
            "and so do dead events: `dbx queue retry` is for those.",
        ],
        Examples =
        [
            new("dbx plugin replay hook order o-1", "One aggregate."),
            new("dbx plugin replay hook order", "Every order, in the order of ids."),
        ],
        Options = { AccessToken.Option },
        Run = (call, cancellation) =>
        {
            var plugin = PluginCommand.NameOf(call, Plugin);
            return Link.ToExistingAsync(
                call,
                store => RunAsync(call, store, plugin, cancellation),
                () => throw new RefusedException(RefusalCode.NotFound, $"no enabled plugin named '{plugin}' is configured: there is no store yet."),
                cancellation);
        },
    };

    static async Task<ExitCode> RunAsync(Call call, IStore store, string plugin, CancellationToken cancellation)
    {
        var (type, id) = (call[Slot.AggregateType], call.Find(Id));
        var replayed = 0L;
        using (var progress = new Progress(call.Shell, "aggregates"))
        {
            await foreach (var step in store.ReplayToPluginAsync(plugin, type, id, cancellation).ConfigureAwait(false))
            {
                if (step.Done)
                {
                    replayed++;
                    if (!call.Json)
                        await call.Shell.Out.WriteAsync(PlainText.Line($"replayed {step.Type}::{step.Id}")).ConfigureAwait(false);
                }

                progress.Report(replayed);
            }
        }

        await call.Shell.Out.WriteAsync(
            call.Json ? new JsonText().BeginObject().Member("aggregates", replayed).Member("plugin", plugin).EndObject().ToString()
            : id is not null ? replayed > 0 ? "" : PlainText.Line($"no events found for {type}::{id}")
            : replayed > 0 ? PlainText.Line(string.Create(CultureInfo.InvariantCulture, $"replayed {replayed} aggregate(s) for '{type}'"))
            : PlainText.Line($"no aggregates found for '{type}'")).ConfigureAwait(false);
        return ExitCode.Done;
    }
}
