namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate get</c>: an aggregate now, at a version, at a moment.</summary>
internal static class AggregateGet
{
    static readonly Option<ulong?> Version = Options.Version("--version", "As it was at this version; beyond the end, as it is now.");
    static readonly Option<string> At = Options.Text("--at", "TIME", "As it was at this moment, such as 2025-01-31T12:00:00Z.");
    static readonly Option<bool> IncludeEvents = Options.Switch("--include-events", "The events that led there as well.");
    static readonly Option<bool> Typed = Options.Switch("--typed", "Numbers, true, false and null as JSON; otherwise they are text.");

    static readonly Option<string> Fields = Options.Text(
        "--fields", "LIST", "Only these parts of the state: names and JSON Pointers with commas between them.");

    public static Verb Create() => new(
        "get", "Show an aggregate: its state now, at a version, or at a moment.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["Prints JSON with its members in the order of their names. Version 0 is before the first event."],
        Examples =
        [
            new("dbx aggregate get order o-1", "As it is now."),
            new("dbx aggregate get order o-1 --version 1 --include-events", "As it was at version 1, with the event."),
            new("dbx aggregate get order o-1 --at 2025-01-31T12:00:00Z", "As it was at a moment."),
            new("dbx aggregate get order o-1 --typed --fields status,/customer/name", "Two parts of the state."),
            new("dbx aggregate get --aggregate order --aggregate-id o-1", "By name."),
        ],
        Options = { Version, At, IncludeEvents, Typed, Fields, AccessToken.Option },
        Check = call => call.NotBoth(Version, At),
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var (aggregate, at, fields) = (call.Aggregate, call.TimeOf(At), FieldsOf(call));
        return Link.ToExistingAsync(
            call,
            aggregate,
            async store =>
            {
                var found = await store.GetAggregateAsync(aggregate, call.Get(Version), at, cancellation).ConfigureAwait(false);
                await WriteAsync(call, store, found, fields, cancellation).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static async Task WriteAsync(Call call, IStore store, AggregateState found, FieldSelection? fields, CancellationToken cancellation)
    {
        var json = new JsonText().BeginObject()
            .Member("aggregate_id", found.Aggregate.Id)
            .Member("aggregate_type", found.Aggregate.Type)
            .Member("archived", found.Archived);
        if (call.Get(IncludeEvents))
        {
            json.Name("events").BeginArray();
            await foreach (var record in AggregateReplay.ReadAsync(store, found.Aggregate, 0, (long)found.Version, cancellation).ConfigureAwait(false))
            {
                json.SortedRecord(record);
                await json.DrainAsync(call.Shell.Out).ConfigureAwait(false);
            }

            json.EndArray();
        }

        json.Member("merkle_root", found.MerkleRoot.ToString())
            .Name("state").State(found, call.Get(Typed), fields, sorted: true)
            .Member("version", found.Version)
            .EndObject();
        await call.Shell.Out.WriteAsync(json.ToString()).ConfigureAwait(false);
    }

    static FieldSelection? FieldsOf(Call call) => call.Get(Fields) is not { } text ? null
        : FieldSelection.TryParse(text, out var fields, out var refusal) ? fields
        : throw new UsageException($"`--fields`: {refusal.Message}");
}
