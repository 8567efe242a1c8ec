using System.Buffers;

namespace EventDbx.Server.Plugins;

/// <summary>The events that were handed to a connection and are not settled, in their order, and how many there may be.</summary>
/// <remarks>
/// One at first, until the receiver is seen to keep a connection: it may be one that reads a line and closes, and would never read a second. Then more, twice as many after each settlement of as
/// many as there may be, and half as many where a connection ended before it was settled. A number that failed is not tried again for a while, longer each time. Used by one caller at a time.
/// </remarks>
internal sealed class TcpWindow
{
    /// <summary>Events on a connection to a receiver that was seen to keep one: few, so that one that ends connections by itself sees few of them twice.</summary>
    public const int First = 32;

    /// <summary>Settlements before a number that failed is tried again: the first time, and ever after.</summary>
    const int PatienceFirst = 32, PatienceMax = 4_096;

    readonly List<Delivery> _events = [];
    long _bytesWritten;
    int _patience = PatienceFirst;
    int _untilGrowth;
    int _failed = int.MaxValue;

    /// <summary>All of them, written or not.</summary>
    public int Count => _events.Count;

    /// <summary>How many, from the first on, were written to the connection there is.</summary>
    public int Written { get; private set; }

    /// <summary>Events on one connection at most.</summary>
    public int Limit { get; private set; } = 1;

    /// <summary>Whether the connection there is takes no more.</summary>
    public bool IsFull => Written >= Limit || _bytesWritten >= ServerLimits.PluginUnsettledBytes;

    /// <summary>The least position; 0 where there is none. An event that is sent again lies behind younger ones.</summary>
    public ulong FirstPosition
    {
        get
        {
            var first = ulong.MaxValue;
            foreach (var one in _events)
                first = Math.Min(first, one.Record.Position);
            return _events.Count == 0 ? 0 : first;
        }
    }

    /// <summary>Takes as many as one connection may have together with those that are there; one at least where none is there.</summary>
    /// <returns>How many, from <paramref name="at"/> on.</returns>
    public int Add(IReadOnlyList<Delivery> events, int at)
    {
        var added = 0;
        while (at + added < events.Count && (_events.Count < Limit || _events.Count == 0))
            _events.Add(events[at + added++]);
        return added;
    }

    /// <summary>The last of them are not to be written after all.</summary>
    public void TakeBack(int count)
    {
        _events.RemoveRange(_events.Count - count, count);
        // What of them was written belongs to a connection that is gone.
        Written = Math.Min(Written, _events.Count);
    }

    /// <summary>Lines to be written next, to the bound of the connection; counted as written.</summary>
    public void WriteNext(IBufferWriter<byte> output)
    {
        while (Written < _events.Count && !IsFull)
        {
            var line = _events[Written++].Json.Span;
            output.Write(line);
            output.Write("\n"u8);
            _bytesWritten += line.Length + 1;
        }
    }

    /// <summary>What was written was read.</summary>
    /// <param name="keeps">Whether the receiver keeps a connection until it is ended here. Asked only of a connection with one event.</param>
    public void Settle(bool keeps)
    {
        var full = IsFull;
        _events.RemoveRange(0, Written);
        Restart();
        // Fewer than there might have been say nothing of more.
        if (!full || !keeps)
            return;
        if (Limit >= _failed)
            (_failed, _patience) = (int.MaxValue, PatienceFirst);
        var next = Limit > 1 || _failed <= First ? Limit * 2 : First;
        // From one on at once: that it was watched for is pause enough.
        if (Limit == 1 || next < _failed || --_untilGrowth <= 0)
            Limit = Math.Min(next, ServerLimits.PluginUnsettledEvents);
    }

    /// <summary>The connection ended, and what was written may not have been read: it is written again, in smaller parts.</summary>
    /// <param name="byItself">Whether the receiver ended it in good order, as one does that wants no more on one connection.</param>
    /// <returns>False: there are no smaller parts.</returns>
    public bool Shrink(bool byItself)
    {
        var smallest = Limit == 1;
        if (!smallest)
            _failed = Limit;
        Limit = Math.Max(1, (byItself ? Math.Min(Limit, Written) : Limit) / 2);
        (_untilGrowth, _patience) = (_patience, Math.Min(_patience * 2, PatienceMax));
        Restart();
        return !smallest;
    }

    /// <summary>The connection is gone; nothing is said about the receiver.</summary>
    public void Restart() => (Written, _bytesWritten) = (0, 0);
}
