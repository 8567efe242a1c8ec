using System.Net;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Admin;

/// <summary>Whether an admin master key is right, at a price that strangers cannot raise.</summary>
/// <remarks>
/// <code>
/// known            it was right within the last minute, against this very hash     nothing is computed
/// known before     it was right once, against this very hash                       checked, whatever others from its address have sent
/// checked          Argon2id, two at once in the process, a few wait                19 MiB each while it runs
/// wrong too often  from this address                                               checked in a line of its own: one at a time, with pauses
/// beyond that                                                                      429, nothing is computed
/// </code>
/// The line is there because an address may be shared, and is where everybody on a machine has the same one: who sends wrong keys
/// must not keep out who has the right one. It is served in order, so whoever is in it is looked at within seconds.
/// Of the right key an HMAC is remembered under a secret of this process, never the key. What was wrong is not remembered.
/// </remarks>
internal sealed class MasterKeyGate(TimeProvider clock, Action<LogLine>? log)
{
    /// <summary>Of the process: several servers in it share the memory.</summary>
    static readonly SemaphoreSlim Checks = new(ServerLimits.AdminChecksMax, ServerLimits.AdminChecksMax);

    /// <summary>Of those whose address sent too many wrong ones.</summary>
    static readonly SemaphoreSlim Line = new(1, 1);

    static int s_underWay, s_inLine;

    readonly byte[] _secret = RandomNumberGenerator.GetBytes(32);
    readonly FailureCount _failures = new(clock);
    Known? _known;

    /// <summary>Returns when the key is right.</summary>
    /// <param name="hash">As it is configured now; null: no key is right.</param>
    /// <param name="key">White space around it does not count.</param>
    /// <param name="from">Whose, for the log and the count of failures.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unauthenticated"/>, or <see cref="RefusalCode.TooManyRequests"/> before it was looked at.</exception>
    public async ValueTask AdmitAsync(string? hash, string key, IPAddress? from, CancellationToken cancellation)
    {
        key = key.Trim();
        if (hash is null || key.Length is 0 or > ServerLimits.AdminKeyMax)
            throw Wrong();
        var mark = MarkOf(hash, key);
        if (IsKnown(mark))
            return;
        var seat = WasRight(mark) ? Seat.Reserved : _failures.WaitOf(from, hash) > TimeSpan.Zero ? Seat.Line : Seat.Free;
        var right = seat == Seat.Line ? null : await CheckAsync(hash, key, mark, from, seat, cancellation).ConfigureAwait(false);
        if (!(right ?? await InLineAsync(hash, key, mark, from, cancellation).ConfigureAwait(false)))
            throw Wrong();
    }

    /// <summary>How a key comes to be checked.</summary>
    enum Seat
    {
        Free,

        /// <summary>It was right before.</summary>
        Reserved,

        /// <summary>Too many wrong ones came from its address.</summary>
        Line,
    }

    async Task<bool> InLineAsync(string hash, string key, byte[] mark, IPAddress? from, CancellationToken cancellation)
    {
        if (Interlocked.Increment(ref s_inLine) > ServerLimits.AdminLateMax)
        {
            Interlocked.Decrement(ref s_inLine);
            throw TooMany("From this address came too many wrong admin keys.");
        }

        try
        {
            await Line.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                return await CheckAsync(hash, key, mark, from, Seat.Line, cancellation).ConfigureAwait(false) == true;
            }
            finally
            {
                _ = PassOnAsync();
            }
        }
        finally
        {
            Interlocked.Decrement(ref s_inLine);
        }
    }

    async Task PassOnAsync()
    {
        await Task.Delay(ServerLimits.AdminLatePause, clock).ConfigureAwait(false);
        Line.Release();
    }

    /// <summary>Null where it was not looked at: while it waited, others from there were wrong too often.</summary>
    async Task<bool?> CheckAsync(string hash, string key, byte[] mark, IPAddress? from, Seat seat, CancellationToken cancellation)
    {
        // Who had the right key, and who is in line, are few already.
        if (Interlocked.Increment(ref s_underWay) > ServerLimits.AdminChecksMax + ServerLimits.AdminChecksWaitingMax && seat == Seat.Free)
        {
            Interlocked.Decrement(ref s_underWay);
            throw TooMany("Too many admin keys are being checked at once.");
        }

        try
        {
            await Checks.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                if (IsKnown(mark))
                    return true;
                if (seat == Seat.Free && _failures.WaitOf(from, hash) > TimeSpan.Zero)
                    return null;
                if (await Task.Run(() => MasterKeyHash.Verify(hash, key), CancellationToken.None).ConfigureAwait(false))
                {
                    Volatile.Write(ref _known, new(mark, clock.GetTimestamp()));
                    return true;
                }
            }
            finally
            {
                Checks.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref s_underWay);
        }

        // Those in line neither count nor make lines: their address would never come clear, and the log would turn.
        if (seat != Seat.Line)
        {
            _failures.Note(from, hash);
            log?.Invoke(new(Timestamp.From(clock.GetUtcNow()), LogLevel.Warning, "admin", $"a wrong admin key from {(from is null ? "an unknown address" : from.ToString())}"));
        }

        return false;
    }

    /// <summary>The same words for a wrong key, for none, and where none would be right: nothing is to be learnt here.</summary>
    public static RefusedException Wrong() => new(
        RefusalCode.Unauthenticated, "This needs the admin master key, as `X-Admin-Key: KEY` or `Authorization: Bearer KEY`; what was sent is not it, or there is none.");

    static RefusedException TooMany(string what) => new(RefusalCode.TooManyRequests, $"{what} This one was not looked at; try again in some seconds.");

    byte[] MarkOf(string hash, string key) => HMACSHA256.HashData(_secret, Encoding.UTF8.GetBytes($"{hash}\0{key}"));

    bool IsKnown(byte[] mark) => Volatile.Read(ref _known) is { } known && clock.GetElapsedTime(known.Since) < ServerLimits.AdminKeyKnownFor && WasRight(mark);

    bool WasRight(byte[] mark) => Volatile.Read(ref _known) is { } known && CryptographicOperations.FixedTimeEquals(mark, known.Mark);

    sealed record Known(byte[] Mark, long Since);
}
