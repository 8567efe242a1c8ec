using System.Threading.Channels;

namespace EventDbx.Commit;

/// <summary>Writes the fold points and automatic snapshots of large states behind the commits that crossed them.</summary>
/// <remarks>
/// Nothing waits for it and no answer depends on it: a row that is dropped, late or never written only makes a read of an old
/// version longer. What is written is the state of exactly the version that crossed.
/// </remarks>
internal sealed class FoldPointWriter(Database database)
{
    readonly Channel<(AggregateKey Aggregate, ulong Version, bool Snapshot)> _due = Channel.CreateBounded<(AggregateKey, ulong, bool)>(
        new BoundedChannelOptions(1024) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    Task _running = Task.CompletedTask;

    public void Due(AggregateKey aggregate, ulong version, bool snapshot) => _due.Writer.TryWrite((aggregate, version, snapshot));

    public void Start() => _running = Task.Run(RunAsync);

    async Task RunAsync()
    {
        await foreach (var (aggregate, version, snapshot) in _due.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                byte[] fields;
                AutomaticSnapshot? asked = null;
                using (var reader = database.OpenReader())
                {
                    if (reader.FindStateAt(aggregate, version) is not { } state || state.Version != version)
                        continue;
                    fields = state.Fields.ToArray();
                    if (snapshot)
                        asked = new(state.MerkleRoot, state.UpdatedAt.Ticks100ns);
                }

                await database.Loop.CommitAsync(new PendingCommit(new FoldPointOperation { Aggregate = aggregate, Version = version, Fields = fields, Snapshot = asked }))
                    .ConfigureAwait(false);
            }
            catch (Exception cause) when (cause is RefusedException or StorageFailedException)
            {
                // A damaged aggregate is reported by reads and verify; a stopped or full writer has better things to do, and
                // a disk that cannot be read tells everybody who asks it.
            }
        }
    }

    /// <summary>Finishes what it is at; what still waits is dropped.</summary>
    public Task StopAsync()
    {
        _due.Writer.TryComplete();
        while (_due.Reader.TryRead(out _))
        {
        }

        return _running;
    }
}
