using System.Threading.Channels;

namespace EventDbx.Commit;

/// <summary>Writes the fold points of large states behind the commits that crossed them.</summary>
/// <remarks>
/// Nothing waits for it and nothing depends on it: a fold point that is dropped, late or never written only makes a read of
/// an old version longer.
/// </remarks>
internal sealed class FoldPointWriter(Database database)
{
    readonly Channel<(AggregateKey Aggregate, ulong Version)> _due = Channel.CreateBounded<(AggregateKey, ulong)>(
        new BoundedChannelOptions(1024) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    Task _running = Task.CompletedTask;

    public void Due(AggregateKey aggregate, ulong version) => _due.Writer.TryWrite((aggregate, version));

    public void Start() => _running = Task.Run(RunAsync);

    async Task RunAsync()
    {
        await foreach (var (aggregate, version) in _due.Reader.ReadAllAsync().ConfigureAwait(false))
        {
            try
            {
                byte[] fields;
                using (var reader = database.OpenReader())
                {
                    if (reader.FindStateAt(aggregate, version) is not { } state || state.Version != version)
                        continue;
                    fields = state.Fields.ToArray();
                }

                await database.Loop.CommitAsync(new PendingCommit(new FoldPointOperation { Aggregate = aggregate, Version = version, Fields = fields }))
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
