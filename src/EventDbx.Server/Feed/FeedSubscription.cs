using System.Runtime.CompilerServices;
using EventDbx.Reading;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Feed;

/// <summary>What a subscriber wants, on whichever surface.</summary>
internal sealed record FeedRequest
{
    public required Session Session { get; init; }

    /// <summary>Throws the refusal of a token that is not good any more; null for the owner, who has none.</summary>
    public required Action? LookAtToken { get; init; }

    /// <summary>A cursor or a position; null: the beginning.</summary>
    public string? After { get; init; }

    public required FeedFilter Filter { get; init; }
}

/// <summary>Entries that follow each other in the log.</summary>
/// <param name="Items">A page of them, which may end within a batch: the rest comes next. Empty: a heartbeat.</param>
/// <param name="Reached">Everything up to here has been read: where to resume.</param>
/// <param name="AtEnd">Whether that is all there is by now.</param>
internal readonly record struct FeedBatch(IReadOnlyList<FeedItem> Items, FeedCursor Reached, bool AtEnd);

/// <summary>The feed from a cursor on, without an end: first what there is, then what comes.</summary>
/// <remarks>
/// It is pulled: nothing is read before the client has taken what was read before, so a slow one is paused and costs a page. Only
/// what is synced is shown, so all of a batch follows once its first entry has come; it is read by pages, for it may have 16 MB. A token that is refused ends it within a second.
/// </remarks>
internal sealed class FeedSubscription : IAsyncDisposable
{
    readonly ServerHost _host;
    readonly FeedRequest _request;
    readonly TimeProvider _clock;
    readonly TokenWatch? _watch;
    readonly CancellationTokenSource _ended;
    ulong _reached;
    long _caughtUpAt;

    FeedSubscription(ServerHost host, FeedRequest request, FeedCursor after, TimeProvider clock, CancellationToken cancellation)
    {
        (_host, _request, _clock, _reached) = (host, request, clock, after.Position);
        _watch = request.LookAtToken is { } look ? new(look, clock, cancellation) : null;
        _ended = CancellationTokenSource.CreateLinkedTokenSource(_watch?.Ended ?? cancellation, host.Ending);
        _caughtUpAt = clock.GetTimestamp();
        host.Subscriptions.Watch(this);
    }

    /// <summary>Of the database, as cursors name it.</summary>
    public uint Epoch => _host.Database.Epoch;

    /// <summary>Where its next entry will be looked for: everything up to here has been read.</summary>
    public FeedCursor Reached => new(Epoch, Volatile.Read(ref _reached));

    /// <summary>When it was last at the end of the log, or began: a timestamp of the clock.</summary>
    public long CaughtUpAt => Volatile.Read(ref _caughtUpAt);

    /// <summary>Cancelled when it has to end: the client has gone, the token is refused, the server stops. Whoever writes what it gave breaks off then.</summary>
    public CancellationToken Ended => _ended.Token;

    /// <summary>Checks what is asked for; nothing is read yet.</summary>
    /// <exception cref="RefusedException">The caller may not, the cursor is gone or none, or there are too many subscriptions.</exception>
    public static async Task<FeedSubscription> OpenAsync(ServerHost host, FeedRequest request, TimeProvider clock, CancellationToken cancellation)
    {
        // Who may not read the feed is told so, and not how long it is.
        request.Session.ReadFeed(0, 0, request.Filter);
        var after = FeedCursor.Parse(request.After ?? "0", host.Database.Epoch);
        await Histories.RefuseGoneAsync(host, after).ConfigureAwait(false);
        host.Subscriptions.Enter();
        try
        {
            return new(host, request, after, clock, cancellation);
        }
        catch
        {
            host.Subscriptions.Leave();
            throw;
        }
    }

    /// <summary>Every entry that was asked for, and a heartbeat where there is none for <see cref="ServerLimits.HeartbeatInterval"/>. Ends by an exception.</summary>
    /// <exception cref="RefusedException">The token is not good any more, the server stops, or what is stored is not what was committed.</exception>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    public async IAsyncEnumerable<FeedBatch> ReadAsync([EnumeratorCancellation] CancellationToken cancellation = default)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(_ended.Token, cancellation);
        var told = _clock.GetTimestamp();
        while (true)
        {
            ThrowIfEnded(cancellation);
            var page = _request.Session.ReadFeed(_reached, ServerLimits.FeedStreamItems, _request.Filter, ServerLimits.FeedStreamBytes, batchesWhole: false);
            _reached = page.ReachedPosition;
            var atEnd = _reached >= _host.Database.LogSize;
            if (atEnd)
                Volatile.Write(ref _caughtUpAt, _clock.GetTimestamp());
            var left = ServerLimits.HeartbeatInterval - _clock.GetElapsedTime(told);
            if (page.Items.Count > 0 || left <= TimeSpan.Zero)
            {
                yield return new(page.Items, Reached, atEnd);
                told = _clock.GetTimestamp();
            }
            else if (atEnd)
            {
                await WaitAsync(left, both.Token).ConfigureAwait(false);
            }
            else
            {
                // Through much that is not wanted it goes a page at a time, and lets others have the thread in between.
                await Task.Yield();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _host.Subscriptions.Unwatch(this);
        _host.Subscriptions.Leave();
        _ended.Dispose();
        if (_watch is not null)
            await _watch.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>For more to read, or for the time of the next heartbeat.</summary>
    async Task WaitAsync(TimeSpan left, CancellationToken ended)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ended);
        var more = _request.Session.WaitForFeedAsync(_reached, either.Token);
        var due = Task.Delay(left, _clock, either.Token);
        var first = await Task.WhenAny(more, due).ConfigureAwait(false);
        await either.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(more, due).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // A writer that has stopped will not say more.
        if (first == more && more.IsFaulted)
            await more.ConfigureAwait(false);
    }

    void ThrowIfEnded(CancellationToken cancellation)
    {
        if (_watch?.Refused is { } refused)
            throw refused;
        if (_host.Ending.IsCancellationRequested)
            throw new RefusedException(RefusalCode.Unavailable, "The server is stopping. Subscribe again from the last cursor.");
        cancellation.ThrowIfCancellationRequested();
        _ended.Token.ThrowIfCancellationRequested();
    }
}
