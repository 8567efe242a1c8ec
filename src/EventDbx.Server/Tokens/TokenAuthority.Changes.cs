using System.Buffers;
using System.Text;
using EventDbx.Integrity;

namespace EventDbx.Server.Tokens;

/// <summary>Issue, revoke, refresh: each leaves a control entry, and changes the ledger in one replacement.</summary>
public sealed partial class TokenAuthority
{
    /// <summary>Makes a token. It is in the answer, and nowhere else.</summary>
    /// <exception cref="RefusedException">Not root, or the request is not one: no token was made.</exception>
    public async Task<IssuedToken> IssueAsync(Session by, TokenRequest request, CancellationToken cancellation)
    {
        DemandRoot(by);
        cancellation.ThrowIfCancellationRequested();
        var asked = TokenRules.Complete(request);
        DemandRoom();
        var issuedAt = WholeSecond(Now);
        var (token, entry) = Make(new()
        {
            Sha256 = default, Jti = NewId(), Subject = asked.Subject!, Group = asked.Group, User = asked.User, Root = asked.Root, Actions = asked.Actions,
            Resources = asked.Resources, IssuedAt = issuedAt, ExpiresAt = TokenRules.ExpiryOf(issuedAt, asked.TtlSeconds ?? DefaultTtlSeconds),
            IssuedBy = asked.IssuedBy!, Limits = new(asked.WriteLimit, asked.KeepAlive),
        });
        await by.NoteTokenAsync(TokenChange.Issue, entry.Record.Jti, BodyOf(entry.Record, replaces: null), CancellationToken.None).ConfigureAwait(false);
        await ChangeAsync(entries => entries.Add(entry), evenIfNotWritten: false).ConfigureAwait(false);
        return new(token, Show(entry, Now)) { ActionsDefaulted = !request.Root && request.Actions.Count == 0 };
    }

    /// <summary>Ends a token: the very next request with it is refused. Once more is the same, and may give another reason.</summary>
    /// <param name="by">Who does it: root.</param>
    /// <param name="tokenOrJti">The token, or its id.</param>
    /// <param name="reason">For the list and the log.</param>
    /// <exception cref="RefusedException">Not root, or no such token (<see cref="RefusalCode.Unauthenticated"/>). Where the message says that the token is revoked, it is.</exception>
    public async Task<TokenRevocation> RevokeAsync(Session by, string tokenOrJti, string? reason, CancellationToken cancellation)
    {
        DemandRoot(by);
        cancellation.ThrowIfCancellationRequested();
        reason = TokenRules.CheckReason(reason);
        var id = Find(tokenOrJti).Record.Jti;
        var now = Now;
        TokenRecord revoked = null!;
        await ChangeAsync(
            entries =>
            {
                var at = IndexOf(entries, id);
                var old = entries[at].Record;
                revoked = old with { Revoked = true, RevokedAt = old.RevokedAt ?? now, RevokedReason = reason ?? old.RevokedReason };
                entries[at] = entries[at].With(revoked);
            },
            evenIfNotWritten: true).ConfigureAwait(false);
        try
        {
            await by.NoteTokenAsync(TokenChange.Revoke, id, RevocationBodyOf(revoked), CancellationToken.None).ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            throw new RefusedException(refused.Refusal with { Message = $"The token {id} is revoked, but the log could not take the entry about it: {refused.Message}" });
        }

        return new(id, revoked.RevokedAt!.Value, revoked.RevokedReason);
    }

