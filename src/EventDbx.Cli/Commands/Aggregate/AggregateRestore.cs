namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate restore</c>: an archived aggregate takes events again.</summary>
internal static class AggregateRestore
{
    static readonly Option<string> Comment = Options.Text("--comment", "TEXT", "Why, kept in the log; up to 128 characters.");

    public static Verb Create() => new(
        "restore", "Bring an archived aggregate back; one that is not archived stays as it is.", Slot.AggregateType, Slot.AggregateId)
    {
        Examples =
        [
            new("dbx aggregate restore order o-1 --comment \"reopened\"", "With a reason."),
            new("dbx aggregate restore --aggregate order --aggregate-id o-1", "By name."),
        ],
        Options = { Comment, AccessToken.Option },
        Run = (call, cancellation) => AggregateArchive.RunAsync(
            call, call.Get(Comment), (store, aggregate, comment) => store.RestoreAsync(aggregate, comment, cancellation), cancellation),
    };
}
