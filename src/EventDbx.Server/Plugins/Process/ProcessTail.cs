using System.Buffers.Binary;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Plugins.Process;

/// <summary>The last events that were written to a plugin that does not acknowledge: one that dies has not read them, perhaps, and the next one gets them again.</summary>
/// <remarks>Thread-safe. Bounded: <see cref="ServerLimits.ProcessInFlightMax"/>, <see cref="ServerLimits.ProcessTailBytesMax"/>; what falls out at the front counts as read.</remarks>
internal sealed class ProcessTail(TimeProvider clock)
{
    /// <summary>Where they would be settled, were they read: until it is looked again.</summary>
    static readonly TimeSpan Least = TimeSpan.FromMilliseconds(50);

    readonly Lock _gate = new();
    Queue<Entry> _entries = [];
    long _bytes;
    int _lives;
    Func<bool>? _hasRead;
    /// <summary>Those that count as read, of a plugin that may say yet that it acknowledges.</summary>
    readonly Queue<Entry> _kept = [];
    long _keptBytes;
    Func<bool>? _mayAcknowledge;
    /// <summary>Whether they were written to a plugin that has ended.</summary>
    bool _stale;

    /// <summary>The least position of those of which it is not known whether they were read. An aggregate that catches up, or is replayed, is handed over behind later ones.</summary>
    public ulong? First
    {
        get
        {
            lock (_gate)
            {
                Settle();
                return _entries.Count == 0 ? null : _entries.Min(static entry => entry.Position);
            }
        }
    }

    /// <summary>How long until the last one counts as read, if nothing happens; null: none is left, or all of them have to be sent again.</summary>
    public TimeSpan? SettledIn
    {
        get
        {
            lock (_gate)
            {
                Settle();
                if (_stale || _entries.Count == 0)
                    return null;
                var left = ServerLimits.ProcessSettledAfter - clock.GetElapsedTime(_entries.Last().WrittenAt);
                return left > Least ? left : Least;
            }
        }
    }

    /// <summary>How many plugins have come and gone: asked before one is looked for, and told with what is written to it.</summary>
    public int Lives
    {
        get
        {
            lock (_gate)
                return _lives;
        }
    }

    /// <summary>Another plugin is written to from now on.</summary>
    /// <param name="hasRead">Whether it has read all that was written to it. One that takes long to start has not.</param>
    /// <param name="mayAcknowledge">Whether it may say yet that it acknowledges: then it gets again what it was written, and so what counts as read is kept.</param>
    public void Begin(Func<bool> hasRead, Func<bool>? mayAcknowledge = null)
    {
        lock (_gate)
            (_hasRead, _mayAcknowledge) = (hasRead, mayAcknowledge);
    }

    /// <summary>An event was written.</summary>
    /// <param name="lives">As they were: where the plugin has gone since, it is sent again.</param>
    public void Add(ulong position, byte[] frame, int lives)
    {
        lock (_gate)
        {
            _stale |= lives != _lives;
            _entries.Enqueue(new(position, frame, clock.GetTimestamp()));
            _bytes += frame.Length;
            // What has to be sent again falls out nowhere.
            while (!_stale && (_entries.Count > ServerLimits.ProcessInFlightMax || (_bytes > ServerLimits.ProcessTailBytesMax && _entries.Count > 1)))
                Leave();
        }
    }

    /// <summary>The plugin they were written to is no more.</summary>
    /// <param name="all">It has said late that it acknowledges: what counted as read goes again as well, as it may have refused it.</param>
    public void Die(bool all = false)
    {
        lock (_gate)
        {
            if (!all)
                Settle();
            else if (_kept.Count > 0)
                (_entries, _bytes) = (new([.. _kept, .. _entries]), _bytes + _keptBytes);
            _kept.Clear();
            _keptBytes = 0;
            _lives++;
            _stale = _entries.Count > 0;
        }
    }

    /// <summary>The plugin has read everything: it ended well at the end of its input.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            (_bytes, _keptBytes, _stale) = (0, 0, false);
            _entries.Clear();
            _kept.Clear();
        }
    }

    /// <summary>What has to be sent again before anything else, in its order; empty: nothing.</summary>
    public IReadOnlyList<(ulong Position, byte[] Frame)> TakeStale()
    {
        lock (_gate)
        {
            if (!_stale)
                return [];
            return [.. _entries.Select(entry => (entry.Position, entry.Frame))];
        }
    }

    /// <summary>All of that was written again.</summary>
    public void Renew()
    {
        lock (_gate)
        {
            var now = clock.GetTimestamp();
            foreach (var entry in _entries)
                entry.WrittenAt = now;
            _stale = false;
        }
    }

    /// <summary>The same frame for another place in the stream.</summary>
    public static void Renumber(byte[] frame, ulong sequence) => BinaryPrimitives.WriteUInt64LittleEndian(frame.AsSpan(PluginFrames.SequenceOffset), sequence);

    void Settle()
    {
        while (!_stale && _entries.TryPeek(out var first) && clock.GetElapsedTime(first.WrittenAt) >= ServerLimits.ProcessSettledAfter && _hasRead?.Invoke() != false)
            Leave();
        if (_kept.Count > 0 && _mayAcknowledge?.Invoke() != true)
        {
            _kept.Clear();
            _keptBytes = 0;
        }
    }

    /// <summary>The first one counts as read.</summary>
    void Leave()
    {
        var entry = _entries.Dequeue();
        _bytes -= entry.Frame.Length;
        if (_mayAcknowledge?.Invoke() != true)
            return;
        _kept.Enqueue(entry);
        _keptBytes += entry.Frame.Length;
        while (_kept.Count > ServerLimits.ProcessKeptMax || _keptBytes > ServerLimits.ProcessKeptBytesMax)
            _keptBytes -= _kept.Dequeue().Frame.Length;
    }

    sealed class Entry(ulong position, byte[] frame, long writtenAt)
    {
        public ulong Position => position;

        public byte[] Frame => frame;

        public long WrittenAt { get; set; } = writtenAt;
    }
}