    /// <summary>Ends a token and makes its successor, in one step: same subject, group, user, grants and keep-alive.</summary>
    /// <param name="by">Who does it: root.</param>
    /// <param name="tokenOrJti">The token, or its id. Neither revoked nor expired.</param>
    /// <param name="request">Lifetime and limit of the new one.</param>
    /// <exception cref="RefusedException">Not root; no such token, or a dead one (<see cref="RefusalCode.Unauthenticated"/>).</exception>
    public async Task<IssuedToken> RefreshAsync(Session by, string tokenOrJti, TokenRefresh request, CancellationToken cancellation)
    {
        DemandRoot(by);
        cancellation.ThrowIfCancellationRequested();
        var now = Now;
        var found = Find(tokenOrJti);
        DemandActive(found, now);
        var old = found.Record;
        // Closed before the new one is made: what is left is handed over, and the old one cannot spend it as well.
        ulong? remaining = old.Limits.WriteEvents is { } limit ? await _database.CloseTokenAsync(old.Jti, limit).ConfigureAwait(false) : null;
        var issuedAt = WholeSecond(now);
        var (token, entry) = Make(old with
        {
            Sha256 = default, Jti = NewId(), IssuedAt = issuedAt, NotBefore = null,
            ExpiresAt = TokenRules.ExpiryOf(issuedAt, request.TtlSeconds ?? LifetimeSecondsOf(old) ?? DefaultTtlSeconds),
            Limits = old.Limits with { WriteEvents = request.WriteLimit ?? remaining },
        });
        await by.NoteTokenAsync(TokenChange.Refresh, entry.Record.Jti, BodyOf(entry.Record, replaces: old.Jti), CancellationToken.None).ConfigureAwait(false);
        await ChangeAsync(
            entries =>
            {
                // Two refreshes at once, and one token would have two successors.
                var at = IndexOf(entries, old.Jti);
                DemandActive(entries[at], now);
                entries[at] = entries[at].With(entries[at].Record with { Revoked = true, RevokedAt = now, RevokedReason = "refreshed" });
                entries.Add(entry);
            },
            evenIfNotWritten: false).ConfigureAwait(false);
        await _database.EndTokenAsync(old.Jti).ConfigureAwait(false);
        return new(token, Show(entry, Now));
    }

    static void DemandActive(TokenEntry entry, Timestamp now)
    {
        if (entry.StatusAt(now) is not TokenStatus.Active and var status)
        {
            throw new RefusedException(RefusalCode.Unauthenticated,
                $"Token not found or inactive: {entry.Record.Jti} {(status == TokenStatus.Revoked ? "has been revoked" : "has expired")}. Issue a new one.");
        }
    }

    ulong DefaultTtlSeconds => (ulong)Math.Max(TokenBounds.DefaultTtlSecondsMin, (long)_signer.Settings.DefaultTtl.TotalSeconds);

