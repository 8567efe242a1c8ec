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
    readonly Queue<Entry> _entries = [];
    long _bytes;
    int _lives;
    Func<bool>? _hasRead;
    /// <summary>Whether they were written to a plugin that has ended.</summary>
    bool _stale;

    /// <summary>The position of the first one of which it is not known whether it was read.</summary>
    public ulong? First
    {
        get
        {
            lock (_gate)
            {
                Settle();
                return _entries.TryPeek(out var first) ? first.Position : null;
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
    public void Begin(Func<bool> hasRead)
    {
        lock (_gate)
            _hasRead = hasRead;
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
            while (_entries.Count > ServerLimits.ProcessInFlightMax || (_bytes > ServerLimits.ProcessTailBytesMax && _entries.Count > 1))
                _bytes -= _entries.Dequeue().Frame.Length;
        }
    }

    /// <summary>The plugin they were written to is no more.</summary>
    public void Die()
    {
        lock (_gate)
        {
            Settle();
            _lives++;
            _stale = _entries.Count > 0;
        }
    }

    /// <summary>The plugin has read everything: it ended well at the end of its input.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            (_bytes, _stale) = (0, false);
            _entries.Clear();
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
            _bytes -= _entries.Dequeue().Frame.Length;
    }

    sealed class Entry(ulong position, byte[] frame, long writtenAt)
    {
        public ulong Position => position;

        public byte[] Frame => frame;

        public long WrittenAt { get; set; } = writtenAt;
    }
}
