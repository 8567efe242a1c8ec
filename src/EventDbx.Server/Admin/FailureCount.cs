using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace EventDbx.Server.Admin;

/// <summary>Wrong keys by address: so many at once, and then one after every pause. Forgotten when the key changes.</summary>
/// <remarks>Of IPv6 the first 64 bits count, for who has one such address has them all. Thread-safe.</remarks>
internal sealed class FailureCount(TimeProvider clock)
{
    /// <summary>Full once <see cref="ServerLimits.AdminFailuresMax"/> pauses of it lie ahead.</summary>
    readonly Dictionary<UInt128, TimeSpan> _clearAt = [];
    readonly Lock _gate = new();
    readonly long _started = clock.GetTimestamp();
    TimeSpan _othersClearAt;
    string? _hash;

    static TimeSpan Full => ServerLimits.AdminFailurePause * ServerLimits.AdminFailuresMax;

    /// <summary>Addresses that are remembered.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _clearAt.Count;
        }
    }

    /// <summary>How long this address has to wait before its next key is looked at; zero: not at all.</summary>
    /// <param name="from">Whose.</param>
    /// <param name="hash">What keys are checked against: where it is another one, all is forgotten.</param>
    public TimeSpan WaitOf(IPAddress? from, string hash)
    {
        lock (_gate)
        {
            Forget(hash);
            var clearAt = KeyOf(from) is var key && _clearAt.TryGetValue(key, out var own) ? own : _clearAt.Count < ServerLimits.AdminAddressesMax ? TimeSpan.Zero : _othersClearAt;
            var wait = clearAt - Now - (Full - ServerLimits.AdminFailurePause);
            return wait > TimeSpan.Zero ? wait : TimeSpan.Zero;
        }
    }

    /// <summary>A key from there was wrong.</summary>
    public void Note(IPAddress? from, string hash)
    {
        lock (_gate)
        {
            Forget(hash);
            var now = Now;
            var key = KeyOf(from);
            if (_clearAt.Count >= ServerLimits.AdminAddressesMax && !_clearAt.ContainsKey(key))
                RemoveClear(now);
            if (_clearAt.Count >= ServerLimits.AdminAddressesMax && !_clearAt.ContainsKey(key))
            {
                _othersClearAt = Later(_othersClearAt, now);
                return;
            }

            ref var clearAt = ref CollectionsMarshal.GetValueRefOrAddDefault(_clearAt, key, out _);
            clearAt = Later(clearAt, now);
        }
    }

    TimeSpan Now => clock.GetElapsedTime(_started);

    static TimeSpan Later(TimeSpan clearAt, TimeSpan now) => (clearAt > now ? clearAt : now) + ServerLimits.AdminFailurePause;

    void Forget(string hash)
    {
        if (_hash == hash)
            return;
        (_hash, _othersClearAt) = (hash, TimeSpan.Zero);
        _clearAt.Clear();
    }

    void RemoveClear(TimeSpan now)
    {
        foreach (var (key, clearAt) in _clearAt)
        {
            if (clearAt <= now)
                _clearAt.Remove(key);
        }
    }

    static UInt128 KeyOf(IPAddress? from)
    {
        if (from is null)
            return 0;
        if (from.IsIPv4MappedToIPv6)
            from = from.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        from.TryWriteBytes(bytes, out _);
        if (from.AddressFamily == AddressFamily.InterNetworkV6)
            bytes[8..].Clear();
        return new UInt128(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes), from.AddressFamily == AddressFamily.InterNetworkV6 ? 6UL : 4UL);
    }
}
