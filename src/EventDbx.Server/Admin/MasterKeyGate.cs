using System.Net;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Admin;

/// <summary>Whether an admin master key is right, at a price that strangers cannot raise.</summary>
/// <remarks>
/// <code>
/// known            it was right within the last minute, against this very hash     nothing is computed
/// wrong too often  from this address                                               429, nothing is computed
/// checked          Argon2id, two at once in the process, a few wait                19 MiB each while it runs
/// beyond that                                                                      429
/// </code>
/// Of the right key an HMAC is remembered under a secret of this process, never the key. What was wrong is not remembered.
/// </remarks>
internal sealed class MasterKeyGate(TimeProvider clock, Action<LogLine>? log)
{
    /// <summary>Of the process: several servers in it share the memory.</summary>
    static readonly SemaphoreSlim Checks = new(ServerLimits.AdminChecksMax, ServerLimits.AdminChecksMax);

    static int s_underWay;

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
        if (_failures.WaitOf(from, hash) is var wait && wait > TimeSpan.Zero)
            throw TooMany("From this address came too many wrong admin keys.");
        if (Interlocked.Increment(ref s_underWay) > ServerLimits.AdminChecksMax + ServerLimits.AdminChecksWaitingMax)
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
                    return;
                // While it waited, others from there may have been wrong.
                if (_failures.WaitOf(from, hash) > TimeSpan.Zero)
                    throw TooMany("From this address came too many wrong admin keys.");
                if (await Task.Run(() => MasterKeyHash.Verify(hash, key), CancellationToken.None).ConfigureAwait(false))
                {
                    Volatile.Write(ref _known, new(mark, clock.GetTimestamp()));
                    return;
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

        _failures.Note(from, hash);
        log?.Invoke(new(Timestamp.From(clock.GetUtcNow()), LogLevel.Warning, "admin", $"a wrong admin key from {(from is null ? "an unknown address" : from.ToString())}"));
        throw Wrong();
    }

    /// <summary>The same words for a wrong key, for none, and where none would be right: nothing is to be learnt here.</summary>
    public static RefusedException Wrong() => new(
        RefusalCode.Unauthenticated, "This needs the admin master key, as `X-Admin-Key: KEY` or `Authorization: Bearer KEY`; what was sent is not it, or there is none.");

    static RefusedException TooMany(string what) => new(RefusalCode.TooManyRequests, $"{what} This one was not looked at; try again in some seconds.");

    byte[] MarkOf(string hash, string key) => HMACSHA256.HashData(_secret, Encoding.UTF8.GetBytes($"{hash}\0{key}"));

    bool IsKnown(byte[] mark) => Volatile.Read(ref _known) is { } known
        && clock.GetElapsedTime(known.Since) < ServerLimits.AdminKeyKnownFor && CryptographicOperations.FixedTimeEquals(mark, known.Mark);

    sealed record Known(byte[] Mark, long Since);
}
