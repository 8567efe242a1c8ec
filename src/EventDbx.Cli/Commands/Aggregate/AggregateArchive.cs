namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate archive</c>: an aggregate that takes no more events.</summary>
internal static class AggregateArchive
{
    static readonly Option<string> Comment = Options.Text("--comment", "TEXT", "Why, kept in the log; up to 128 characters.");

    public static Verb Create() => new(
        "archive", "Archive an aggregate: it can be read and verified, and takes no events.", Slot.AggregateType, Slot.AggregateId)
    {
        Examples =
        [
            new("dbx aggregate archive order o-1 --comment \"year closed\"", "With a reason."),
            new("dbx aggregate archive --aggregate order --aggregate-id o-1", "By name."),
        ],
        Options = { Comment, AccessToken.Option },
        Run = (call, cancellation) => RunAsync(
            call, call.Get(Comment), (store, aggregate, comment) => store.ArchiveAsync(aggregate, comment, cancellation), cancellation),
    };

    /// <summary>Changes whether an aggregate is archived, and says so.</summary>
    public static Task<ExitCode> RunAsync(
        Call call, string? comment, Func<IStore, AggregateKey, string?, Task<AggregateState>> act, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToExistingAsync(
            call,
            aggregate,
            async store =>
            {
                var now = await act(store, aggregate, comment).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(Shown(call, now, comment)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static string Shown(Call call, AggregateState now, string? comment) => call.Json
        ? new JsonText().BeginObject()
            .Member("aggregate_id", now.Aggregate.Id)
            .Member("aggregate_type", now.Aggregate.Type)
            .Member("archived", now.Archived)
            .Member("comment", comment)
            .EndObject().ToString()
        : PlainText.Line($"aggregate_type={now.Aggregate.Type} aggregate_id={now.Aggregate.Id} archived={(now.Archived ? "true" : "false")} comment={comment}");
}
