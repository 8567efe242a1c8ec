namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate create</c>: an aggregate without events.</summary>
internal static class AggregateCreate
{
    static readonly Option<string> Comment = Options.Text("--comment", "TEXT", "A remark, kept in the log; up to 128 characters.");

    public static Verb Create() => new(
        "create", "Make an aggregate that has no events yet.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["There is no need to: the first event makes its aggregate. It holds a name, and `aggregate remove` gives it back."],
        Examples =
        [
            new("dbx aggregate create order o-1", "At version 0, with an empty state."),
            new("dbx aggregate create --aggregate order --aggregate-id o-1 --comment \"reserved\"", "The same by name, with a remark."),
        ],
        Options = { Comment, AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToAnyAsync(
            call,
            async store =>
            {
                var made = await store.CreateAsync(aggregate, call.Get(Comment), cancellation).ConfigureAwait(false);
                await AggregateList.WriteAsync(call, [made]).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }
}
