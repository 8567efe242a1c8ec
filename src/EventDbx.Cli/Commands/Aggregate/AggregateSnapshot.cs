using System.Buffers;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate snapshot | snapshots</c>: states that are kept.</summary>
internal static class AggregateSnapshot
{
    static readonly Option<string> Comment = Options.Text("--comment", "TEXT", "A remark, kept with it; up to 128 characters.");

    public static Verb Take() => new("snapshot", "Keep the state of an aggregate as it is now.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["It makes no event and no version. `dbx schema threshold` has snapshots taken by themselves."],
        Examples =
        [
            new("dbx aggregate snapshot order o-1 --comment \"before the audit\"", "With a remark."),
            new("dbx aggregate snapshot --aggregate order --aggregate-id o-1", "By name."),
        ],
        Options = { Comment, AccessToken.Option },
        Run = TakeAsync,
    };

    public static Verb List() => new("snapshots", "List the snapshots of an aggregate, oldest first.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["With `--json` each has its state."],
        Examples =
        [
            new("dbx aggregate snapshots order o-1", "A line for each."),
            new("dbx aggregate snapshots --aggregate order --aggregate-id o-1 --json", "With their states."),
        ],
        Options = { AccessToken.Option },
        Run = ListAsync,
    };

    static Task<ExitCode> TakeAsync(Call call, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToExistingAsync(
            call, aggregate,
            async store =>
            {
                var snapshot = await store.SnapshotAsync(aggregate, call.Get(Comment), cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(Write(new JsonText(), snapshot).ToString()).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static Task<ExitCode> ListAsync(Call call, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToExistingAsync(
            call, aggregate,
            async store =>
            {
                await (call.Json ? WriteArrayAsync(call, store, aggregate, cancellation) : WriteTableAsync(call, store, aggregate, cancellation)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static async Task WriteArrayAsync(Call call, IStore store, AggregateKey aggregate, CancellationToken cancellation)
    {
        var array = new JsonText().BeginArray();
        await foreach (var snapshot in ReadAsync(store, aggregate, cancellation).ConfigureAwait(false))
        {
            Write(array, snapshot);
            await array.DrainAsync(call.Shell.Out).ConfigureAwait(false);
        }

        await call.Shell.Out.WriteAsync(array.EndArray().ToString()).ConfigureAwait(false);
    }

    static async Task WriteTableAsync(Call call, IStore store, AggregateKey aggregate, CancellationToken cancellation)
    {
        // A line of a terminal has no room for 64 digits.
        var digits = call.Shell.OutIsTerminal ? 12 : 64;
        var table = new Table("version", "created_at", "merkle_root", "comment");
        await foreach (var snapshot in ReadAsync(store, aggregate, cancellation).ConfigureAwait(false))
        {
            table.Add(
                $"{snapshot.State.Version}", snapshot.CreatedAt.ToString(),
                snapshot.State.MerkleRoot.ToString()[..digits] + (digits < 64 ? "…" : ""), snapshot.Comment ?? "");
        }

        await table.WriteAsync(call.Shell).ConfigureAwait(false);
    }

    static async IAsyncEnumerable<Snapshot> ReadAsync(
        IStore store, AggregateKey aggregate, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        byte[]? after = null;
        do
        {
            cancellation.ThrowIfCancellationRequested();
            var page = await store.GetSnapshotsAsync(aggregate, after, Limits.PageItemsMax, cancellation).ConfigureAwait(false);
            foreach (var snapshot in page.Items)
                yield return snapshot;
            after = page.Next;
        }
        while (after is not null);
    }

    static JsonText Write(JsonText json, Snapshot snapshot)
    {
        var output = new ArrayBufferWriter<byte>();
        SnapshotJson.Write(output, snapshot);
        return json.Value(output.WrittenMemory);
    }
}
