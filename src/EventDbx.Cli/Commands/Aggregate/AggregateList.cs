using EventDbx.Server.Configuration;
using EventDbx.Server.Rest;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate list</c>: aggregates by type and id.</summary>
internal static class AggregateList
{
    static readonly Option<long?> Skip = Options.WholeNumber("--skip", "How many to leave out; `--cursor` is the quicker way.");
    static readonly Option<long?> Take = Options.WholeNumber("--take", "How many at most (default: `list_page_size` of the configuration).");
    static readonly Option<string> Type = Options.Text("--type", "TYPE", "Only aggregates of this type.");
    static readonly Option<string> IdPrefix = Options.Text("--id-prefix", "PREFIX", "Only ids that begin so.");
    static readonly Option<string?> Archived = Options.Truth("--archived", "Only archived ones, or only those that are not.");
    static readonly Option<bool> Stage = Options.Switch("--stage", "The events that are staged, instead.");
    static readonly Option<string> Cursor = Options.Text("--cursor", "CURSOR", "Go on behind a list that ended with `next cursor: CURSOR`.");

    public static Verb Create() => new("list", "List aggregates by type and id.")
    {
        Remarks =
        [
            "In the order of the bytes of their names. Where there is more, the last line on standard error is `next cursor: CURSOR`.",
            "With `--json` each has its state.",
        ],
        Examples =
        [
            new("dbx aggregate list", "The first page."),
            new("dbx aggregate list --type order --id-prefix 2025- --take 100", "Some of them."),
            new("dbx aggregate list --stage", "What `aggregate commit` would append."),
            new("dbx aggregate list --archived false --json", "Those that take events, with their states."),
        ],
        Check = call =>
        {
            call.NotBoth(Skip, Cursor);
            foreach (var option in (Option[])[Skip, Take, Type, IdPrefix, Archived, Cursor])
                call.NotBoth(Stage, option);
        },
        Options = { Skip, Take, Type, IdPrefix, Archived, Cursor, Stage, AccessToken.Option },
        Run = RunAsync,
    };

    /// <summary>Aggregates as lines, or drawn on a terminal, or as JSON: one as an object.</summary>
    public static Task WriteAsync(Call call, IReadOnlyList<AggregateState> aggregates)
    {
        if (call.Json)
            return call.Shell.Out.WriteAsync(new JsonText().Aggregate(aggregates[0]).ToString());

        // A line of a terminal has no room for 64 digits.
        var digits = call.Shell.OutIsTerminal ? 12 : 64;
        var table = new Table("aggregate_type", "aggregate_id", "version", "merkle_root", "archived");
        foreach (var item in aggregates)
        {
            table.Add(
                item.Aggregate.Type, item.Aggregate.Id, $"{item.Version}",
                item.MerkleRoot.ToString()[..digits] + (digits < 64 ? "…" : ""), item.Archived ? "true" : "false");
        }

        return table.WriteAsync(call.Shell);
    }

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        if (call.Get(Stage))
            return AggregateStaging.ListAsync(call, cancellation);
        var filter = new AggregateFilter
        {
            Type = call.Get(Type), IdPrefix = call.Get(IdPrefix), Archived = call.Get(Archived) is { } truth ? truth == "true" : null,
        };
        var after = CursorOf(call);
        return Link.ToExistingAsync(
            call,
            store => RunAsync(call, store, filter, after, cancellation),
            absent: () =>
            {
                if (call.Json)
                    call.Shell.Out.Write("[]\n");
                return ExitCode.Done;
            },
            cancellation);
    }

    static async Task<ExitCode> RunAsync(Call call, IStore store, AggregateFilter filter, byte[]? after, CancellationToken cancellation)
    {
        var (skip, left) = (call.Get(Skip) ?? 0, call.Get(Take) ?? PageSize(call));
        var array = call.Json ? new JsonText().BeginArray() : null;
        // One table, however many pages it takes.
        List<AggregateState> drawn = [];
        while (left > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            var page = await store.GetAggregatesAsync(
                filter, after, skip, (int)Math.Min(left, Limits.PageItemsMax), withState: array is not null, cancellation).ConfigureAwait(false);
            (after, skip, left) = (page.Next, 0, left - page.Items.Count);
            if (array is not null)
                await WriteAsync(call, array, page).ConfigureAwait(false);
            else if (call.Shell.OutIsTerminal)
                drawn.AddRange(page.Items);
            else
                await WriteAsync(call, page.Items).ConfigureAwait(false);
            if (after is null)
                break;
        }

        if (drawn.Count > 0)
            await WriteAsync(call, drawn).ConfigureAwait(false);
        if (array is not null)
            await call.Shell.Out.WriteAsync(array.EndArray().ToString()).ConfigureAwait(false);
        if (after is not null)
            await call.NoteAsync($"next cursor: {Cursors.OfAggregates(after)}").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static async Task WriteAsync(Call call, JsonText array, AggregatePage page)
    {
        foreach (var item in page.Items)
        {
            array.Aggregate(item);
            await array.DrainAsync(call.Shell.Out).ConfigureAwait(false);
        }
    }

    // What stands in the configuration of this machine is not about a server elsewhere.
    static long PageSize(Call call) => RemoteServer.IsMeant(call) ? ServerConfig.ListPageSizeDefault : call.LoadConfig().Config.ListPageSize;

    static byte[]? CursorOf(Call call)
    {
        try
        {
            return call.Get(Cursor) is { } text ? Cursors.ReadAggregates(text) : null;
        }
        catch (RefusedException)
        {
            throw new UsageException($"`--cursor` is what a list ended with after `next cursor:`, not `{call.Get(Cursor)}`.");
        }
    }
}
