using System.Runtime.CompilerServices;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate replay</c>: the events of an aggregate in their order.</summary>
internal static class AggregateReplay
{
    static readonly Option<long?> Skip = Options.WholeNumber("--skip", "How many to leave out from the beginning (default: 0).");
    static readonly Option<long?> Take = Options.WholeNumber("--take", "How many at most (default: all).");

    public static Verb Create() => new(
        "replay", "Print the events of an aggregate in their order.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["One JSON object after the other; with `--json` one array of them. Every event is held against its hash on the way."],
        Examples =
        [
            new("dbx aggregate replay order o-1", "All of them."),
            new("dbx aggregate replay order o-1 --skip 10 --take 5 --json", "Versions 11 to 15, as an array."),
            new("dbx aggregate replay --aggregate order --aggregate-id o-1", "By name."),
        ],
        Options = { Skip, Take, AccessToken.Option },
        Run = RunAsync,
    };

    /// <summary>Events one after the other; a page of them is in memory, never the whole history.</summary>
    public static async IAsyncEnumerable<EventRecord> ReadAsync(
        IStore store, AggregateKey aggregate, long skip, long take, [EnumeratorCancellation] CancellationToken cancellation)
    {
        ulong? next = (ulong)skip + 1;
        while (next is { } from && take > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            var page = await store.GetEventsAsync(aggregate, from, (int)Math.Min(take, Limits.PageItemsMax), cancellation).ConfigureAwait(false);
            foreach (var record in page.Items)
                yield return record;
            (next, take) = (page.NextVersion, take - page.Items.Count);
        }
    }

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToExistingAsync(
            call,
            aggregate,
            async store =>
            {
                // An aggregate without the events asked for prints nothing; one that is not there is refused.
                _ = await store.GetEventsAsync(aggregate, 1, 0, cancellation).ConfigureAwait(false);
                var events = ReadAsync(store, aggregate, call.Get(Skip) ?? 0, call.Get(Take) ?? long.MaxValue, cancellation);
                await (call.Json ? WriteArrayAsync(call, events) : WriteAsync(call, events)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static async Task WriteAsync(Call call, IAsyncEnumerable<EventRecord> events)
    {
        await foreach (var record in events.ConfigureAwait(false))
            await call.Shell.Out.WriteAsync(new JsonText().Record(record).ToString()).ConfigureAwait(false);
    }

    static async Task WriteArrayAsync(Call call, IAsyncEnumerable<EventRecord> events)
    {
        var array = new JsonText().BeginArray();
        await foreach (var record in events.ConfigureAwait(false))
        {
            array.Record(record);
            await array.DrainAsync(call.Shell.Out).ConfigureAwait(false);
        }

        await call.Shell.Out.WriteAsync(array.EndArray().ToString()).ConfigureAwait(false);
    }
}
