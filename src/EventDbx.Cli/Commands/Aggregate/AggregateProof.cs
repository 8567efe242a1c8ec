using System.Globalization;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate proof</c>: a receipt of one event, or that one root of an aggregate continues another.</summary>
internal static class AggregateProof
{
    static readonly Slot Version = new("--version", "VERSION", "The event's version: a receipt of it.") { Optional = true };

    static readonly Option<long?> Size = Options.WholeNumber("--size", "Prove the event in the tree of the first N versions (default: up to the event itself).", min: 1);
    static readonly Option<long?> From = Options.WholeNumber("--from", "Prove that the root at a later version continues the one at version N.", min: 1);
    static readonly Option<long?> To = Options.WholeNumber("--to", "The later version (default: the newest).", min: 1);

    public static Verb Create() => new("proof", "Make a receipt of an event, or a proof that an aggregate only grew, for whoever checks it without us.", Slot.AggregateType, Slot.AggregateId, Version)
    {
        Remarks =
        [
            "A receipt shows with `dbx-verify event` that this very event, to the byte, was in the log that was signed, and which events were before " +
            "it. It opens the whole event. With `--from` the proof is for `dbx-verify aggregate`: who kept the root at that version sees that nothing before it changed.",
        ],
        Examples =
        [
            new("dbx aggregate proof order o-1 2 -o receipt.json", "A receipt of version 2."),
            new("dbx aggregate proof order o-1 2 --size 5", "The same event, in the root at version 5."),
            new("dbx aggregate proof --aggregate order --aggregate-id o-1 --from 2 --to 5", "From the root at version 2 to the one at version 5."),
        ],
        Options = { Size, From, To, ProofOutput.File, AccessToken.Option },
        Check = Check,
        Run = RunAsync,
    };

    static void Check(Call call)
    {
        call.NotBoth(Size, From);
        if (call.Find(Version) is not null && call.Has(From))
            throw new UsageException($"VERSION and `{From.Name}` exclude each other: a receipt of one event, or a proof between two versions.");
        if (call.Find(Version) is null && !call.Has(From))
            throw new UsageException($"prove what? A VERSION makes a receipt of that event, `{From.Name} N` a proof from version N on.");
        if (call.Has(To) && !call.Has(From))
            throw new UsageException($"`{To.Name}` goes with `{From.Name}`.");
        if (call.Find(Version) is not null)
            _ = VersionOf(call);
    }

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToExistingAsync(
            call, aggregate,
            async store =>
            {
                var proof = call.Get(From) is { } from
                    ? await store.ProveAggregateAsync(aggregate, (ulong)from, (ulong?)call.Get(To), cancellation).ConfigureAwait(false)
                    : await store.ProveEventAsync(aggregate, VersionOf(call), (ulong?)call.Get(Size), cancellation).ConfigureAwait(false);
                await ProofOutput.WriteAsync(call, proof, call.Get(ProofOutput.File)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static ulong VersionOf(Call call) => ulong.TryParse(call[Version], NumberStyles.None, CultureInfo.InvariantCulture, out var version) && version > 0
        ? version
        : throw new UsageException($"VERSION is a whole number from 1 up, not `{call[Version]}`.");
}
