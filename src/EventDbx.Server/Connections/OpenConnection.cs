namespace EventDbx.Server.Connections;

/// <summary>One connection, as the limits see it: it waits, or it has requests under way.</summary>
/// <remarks>
/// A request costs two interlocked additions and no lock: whoever looks for a connection to close finds out then how long it has
/// been waiting. One that was chosen to be closed begins no request any more, so no request is cut off by the choice.
/// Over HTTP/2 there are many requests at once, and the answer of each may wait for its client while others get on: a connection of
/// which every request under way waits so is like one that takes nothing at all.
/// </remarks>
/// <param name="table">Where it is counted.</param>
/// <param name="address">Where it comes from.</param>
/// <param name="close">Cuts it off, at once.</param>
/// <param name="depart">Asks it to end, with what it has been answered so far handed over; null: it is cut off.</param>
internal sealed class OpenConnection(ConnectionTable table, ClientAddress address, Action close, Action? depart = null)
{
    /// <summary>Far enough below 0 to stay there, whatever requests end yet.</summary>
    const int Chosen = int.MinValue / 2;

    int _requests;
    long _lastUse;
    int _linesLeft; // In how many lines it does not stand.
    int _stalledRequests;

    public ClientAddress Address => address;

    /// <summary>When its last request ended, in ticks of the table's clock; 0 before.</summary>
    public long LastUse => Volatile.Read(ref _lastUse);

    /// <summary>No request is under way: it is silent, in its handshake, sends headers, or is kept for the next one.</summary>
    public bool Waits => Volatile.Read(ref _requests) == 0;

    /// <summary>No request is under way, and none will be where it was chosen to be closed.</summary>
    public bool IsIdle => Volatile.Read(ref _requests) <= 0;

    /// <summary>Its place among all connections, and among those of its address.</summary>
    internal WaitingPlace? InAll { get; set; }

    internal WaitingPlace? InAddress { get; set; }

    /// <summary>Its place among those that have not sent a byte.</summary>
    internal LinkedListNode<OpenConnection>? InSilent { get; set; }

    /// <summary>Its place among those that leave.</summary>
    internal LinkedListNode<OpenConnection>? InLeaving { get; set; }

    /// <summary>Since when its answer has waited for the other end, in ticks of the table's clock; 0: it does not. Under the table's lock.</summary>
    internal long StalledAt { get; set; }

    /// <summary>How many of the requests under way wait for the other end to take what they were answered. Written under the table's lock.</summary>
    internal int StalledRequests
    {
        get => Volatile.Read(ref _stalledRequests);
        set => Interlocked.Exchange(ref _stalledRequests, value);
    }

    /// <summary>Since when there has been one of them at any time and none has got on, in ticks of the table's clock. Under the table's lock.</summary>
    internal long RequestStalledAt { get; set; }

    /// <summary>When it was closed for others, in ticks of the table's clock.</summary>
    internal long LeftAt { get; set; }

    /// <summary>When it came, in ticks of the table's clock.</summary>
    internal long CameAt { get; set; }

    /// <summary>Whether the table counts it still.</summary>
    internal bool Counted { get; set; }

    /// <summary>A request begins; false where the connection is being closed in favour of another, and the request must not run.</summary>
    public bool TryBegin()
    {
        var seen = Volatile.Read(ref _requests);
        while (seen >= 0)
        {
            var before = Interlocked.CompareExchange(ref _requests, seen + 1, seen);
            if (before == seen)
                return true;
            seen = before;
        }

        return false;
    }

    /// <summary>A request that began has ended.</summary>
    public void End()
    {
        Volatile.Write(ref _lastUse, table.Now);
        // The decrement before the look at the lines: see WaitingLine.Choose, which does both the other way round.
        var left = Interlocked.Decrement(ref _requests);
        if ((left == 0 && Volatile.Read(ref _linesLeft) > 0) || (Volatile.Read(ref _stalledRequests) is > 0 and var stalled && left <= stalled))
            table.Requeue(this);
    }

    /// <summary>Takes it out of the race, unless a request is under way.</summary>
    public bool TryChoose() => Interlocked.CompareExchange(ref _requests, Chosen, 0) == 0;

    /// <summary>Takes it out of the race, whatever is under way, where nothing of it has been taken since a time. Under the table's lock.</summary>
    public bool TryChooseStalled(long before)
    {
        if (StalledAt != 0 && StalledAt <= before)
        {
            Interlocked.Exchange(ref _requests, Chosen);
            return true;
        }

        // No other request is under way.
        return StalledRequests is > 0 and var stalled && RequestStalledAt <= before && Interlocked.CompareExchange(ref _requests, Chosen, stalled) == stalled;
    }

    /// <summary>Its answer waits for the other end to take what was sent before.</summary>
    public void Stalls() => table.Stall(this);

    /// <summary>It gets on again.</summary>
    public void GetsOn() => table.GetOn(this);

    /// <summary>The answer of one of its requests under way waits, while the connection need not.</summary>
    public void RequestStalls() => table.StallRequest(this);

    /// <summary>That answer gets on again, or is given up.</summary>
    /// <param name="taken">Whether some of it was taken.</param>
    public void RequestGetsOn(bool taken = true) => table.GetRequestOn(this, taken);

    /// <summary>Cuts it off.</summary>
    public void Close() => close();

    /// <summary>Lets it go, with its last answer where it had one.</summary>
    public void Depart() => (InLeaving is null ? close : depart!)();

    /// <summary>Whether an answer may be on its way still.</summary>
    internal bool HasAnswer => depart is not null && LastUse != 0;

    /// <summary>It stands in a line less: the end of its request has to put it back.</summary>
    internal void LeftLine() => Interlocked.Increment(ref _linesLeft);

    internal void InLineAgain() => Interlocked.Decrement(ref _linesLeft);
}
