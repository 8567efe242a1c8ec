using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Connections;

/// <summary>The connections that came by one kind of door, and who has to go when they are too many.</summary>
/// <remarks>
/// Strangers who say nothing must not lock others out: beyond a limit the connection that has waited longest is closed in favour of
/// the new one; of the same address where that has too many, of all otherwise. Before it goes one whose answer nobody takes. Where
/// every one has a request under way that gets on, the new one is closed. One that was chosen and may have an answer on its way
/// leaves: it is asked to end, and cut off where it does not, or where too many leave at once.
/// </remarks>
internal sealed class ConnectionTable : IDisposable
{
    /// <summary>Between two lines of the log about connections that were closed: a flood is one line a minute.</summary>
    static readonly TimeSpan TellInterval = TimeSpan.FromMinutes(1);

    readonly ConnectionLimits _limits;
    readonly TimeProvider _clock;
    readonly Action<LogLine>? _log;
    readonly ITimer _sweep;
    readonly Lock _lock = new();
    readonly Dictionary<ClientAddress, Neighbours> _addresses = [];
    readonly WaitingLine _all = new();
    readonly LinkedList<OpenConnection> _silent = new();
    readonly LinkedList<OpenConnection> _leaving = new();
    readonly long _firstByteTicks;
    readonly long _stallTicks;
    int _count;
    int _closed;
    int _refused;
    ClientAddress _lastCrowd;
    long? _toldAt;

    public ConnectionTable(ConnectionLimits limits, TimeProvider clock, Action<LogLine>? log)
    {
        (_limits, _clock, _log) = (limits, clock, log);
        _firstByteTicks = (long)(limits.FirstByte.TotalSeconds * clock.TimestampFrequency);
        _stallTicks = (long)(limits.Stall.TotalSeconds * clock.TimestampFrequency);
        var interval = (limits.FirstByte < limits.Stall ? limits.FirstByte : limits.Stall) / 30;
        _sweep = clock.CreateTimer(_ => Sweep(), null, interval, interval);
    }

    /// <summary>Open right now.</summary>
    public int Count => Volatile.Read(ref _count);

    internal long Now => _clock.GetTimestamp();

    /// <summary>Lets a new connection in, closing another one for it if need be; false where it has to go itself.</summary>
    public bool TryEnter(OpenConnection connection)
    {
        OpenConnection? neighbour = null, any = null;
        List<OpenConnection>? tooMany = null;
        var now = Now;
        bool entered;
        lock (_lock)
        {
            entered = _addresses.GetValueOrDefault(connection.Address) is not { } near || near.Count < _limits.PerAddress
                || (neighbour = GiveUp(near.Line, now)) is not null;
            if (entered && _count >= _limits.Max)
                entered = (any = GiveUp(_all, now)) is not null;
            if (entered)
                Add(connection, now);
            if (!entered || neighbour is not null || any is not null)
                _lastCrowd = connection.Address;
            if (!entered)
                _refused++;
            while (_leaving.Count > ServerLimits.LeavingMax)
                (tooMany ??= []).Add(EndLeaving());
        }

        neighbour?.Depart();
        any?.Depart();
        foreach (var one in tooMany ?? [])
            one.Close();
        return entered;
    }

    /// <summary>It has sent something.</summary>
    public void Spoke(OpenConnection connection)
    {
        lock (_lock)
            NoLongerSilent(connection);
    }

    /// <summary>It has ended.</summary>
    public void Leave(OpenConnection connection)
    {
        lock (_lock)
        {
            Remove(connection);
            if (connection.InLeaving is { List: not null } node)
                _leaving.Remove(node);
        }
    }

    /// <summary>Its answer waits for the other end.</summary>
    internal void Stall(OpenConnection connection)
    {
        lock (_lock)
        {
            if (!connection.Counted || connection.StalledAt != 0)
                return;
            connection.StalledAt = Now;
            PutAmongStalled(connection, connection.StalledAt);
        }
    }

    /// <summary>It does not any more.</summary>
    internal void GetOn(OpenConnection connection)
    {
        lock (_lock)
        {
            connection.StalledAt = 0;
            if (connection.Counted && connection.StalledRequests == 0)
                TakeFromStalled(connection);
        }
    }

    /// <summary>The answer of one of its requests waits for the other end.</summary>
    internal void StallRequest(OpenConnection connection)
    {
        lock (_lock)
        {
            // One more that waits is no reason to count anew: whoever begins one now and then would stay for ever.
            if (connection.StalledRequests++ > 0)
            {
                if (connection.Counted && connection.StalledAt == 0)
                    PutBackAmongStalled(connection, Now);
                return;
            }

            connection.RequestStalledAt = Now;
            if (connection.Counted && connection.StalledAt == 0)
                PutAmongStalled(connection, connection.RequestStalledAt);
        }
    }

