namespace EventDbx.Server.Connections;

/// <summary>A connection's place in a line, whether it stands there or not.</summary>
internal sealed class WaitingPlace
{
    public WaitingPlace(OpenConnection connection)
    {
        Connection = connection;
        Node = new(this);
        StalledNode = new(this);
    }

    public OpenConnection Connection { get; }

    public LinkedListNode<WaitingPlace> Node { get; }

    /// <summary>Its place among those whose answer waits for the other end.</summary>
    public LinkedListNode<WaitingPlace> StalledNode { get; }

    /// <summary>Since when it stands where it stands, in ticks.</summary>
    public long Since { get; set; }

    /// <summary>Since when it stands among those whose answer waits, in ticks.</summary>
    public long StalledSince { get; set; }
}

/// <summary>Connections in the order in which they may be closed for others: those that have waited longest stand first.</summary>
/// <remarks>
/// Nothing moves when a request comes or ends. Whoever looks for the first one moves those that were used since they took their place
/// to the end, and takes those that are in use out until their request ends: each such step is paid for by a request that was
/// made, so a look costs a constant number of steps in the mean. Used under the table's lock.
/// </remarks>
internal sealed class WaitingLine
{
    readonly LinkedList<WaitingPlace> _places = new();

    /// <summary>Those whose answer waits for the other end, in use or not; who began to wait first stands first.</summary>
    readonly LinkedList<WaitingPlace> _stalled = new();

    public void Add(WaitingPlace place, long now)
    {
        place.Since = now;
        _places.AddLast(place.Node);
    }

    public void Remove(WaitingPlace place)
    {
        if (place.Node.List is not null)
            _places.Remove(place.Node);
        GetOn(place);
    }

    /// <summary>Puts it behind those whose answer has waited longer.</summary>
    public void Stall(WaitingPlace place, long now)
    {
        GetOn(place);
        place.StalledSince = now;
        _stalled.AddLast(place.StalledNode);
    }

    /// <summary>Puts it back where a look, or a request that got on, has taken it out.</summary>
    /// <param name="place">Its own.</param>
    /// <param name="since">Since when its answers wait.</param>
    /// <param name="before">Whoever has waited since then may be chosen.</param>
    public void StallAgain(WaitingPlace place, long since, long before)
    {
        if (place.StalledNode.List is not null)
            return;
        place.StalledSince = since;
        if (since <= before)
            _stalled.AddFirst(place.StalledNode);
        else
            _stalled.AddLast(place.StalledNode);
    }

    public void GetOn(WaitingPlace place)
    {
        if (place.StalledNode.List is not null)
            _stalled.Remove(place.StalledNode);
    }

    /// <summary>One whose answers have waited for the other end since a time, and whose requests all wait so; it begins no request any more.</summary>
    public OpenConnection? ChooseStalled(long before)
    {
        while (_stalled.First is { Value: var place } && place.StalledSince <= before)
        {
            var connection = place.Connection;
            if (connection.TryChooseStalled(before))
                return connection;
            if (connection.StalledAt > before)
                Stall(place, connection.StalledAt);
            else if (connection.StalledRequests > 0 && connection.RequestStalledAt > before)
                Stall(place, connection.RequestStalledAt);
            else
                GetOn(place); // Another of its requests gets on. Its end puts it back.
        }

        return null;
    }

    /// <summary>Puts it back where a look has taken it out.</summary>
    public void AddAgain(WaitingPlace place, long now)
    {
        if (place.Node.List is not null)
            return;
        place.Connection.InLineAgain();
        Add(place, now);
    }

    /// <summary>The one that has waited longest; it begins no request any more, and stands in line still. Null: all are in use.</summary>
    public OpenConnection? Choose(long now)
    {
        while (_places.First is { Value: var place } first)
        {
            var connection = place.Connection;
            if (connection.LastUse > place.Since)
            {
                place.Since = Math.Max(now, connection.LastUse);
                _places.Remove(first);
                _places.AddLast(first);
                continue;
            }

            if (connection.TryChoose())
                return connection;
            _places.Remove(first);
            connection.LeftLine();
            // Its request may have ended before it could see that.
            if (connection.Waits)
                AddAgain(place, now);
        }

        return null;
    }
}
