using System.Buffers;

namespace EventDbx.Server.Plugins;

/// <summary>The events that were handed to a connection and are not settled, in their order, and how many there may be.</summary>
/// <remarks>
/// Half as many where a connection ended before it was settled, down to one; twice as many after a settlement of as many as there may be. Where doubling failed, the number stays for a
/// while, and longer each time: a receiver that reads one line a connection is not sent two after every line. Used by one caller at a time.
/// </remarks>
internal sealed class TcpWindow
{
    /// <summary>Events on a connection to a receiver of which nothing is known: few, so that one that ends connections by itself sees few of them twice.</summary>
    public const int First = 32;

    /// <summary>Settlements at one size before it is doubled again: the first time it failed, and ever after.</summary>
    const int PatienceFirst = 32, PatienceMax = 4_096;

    readonly List<Delivery> _events = [];
    long _bytesWritten;
    int _patience = PatienceFirst;
    int _untilGrowth;

    /// <summary>All of them, written or not.</summary>
    public int Count => _events.Count;

    /// <summary>How many, from the first on, were written to the connection there is.</summary>
    public int Written { get; private set; }

    /// <summary>Events on one connection at most.</summary>
    public int Limit { get; private set; } = First;

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
    public void Settle()
    {
        var full = IsFull;
        _events.RemoveRange(0, Written);
        Restart();
        // Fewer than there might have been say nothing of more.
        if (!full || --_untilGrowth > 0)
            return;
        _untilGrowth = 0;
        if (Limit >= ServerLimits.PluginUnsettledEvents)
            _patience = PatienceFirst;
        Limit = Math.Min(Limit * 2, ServerLimits.PluginUnsettledEvents);
    }

    /// <summary>The connection ended, and what was written may not have been read: it is written again, in smaller parts.</summary>
    /// <param name="byItself">Whether the receiver ended it in good order, as one does that wants no more on one connection.</param>
    /// <returns>False: there are no smaller parts.</returns>
    public bool Shrink(bool byItself)
    {
        var smallest = Limit == 1;
        Limit = Math.Max(1, (byItself ? Math.Min(Limit, Written) : Limit) / 2);
        (_untilGrowth, _patience) = (_patience, Math.Min(_patience * 2, PatienceMax));
        Restart();
        return !smallest;
    }

    /// <summary>The connection is gone; nothing is said about the receiver.</summary>
    public void Restart() => (Written, _bytesWritten) = (0, 0);
}
