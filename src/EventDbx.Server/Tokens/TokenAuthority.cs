using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using EventDbx.Documents;
using EventDbx.Integrity;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tokens;

/// <summary>Issues tokens, knows them, and turns them into sessions.</summary>
/// <remarks>
/// <code>
/// a request    SHA-256 of the token → ledger in memory → signature, times, status → session      no file, no allocation
/// a change     one at a time: read tokens.json → change → replace if unchanged → swap the ledger in memory
/// issue        first the control entry, then the ledger: no token works that the log does not know
/// revoke       first the ledger, then the control entry: a token dies even where the log takes no more writes
/// </code>
/// Thread-safe. Only the holder of the data directory has one: nobody else changes <c>tokens.json</c> meanwhile. Dispose it before
/// the database: it writes down how far tokens are kept alive.
/// </remarks>
public sealed partial class TokenAuthority : IAsyncDisposable
{
    readonly Database _database;
    readonly TimeProvider _clock;
    readonly ConfigFile? _file;
    readonly BackgroundWrites _background = new();
    readonly SemaphoreSlim _changing = new(1, 1);
    volatile TokenSigner _signer;
    volatile Ledger _ledger = new([]);
    Hash32 _content = Hash32.Empty;
    readonly long[] _checks = new long[Enum.GetValues<Outcome>().Length];
    bool _disposed;

    /// <summary>What a look at a token came to.</summary>
    enum Outcome
    {
        Good,
        Malformed,
        Unknown,
        Refused,
    }

    TokenAuthority(Database database, AuthSettings settings, TimeProvider clock, ConfigFile? file)
    {
        (_database, _clock, _signer, _file) = (database, clock, new(settings), file);
        var document = database.Documents.Read(LedgerJson.DocumentName);
        _content = HashOf(document);
        _ledger = new(Load(document));
    }

    /// <summary>Reads the ledger.</summary>
    /// <param name="database">Whose tokens.</param>
    /// <param name="settings">What they are signed with.</param>
    /// <param name="clock">Tells whether they are in time.</param>
    /// <param name="file">Where the settings are kept, so that the secret can be replaced; null: it cannot be from here.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it cannot be read, so nobody would get in.</exception>
    /// <exception cref="IOException">The same, from the disk.</exception>
    public static TokenAuthority Open(Database database, AuthSettings settings, TimeProvider clock, ConfigFile? file = null) => new(database, settings, clock, file);

    /// <summary>Who comes with this token. To be asked at each request: a token may be revoked between two.</summary>
    /// <remarks>The session is the same for all requests of a token, and limited to what the token may do.</remarks>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unauthenticated"/>: malformed, unknown, revoked or expired.</exception>
    public Session Authenticate(string token)
    {
        var outcome = Outcome.Malformed;
        byte[]? rented = null;
        try
        {
            if (token.Length > TokenBounds.TokenCharactersMax)
                throw Malformed();
            var bytes = token.Length <= 1024 ? stackalloc byte[1024] : rented = ArrayPool<byte>.Shared.Rent(token.Length);
            if (Ascii.FromUtf16(token, bytes, out var length) != OperationStatus.Done)
                throw Malformed();
            var ascii = bytes[..length];
            if (_ledger.Find(Hash32.Of(ascii)) is not { } entry)
            {
                if (!TokenSigner.HasForm(ascii))
                    throw Malformed();
                outcome = Outcome.Unknown;
                throw new RefusedException(RefusalCode.Unauthenticated, "The token is not known here: it was not issued by this server, or is not whole.");
            }

            outcome = Outcome.Refused;
            var signer = _signer;
            var session = entry.Admit(ascii, signer, _database, signer.Settings.ClockSkew, Now);
            outcome = Outcome.Good;
            if (entry.IsKeptAlive)
                KeepAlive(entry, flush: false);
            return session;
        }
        finally
        {
            Interlocked.Increment(ref _checks[(int)outcome]);
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        }
    }