    /// <summary>It does not any more.</summary>
    /// <param name="connection">Of which it is one.</param>
    /// <param name="taken">Whether some of it was taken; one that was given up is no sign that the others will be.</param>
    internal void GetRequestOn(OpenConnection connection, bool taken)
    {
        lock (_lock)
        {
            connection.StalledRequests--;
            if (taken)
                connection.RequestStalledAt = Now;
            if (connection.Counted && connection.StalledAt == 0)
                TakeFromStalled(connection);
        }
    }

    /// <summary>A request has ended on a connection that a look had found in use, or of which all other requests wait for the other end.</summary>
    internal void Requeue(OpenConnection connection)
    {
        var now = Now;
        lock (_lock)
        {
            if (!connection.Counted)
                return;
            if (connection.Waits)
            {
                _all.AddAgain(connection.InAll!, now);
                _addresses[connection.Address].Line.AddAgain(connection.InAddress!, now);
            }
            else if (connection.StalledRequests > 0)
            {
                PutBackAmongStalled(connection, now);
            }
        }
    }

    public void Dispose() => _sweep.Dispose();

    void Add(OpenConnection connection, long now)
    {
        (connection.InAll, connection.InAddress, connection.CameAt, connection.Counted) = (new(connection), new(connection), now, true);
        if (!_addresses.TryGetValue(connection.Address, out var near))
            _addresses.Add(connection.Address, near = new());
        near.Count++;
        near.Line.Add(connection.InAddress, now);
        _all.Add(connection.InAll, now);
        connection.InSilent = _silent.AddLast(connection);
        _count++;
    }

    void Remove(OpenConnection connection)
    {
        if (!connection.Counted)
            return;
        connection.Counted = false;
        _count--;
        _all.Remove(connection.InAll!);
        NoLongerSilent(connection);
        var near = _addresses[connection.Address];
        near.Line.Remove(connection.InAddress!);
        if (--near.Count == 0)
            _addresses.Remove(connection.Address);
    }

    void PutAmongStalled(OpenConnection connection, long now)
    {
        _all.Stall(connection.InAll!, now);
        _addresses[connection.Address].Line.Stall(connection.InAddress!, now);
    }

    /// <summary>Where a look, or a request that got on, has taken it out.</summary>
    void PutBackAmongStalled(OpenConnection connection, long now)
    {
        _all.StallAgain(connection.InAll!, connection.RequestStalledAt, now - _stallTicks);
        _addresses[connection.Address].Line.StallAgain(connection.InAddress!, connection.RequestStalledAt, now - _stallTicks);
    }

    void TakeFromStalled(OpenConnection connection)
    {
        _all.GetOn(connection.InAll!);
        _addresses[connection.Address].Line.GetOn(connection.InAddress!);
    }

    void NoLongerSilent(OpenConnection connection)
    {
        if (connection.InSilent is not { } node)
            return;
        _silent.Remove(node);
        connection.InSilent = null;
    }

    /// <summary>Chooses one and counts it out; it is to be closed once the lock is free.</summary>
    OpenConnection? GiveUp(WaitingLine line, long now)
    {
        var chosen = line.ChooseStalled(now - _stallTicks);
        if (chosen is null)
        {
            if ((chosen = line.Choose(now)) is null)
                return null;
            if (chosen.HasAnswer)
            {
                chosen.LeftAt = now;
                chosen.InLeaving = _leaving.AddLast(chosen);
            }
        }

        Remove(chosen);
        _closed++;
        return chosen;
    }

    /// <summary>The one that has been leaving longest; it is to be cut off once the lock is free.</summary>
    OpenConnection EndLeaving()
    {
        var first = _leaving.First!;
        _leaving.Remove(first);
        return first.Value;
    }

    /// <summary>Closes who has been silent, or leaving, for too long, and tells what the limits have cost.</summary>
    void Sweep()
    {
        List<OpenConnection>? late = null;
        string? told = null;
        var now = Now;
        lock (_lock)
        {
            while (_silent.First is { Value: var connection } && now - connection.CameAt >= _firstByteTicks)
            {
                NoLongerSilent(connection);
                if (!connection.TryChoose())
                    continue;
                Remove(connection);
                (late ??= []).Add(connection);
            }

            while (_leaving.First is { Value: var leaving } && now - leaving.LeftAt >= _stallTicks)
                (late ??= []).Add(EndLeaving());

            if (_closed + _refused > 0 && (_toldAt is not { } toldAt || _clock.GetElapsedTime(toldAt, now) >= TellInterval))
            {
                told = FormattableString.Invariant(
                    $"Connections came to a limit, most lately from {_lastCrowd} ({_limits.PerAddress} from one address, {_limits.Max} in all): {_closed} that waited were closed for new ones, {_refused} new ones were closed because all others had requests under way.");
                (_toldAt, _closed, _refused) = (now, 0, 0);
            }
        }

        foreach (var connection in late ?? [])
            connection.Close();
        if (told is not null)
            _log?.Invoke(new(Timestamp.From(_clock.GetUtcNow()), LogLevel.Warning, "connections", told));
    }

    /// <summary>The connections of one address.</summary>
    sealed class Neighbours
    {
        public int Count { get; set; }

        public WaitingLine Line { get; } = new();
    }
}
