using EventDbx.Verification;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate verify</c>: computes everything about an aggregate again.</summary>
internal static class AggregateVerify
{
    static readonly Option<bool> Quick = Options.Switch("--quick", "Only that head, newest event and state belong together.");

    public static Verb Create() => new(
        "verify", "Verify an aggregate: hashes, chain, root and state, computed again.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["Prints the Merkle root. What is not what was committed is named, version or row, with exit code 3."],
        Examples =
        [
            new("dbx aggregate verify order o-1", "All of its history."),
            new("dbx aggregate verify --aggregate order --aggregate-id o-1 --quick", "Its end, in a moment."),
        ],
        Options = { Quick, AccessToken.Option },
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
                var result = await store.VerifyAsync(aggregate, call.Get(Quick) ? VerifyLevel.Quick : VerifyLevel.Full, cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(Shown(call, result)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static string Shown(Call call, VerifyResult result) => call.Json
        ? new JsonText().BeginObject()
            .Member("aggregate_id", result.Aggregate.Id)
            .Member("aggregate_type", result.Aggregate.Type)
            .Member("merkle_root", result.MerkleRoot.ToString())
            .EndObject().ToString()
        : PlainText.Line($"aggregate_type={result.Aggregate.Type} aggregate_id={result.Aggregate.Id} merkle_root={result.MerkleRoot}");
}
