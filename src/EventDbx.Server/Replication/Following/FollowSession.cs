using System.Runtime.CompilerServices;
using EventDbx.Mirroring;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Replication.Following;

/// <summary>How far a mirror is, after a page.</summary>
/// <param name="Position">Entries that are here for good.</param>
/// <param name="LeaderEnd">Entries that the leader had when it answered.</param>
/// <param name="Applied">How many of them this page has brought.</param>
public readonly record struct FollowStep(ulong Position, ulong LeaderEnd, int Applied)
{
    /// <summary>Whether there was nothing more at the leader.</summary>
    public bool CaughtUp => Position >= LeaderEnd;
}

/// <summary>A session with a leader, from the comparison of the histories to its end. Used once, by one caller.</summary>
/// <remarks>Memory: the page that is applied, and the next one, which is on its way meanwhile.</remarks>
internal sealed class FollowSession : IAsyncDisposable
{
    readonly IReplica _leader;
    readonly MirrorStore _store;
    readonly TimeProvider _clock;
    LogPage _page;

    FollowSession(IReplica leader, MirrorStore store, LogPage page, TimeProvider clock) => (_leader, _store, _page, _clock) = (leader, store, page, clock);

    /// <summary>Dials the leader, compares the histories, and makes the store its mirror where it is not yet.</summary>
    /// <param name="store">Open.</param>
    /// <param name="name">Of the remote.</param>
    /// <param name="remote">Where it is, and its key.</param>
    /// <param name="dial">Opens the session.</param>
    /// <param name="clock">Of the timeouts.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.Diverged"/>: the log here is no beginning of the leader's. <see cref="RefusalCode.InvalidArgument"/>: another database. What the leader refuses. Nothing was changed.
    /// </exception>
    /// <exception cref="ReplicaLostException">It cannot be reached.</exception>
    public static async Task<FollowSession> BeginAsync(MirrorStore store, string name, RemoteConfig remote, Dial dial, TimeProvider clock, CancellationToken cancellation)
    {
        var leader = await dial(remote.Endpoint, PeerKey.Parse(remote.PublicKey), cancellation).ConfigureAwait(false);
        try
        {
            var end = await WithinAsync(leader.IdentifyAsync, TimeSpan.Zero, clock, cancellation).ConfigureAwait(false);
            var own = store.End();
            Compare(name, own, end);
            var page = await WithinAsync(token => leader.PullLogAsync(own.Size, TimeSpan.Zero, token), TimeSpan.Zero, clock, cancellation).ConfigureAwait(false);
            if (page.RootBefore != own.Root)
            {
                throw new RefusedException(RefusalCode.Diverged, string.Create(
                    System.Globalization.CultureInfo.InvariantCulture,
                    $"The log here and that of '{name}' part within their first {own.Size} entries: the root of these is {own.Root} here, and {page.RootBefore} there. {Begin(name)}"));
            }

            var who = new MirrorLeader(name, remote.PublicKey);
            if (store.Mirror.State?.Leader != who)
                await store.Mirror.BeginAsync(who, end, page.RootBefore, cancellation).ConfigureAwait(false);
            return new(leader, store, page, clock);
        }
        catch
        {
            await leader.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Entries that the leader had when it answered last.</summary>
    public ulong LeaderEnd => _page.End.Size;

    /// <summary>Takes over page after page, and waits at the leader for more, without an end of its own.</summary>
    /// <exception cref="RefusedException">A page cannot be taken, or the leader refuses the next one. What was told before holds.</exception>
    /// <exception cref="ReplicaLostException">The leader is gone.</exception>
    public async IAsyncEnumerable<FollowStep> RunAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task<LogPage>? next = null;
        try
        {
            while (true)
            {
                // The next page may have come while the one before it was applied: a stop ends between them.
                cancellation.ThrowIfCancellationRequested();
                var (page, reached) = (_page, _page.After + (ulong)_page.Entries.Count);
                next = NextAsync(reached, ending.Token);
                var applied = IsNews(page) ? await _store.Mirror.ApplyAsync(page, cancellation).ConfigureAwait(false) : 0;
                yield return new(reached, Math.Max(page.End.Size, reached), applied);
                _page = await next.ConfigureAwait(false);
                next = null;
                DemandFollows(_page, page, reached);
            }
        }
        finally
        {
            await ending.CancelAsync().ConfigureAwait(false);
            if (next is not null)
                await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public ValueTask DisposeAsync() => _leader.DisposeAsync();

    /// <summary>Whether both are of one database, and this one has not more than the leader.</summary>
    internal static void Compare(string name, LogEnd own, LogEnd leader)
    {
        // An empty one takes over the id of its leader.
        if (own.Size > 0 && own.DatabaseId != leader.DatabaseId)
        {
            throw new RefusedException(RefusalCode.InvalidArgument, string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"This store has a history of its own ({own.Size} entries of the database {own.DatabaseId}), and '{name}' is the database {leader.DatabaseId}. {Begin(name)}"));
        }

        if (own.Size > leader.Size)
        {
            throw new RefusedException(RefusalCode.Diverged, string.Create(
                System.Globalization.CultureInfo.InvariantCulture,
                $"The log here has {own.Size} entries, and that of '{name}' only {leader.Size}: what is here alone would be lost. (A remote that was added, or a token that was issued, is an entry, too: before a planned switch such changes are made while this one leads.) {Begin(name)}"));
        }
    }

    static string Begin(string name) =>
        $"To follow it begin with an empty data directory and a configuration of its own (`--config FILE`): `dbx remote key` shows the key that '{name}' has to allow, then `dbx remote add` and `dbx follow`, before the first `dbx start`. What is here stays readable.";

    /// <summary>An empty page may bring a checkpoint that was signed after its entries had been sent.</summary>
    bool IsNews(LogPage page) => page.Entries.Count > 0 || (!page.Checkpoint.IsEmpty && !page.Checkpoint.Span.SequenceEqual(_store.Mirror.State is { } state ? state.Checkpoint.Span : default));

    async Task<LogPage> NextAsync(ulong after, CancellationToken cancellation)
    {
        // Not on the thread that is about to apply a page.
        await Task.Yield();
        return await WithinAsync(token => _leader.PullLogAsync(after, ServerLimits.ReplicaLogWaitMax, token), ServerLimits.ReplicaLogWaitMax, _clock, cancellation).ConfigureAwait(false);
    }

    static void DemandFollows(LogPage page, LogPage before, ulong reached)
    {
        if (page.After != reached)
            throw new RefusedException(RefusalCode.IntegrityViolation, FormattableString.Invariant($"The leader was asked for what follows position {reached}, and answered with what follows {page.After}."));
        if (page.RootBefore != before.Root)
            throw new RefusedException(RefusalCode.Diverged, FormattableString.Invariant($"The leader's log has another root over its first {reached} entries than it had before ({page.RootBefore}, and {before.Root}): its history was changed."));
    }

    /// <summary>A question that is answered in time: a leader behind a wire that was cut without a word would be waited for without an end.</summary>
    static async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> ask, TimeSpan wait, TimeProvider clock, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(wait + ServerLimits.FollowerAnswerWithin, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        try
        {
            return await ask(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException cause) when (late.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new ReplicaLostException(FormattableString.Invariant($"The leader has not answered for {(wait + ServerLimits.FollowerAnswerWithin).TotalSeconds:0} seconds."), cause);
        }
    }
}
