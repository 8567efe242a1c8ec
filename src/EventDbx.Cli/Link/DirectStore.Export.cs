using EventDbx.Transfer;

namespace EventDbx.Cli;

/// <summary>What an export reads: the session's.</summary>
internal sealed partial class DirectStore
{
    public IStateReading ReadStates(Timestamp? at) => ((IExportSource)session).ReadStates(at);

    public Task<EventSlice> ReadEventsAsync(string? type, string? after, CancellationToken cancellation) =>
        ((IExportSource)session).ReadEventsAsync(type, after, cancellation);
}