    // A lifetime that was cut short by a fraction of a second is still one.
    static ulong? LifetimeSecondsOf(TokenRecord record) =>
        record.Lifetime is { } ticks ? (ulong)Math.Max(1, (ticks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond) : null;

    static Timestamp WholeSecond(Timestamp time) => new(time.Ticks100ns - (time.Ticks100ns % TimeSpan.TicksPerSecond));

    (string Token, TokenEntry Entry) Make(TokenRecord record)
    {
        var token = _signer.Sign(record);
        return token.Length <= TokenBounds.TokenCharactersMax
            ? (token, new(record with { Sha256 = Hash32.Of(Encoding.ASCII.GetBytes(token)) }, keptUntil: null))
            : throw new RefusedException(RefusalCode.LimitExceeded,
                $"The token would have {token.Length} characters; at most {TokenBounds.TokenCharactersMax} travel in a header. Give it fewer resources, with wildcards in them.");
    }

    void DemandRoom()
    {
        var now = Now;
        if (_ledger.Entries.Count >= TokenBounds.LiveTokensMax && _ledger.Entries.Count(entry => entry.StatusAt(now) == TokenStatus.Active) is >= TokenBounds.LiveTokensMax and var live)
            throw new RefusedException(RefusalCode.LimitExceeded, $"There are {live} tokens that work; at most {TokenBounds.LiveTokensMax} may. Revoke those that are not needed.");
    }

    TokenEntry Find(string tokenOrJti)
    {
        var text = tokenOrJti.Trim();
        return (Guid.TryParseExact(text, "D", out var id) ? _ledger.Find(id) : _ledger.Find(Hash32.Of(Encoding.UTF8.GetBytes(text))))
            ?? throw new RefusedException(RefusalCode.Unauthenticated, id != Guid.Empty
                ? $"Token not found or inactive: none has the id {id}."
                : "Token not found or inactive: what was given is neither the id of a token nor one that is known here.");
    }

    static int IndexOf(List<TokenEntry> entries, Guid id) => entries.FindIndex(entry => entry.Record.Jti == id) is >= 0 and var at
        ? at
        : throw new RefusedException(RefusalCode.Unauthenticated, $"Token not found or inactive: {id} has just been removed from {LedgerJson.DocumentName}.");

    /// <summary>Changes the ledger on disk, then in memory; one change at a time.</summary>
    /// <remarks>Nothing waits for the log in here: a log that hangs must not keep a token from being revoked.</remarks>
    /// <param name="change">May run again, on what somebody else has written meanwhile.</param>
    /// <param name="evenIfNotWritten">The change takes effect in memory even where the disk does not take it.</param>
    async Task ChangeAsync(Action<List<TokenEntry>> change, bool evenIfNotWritten)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            while (!TryChange(change))
            {
            }
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw NotWritten(change, evenIfNotWritten, cause);
        }
        catch (RefusedException cause) when (evenIfNotWritten && cause.Refusal.Code != RefusalCode.Unauthenticated)
        {
            throw NotWritten(change, evenIfNotWritten, cause);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>False when somebody else was faster.</summary>
    bool TryChange(Action<List<TokenEntry>> change)
    {
        var document = _database.Documents.Read(LedgerJson.DocumentName);
        var entries = HashOf(document) == _content ? [.. _ledger.Entries] : Load(document);
        change(entries);
        var now = Now;
        var kept = entries.FindAll(entry => !entry.IsForgottenAt(now));
        var content = LedgerJson.Write(kept);
        if (!_database.Documents.TryReplace(LedgerJson.DocumentName, content, document))
            return false;
        (_content, _ledger) = (Hash32.Of(content), new(kept));
        // A token without an end is dead for ever: only the store would know, if an older ledger were put back.
        foreach (var entry in entries.Where(entry => entry.IsForgottenAt(now) && entry.Record.ExpiresAt is not null))
            _background.Begin(() => _database.ForgetTokenAsync(entry.Record.Jti), static _ => { });
        return true;
    }

    RefusedException NotWritten(Action<List<TokenEntry>> change, bool evenIfNotWritten, Exception cause)
    {
        if (!evenIfNotWritten)
            return new(RefusalCode.Unavailable, $"{LedgerJson.DocumentName} cannot be replaced: {cause.Message}");
        List<TokenEntry> entries = [.. _ledger.Entries];
        change(entries);
        _ledger = new(entries);
        return new(RefusalCode.Unavailable,
            $"The token is revoked for as long as this server runs, but {LedgerJson.DocumentName} cannot be replaced: {cause.Message} Repeat it once it can.");
    }

    /// <summary>What the log keeps of a token: everything but the secret.</summary>
    static byte[] BodyOf(TokenRecord record, Guid? replaces)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = Details(output, record);
        if (replaces is { } old)
            members.Text("refreshes"u8, old.ToString("D"));
        members.End();
        return output.WrittenSpan.ToArray();
    }

    static byte[] RevocationBodyOf(TokenRecord record)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = Details(output, record);
        members.TextOrNull("reason"u8, record.RevokedReason);
        members.End();
        return output.WrittenSpan.ToArray();
    }

    static JsonMembers Details(IBufferWriter<byte> output, TokenRecord record)
    {
        var members = new JsonMembers(output);
        members.Text("subject"u8, record.Subject);
        members.Text("group"u8, record.Group);
        members.Text("user"u8, record.User);
        members.Truth("root"u8, record.Root);
        members.Texts("actions"u8, record.Actions);
        members.Texts("resources"u8, record.Resources);
        members.Time("expires_at"u8, record.ExpiresAt);
        members.Limits(record.Limits);
        members.Text("issued_by"u8, record.IssuedBy);
        return members;
    }
}
