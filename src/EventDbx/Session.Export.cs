using System.Globalization;
using EventDbx.Access;
using EventDbx.Transfer;

namespace EventDbx;

/// <summary>What an export reads.</summary>
public sealed partial class Session : IExportSource
{
    IStateReading IExportSource.ReadStates(Timestamp? at)
    {
        Demand(AccessAction.AggregateRead);
        return new StatesOfOneMoment(new(_database.Engine.OpenScan(), _database.Keyring, walk: true), Sight, at);
    }

    Task<EventSlice> IExportSource.ReadEventsAsync(string? type, string? after, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var size = _database.LogSize;
        var page = ReadFeed(
            after is null ? 0 : ulong.Parse(after, NumberStyles.None, CultureInfo.InvariantCulture), Limits.PageItemsMax,
            new FeedFilter { AggregateType = type, WithSalts = true });
        var reached = page.ReachedPosition;
        return Task.FromResult(new EventSlice(
            [.. page.Items.Select(item => item.Event!)], reached.ToString(CultureInfo.InvariantCulture), reached >= size, size == 0 ? 1 : (double)reached / size));
    }

    /// <summary>One view and one sight, from the first page to the last.</summary>
    sealed class StatesOfOneMoment(StoreReader reader, Sight sight, Timestamp? at) : IStateReading
    {
        public Task<AggregatePage> ReadAsync(string? type, byte[]? after, bool withState, CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            return Task.FromResult(reader.Aggregates(new() { Type = type }, sight, after, skip: 0, Limits.PageItemsMax, withState, at, cancellation));
        }

        public void Dispose() => reader.Dispose();
    }
}
