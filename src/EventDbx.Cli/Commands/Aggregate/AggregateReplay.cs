using System.Runtime.CompilerServices;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate replay</c>: the events of an aggregate in their order.</summary>
internal static class AggregateReplay
{
    static readonly Option<long?> Skip = Options.WholeNumber("--skip", "How many to leave out from the beginning (default: 0).");
    static readonly Option<long?> Take = Options.WholeNumber("--take", "How many at most (default: all).");

    static readonly Option<bool> Follow = Options.Switch("--follow", "Go on: print further events as they are committed, until Ctrl-C.");

    /// <summary>Between two looks for further events.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    public static Verb Create() => new(
        "replay", "Print the events of an aggregate in their order.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["One JSON object after the other; with `--json` one array of them, or, with `--follow`, one a line. Every event is held against its hash on the way."],
        Examples =
        [
            new("dbx aggregate replay order o-1", "All of them."),
            new("dbx aggregate replay order o-1 --skip 10 --take 5 --json", "Versions 11 to 15, as an array."),
            new("dbx aggregate replay order o-1 --follow", "And those to come; the server has to run."),
            new("dbx aggregate replay --aggregate order --aggregate-id o-1", "By name."),
        ],
        Options = { Skip, Take, Follow, AccessToken.Option },
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
                if (call.Get(Follow) && !store.HasOtherWriters)
                    throw new RefusedException(RefusalCode.InvalidArgument, "A directory that is open here takes no other writer, so no event would ever follow. Start the server (`dbx start`), and follow through it.");
                // An aggregate without the events asked for prints nothing; one that is not there is refused.
                _ = await store.GetEventsAsync(aggregate, 1, 0, cancellation).ConfigureAwait(false);
                if (call.Get(Follow))
                    return await FollowAsync(call, store, aggregate, cancellation).ConfigureAwait(false);
                var events = ReadAsync(store, aggregate, call.Get(Skip) ?? 0, call.Get(Take) ?? long.MaxValue, cancellation);
                await (call.Json ? WriteArrayAsync(call, events) : WriteAsync(call, events)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    /// <summary>Ends when it is interrupted, or with as many as were asked for.</summary>
    static async Task<ExitCode> FollowAsync(Call call, IStore store, AggregateKey aggregate, CancellationToken cancellation)
    {
        var (from, left) = (call.Get(Skip) ?? 0, call.Get(Take) ?? long.MaxValue);
        try
        {
            while (true)
            {
                await foreach (var record in ReadAsync(store, aggregate, from, left, cancellation).ConfigureAwait(false))
                {
                    await call.Shell.Out.WriteAsync(new JsonText(pretty: !call.Json).Record(record).ToString()).ConfigureAwait(false);
                    (from, left) = ((long)record.Version, left - 1);
                }

                await call.Shell.Out.FlushAsync(cancellation).ConfigureAwait(false);
                if (left == 0)
                    return ExitCode.Done;
                await Task.Delay(Pause, call.Shell.Clock, cancellation).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            // That is how it ends.
            return ExitCode.Done;
        }
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