    /// <summary>How often tokens were looked at, by outcome.</summary>
    public TokenChecks Checks => new(CountOf(Outcome.Good), CountOf(Outcome.Malformed), CountOf(Outcome.Unknown), CountOf(Outcome.Refused));

    long CountOf(Outcome outcome) => Interlocked.Read(ref _checks[(int)outcome]);

    /// <summary>All tokens that are known, in the order of their issue.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.PermissionDenied"/>.</exception>
    public IReadOnlyList<TokenListing> List(Session by)
    {
        DemandRoot(by);
        var now = Now;
        return [.. _ledger.Entries.Select(entry => Show(entry, now))];
    }

    /// <summary>Writes down how far tokens are kept alive. The database stays open.</summary>
    public async ValueTask DisposeAsync()
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            if (_disposed)
                return;
            _disposed = true;
            await _background.DrainAsync().ConfigureAwait(false);
            foreach (var entry in _ledger.Entries)
                KeepAlive(entry, flush: true);
            await _background.DrainAsync().ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Completes once all that was begun in the background is written down, or refused.</summary>
    internal Task WrittenAsync() => _background.DrainAsync();

    Timestamp Now => Timestamp.From(_clock.GetUtcNow());

    void KeepAlive(TokenEntry entry, bool flush)
    {
        if (entry.BeginStore(flush) is { } end)
            _background.Begin(() => _database.ExtendTokenAsync(entry.Record.Jti, end), done => entry.EndStore(done ? end : null));
    }

    List<TokenEntry> Load(Document document)
    {
        var entries = new List<TokenEntry>();
        foreach (var record in LedgerJson.Read(document.Content))
        {
            var use = _database.FindTokenUse(record.Jti);
            if (use.Dead && !record.Revoked)
            {
                // The store remembers what this ledger, an older one that was put back, does not know.
                entries.Add(new(record with { Revoked = true, RevokedReason = "the store knows it as revoked or replaced" }, keptUntil: null));
                continue;
            }

            var keptUntil = record.Limits.KeepAlive && !record.Revoked ? Later(use.ExpiresAt, _ledger.Find(record.Jti)) : null;
            entries.Add(new(record, keptUntil));
        }

        return entries;
    }

    static Timestamp? Later(Timestamp? stored, TokenEntry? known) =>
        known is { IsKeptAlive: true, ExpiresAt: { } end } && !(stored?.CompareTo(end) > 0) ? end : stored;

    TokenListing Show(TokenEntry entry, Timestamp now)
    {
        var record = entry.Record;
        ulong? remaining = record.Limits.WriteEvents is { } limit ? RemainingOf(record, limit) : null;
        return new()
        {
            Jti = record.Jti, Subject = record.Subject, Group = record.Group, User = record.User, Root = record.Root, Actions = record.Actions,
            Resources = record.Resources, IssuedAt = record.IssuedAt, NotBefore = record.NotBefore, ExpiresAt = entry.ExpiresAt, IssuedBy = record.IssuedBy,
            Status = entry.StatusAt(now), Limits = record.Limits, RevokedAt = record.RevokedAt, RevokedReason = record.RevokedReason,
            WritesRemaining = remaining,
        };
    }

    ulong RemainingOf(TokenRecord record, ulong limit) => limit - Math.Min(limit, _database.FindTokenUse(record.Jti).Spent);

    static void DemandRoot(Session by)
    {
        if (!by.Grants.Root)
            throw new RefusedException(RefusalCode.PermissionDenied, "Only a root token may manage tokens.");
    }

    static RefusedException Malformed() => new(RefusalCode.Unauthenticated, $"The token is malformed: {TokenSigner.Malformed}");

    static Hash32 HashOf(Document document) => Hash32.Of(document.Content);

    /// <summary>A UUID v4.</summary>
    static Guid NewId()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return new(bytes, bigEndian: true);
    }
}
