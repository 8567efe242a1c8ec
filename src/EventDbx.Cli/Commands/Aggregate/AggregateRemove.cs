namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate remove</c>: takes away an aggregate that has no events.</summary>
internal static class AggregateRemove
{
    public static Verb Create() => new(
        "remove", "Remove an aggregate that has no events; one that has some stays for good.", Slot.AggregateType, Slot.AggregateId)
    {
        Examples =
        [
            new("dbx aggregate remove order o-1", "It was made with `aggregate create`, and nothing happened to it."),
            new("dbx aggregate remove --aggregate order --aggregate-id o-1", "By name."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToExistingAsync(
            call,
            aggregate,
            async store =>
            {
                await store.RemoveAsync(aggregate, cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(Shown(call, aggregate)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static string Shown(Call call, AggregateKey aggregate) => call.Json
        ? new JsonText().BeginObject()
            .Member("aggregate_id", aggregate.Id).Member("aggregate_type", aggregate.Type).Member("removed", true)
            .EndObject().ToString()
        : PlainText.Line($"aggregate_type={aggregate.Type} aggregate_id={aggregate.Id} removed");
}
