using System.Collections.Concurrent;

namespace EventDbx.Server.GraphQL;

/// <summary>The operations on one WebSocket: whose ids are in use, and how many are under way.</summary>
/// <remarks>
/// An id is free again once the client has completed its operation; a place only once the operation has come to its end, or sends its last
/// message: until then it may hold a page, or an answer. One thread adds; they end on any.
/// </remarks>
internal sealed class SocketOperations
{
    readonly ConcurrentDictionary<string, SocketOperation> _byId = new(StringComparer.Ordinal);

    /// <summary>Those that have not come to their end, wanted or not; false where the place is another's by now.</summary>
    readonly ConcurrentDictionary<SocketOperation, bool> _running = new();
    int _places;

    /// <summary>Whether all places are taken.</summary>
    public bool IsFull => Volatile.Read(ref _places) >= ServerLimits.GraphQLSocketOperationsMax;

    public bool IsEmpty => _running.IsEmpty;

    /// <summary>Until each has ended.</summary>
    public Task Running => Task.WhenAll(_running.Keys.Select(static one => one.Running));

    public bool Has(string id) => _byId.ContainsKey(id);

    public void Add(string id, SocketOperation operation)
    {
        _byId[id] = operation;
        _running[operation] = true;
        Interlocked.Increment(ref _places);
    }

    /// <summary>The client wants no more of one, and may use its id again.</summary>
    public void Stop(string id)
    {
        if (_byId.TryRemove(id, out var operation))
            operation.Stop();
    }

    /// <summary>Waits for a place where one is about to be free: of what the client wants no more of.</summary>
    public async Task ReachAsync(CancellationToken gone)
    {
        while (IsFull && _running.Keys.Where(static one => one.IsStopped).Select(static one => one.Running).ToList() is { Count: > 0 } ending)
            await Task.WhenAny(ending).WaitAsync(gone).ConfigureAwait(false);
    }

    /// <summary>The id of an operation may be used again, and its place, once.</summary>
    public void GiveBack(string id, SocketOperation operation)
    {
        // Another may have its id by now.
        _byId.TryRemove(new(id, operation));
        if (_running.TryUpdate(operation, false, true))
            Interlocked.Decrement(ref _places);
    }

    /// <summary>It has ended: nothing of it is held any more.</summary>
    public void Ended(string id, SocketOperation operation)
    {
        GiveBack(id, operation);
        _running.TryRemove(operation, out bool _);
    }
}
