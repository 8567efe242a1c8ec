using System.Security.Cryptography;
using System.Text;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>A log as a list of entries; roots are a chain of hashes, which is all that a follower compares.</summary>
internal sealed class FakeLog
{
    readonly Lock _gate = new();
    readonly List<byte[]> _entries = [];
    TaskCompletionSource _grown = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Guid DatabaseId { get; set; } = Guid.NewGuid();

    public ulong Size
    {
        get
        {
            lock (_gate)
                return (ulong)_entries.Count;
        }
    }

    public Hash32 Root => RootAt(Size);

    public LogEnd End => new(DatabaseId, 1, Size, Root, Encrypted: false);

    public void Append(params string[] entries)
    {
        lock (_gate)
        {
            _entries.AddRange(entries.Select(Encoding.UTF8.GetBytes));
            (var grown, _grown) = (_grown, new(TaskCreationOptions.RunContinuationsAsynchronously));
            grown.SetResult();
        }
    }

    public Task Grown
    {
        get
        {
            lock (_gate)
                return _grown.Task;
        }
    }

    public Hash32 RootAt(ulong size)
    {
        lock (_gate)
        {
            var chain = SHA256.HashData([]);
            foreach (var entry in _entries.Take((int)size))
                chain = SHA256.HashData([.. chain, .. entry]);
            return Hash32.Read(chain);
        }
    }

    public LogPage Page(ulong after, int take)
    {
        lock (_gate)
        {
            LogEntryRow[] rows = [.. _entries.Skip((int)after).Take(take).Select(entry => new LogEntryRow(entry, default))];
            return new() { After = after, Entries = rows, RootBefore = RootAt(after), Root = RootAt(after + (ulong)rows.Length), End = End };
        }
    }
}

/// <summary>A mirror that keeps what it is given, and refuses what does not follow or whose root is another.</summary>
internal sealed class FakeMirror(FakeLog log) : IMirror
{
    public MirrorState? State { get; set; }

    public string? Following => State?.Leader.Name;

    public int Begun { get; private set; }

    public Func<LogPage, Task>? BeforeApply { get; set; }

    public Task BeginAsync(MirrorLeader leader, LogEnd end, Hash32 rootAtSize, CancellationToken cancellation)
    {
        if (rootAtSize != log.Root)
            throw new RefusedException(RefusalCode.Diverged, "Another root.");
        (log.DatabaseId, State) = (end.DatabaseId, new() { Leader = leader });
        Begun++;
        return Task.CompletedTask;
    }

    public async Task<int> ApplyAsync(LogPage page, CancellationToken cancellation)
    {
        if (BeforeApply is { } before)
            await before(page);
        if (page.After != log.Size)
            throw new RefusedException(RefusalCode.InvalidArgument, "A gap.");
        log.Append([.. page.Entries.Select(entry => Encoding.UTF8.GetString(entry.Row.Span))]);
        return log.Root == page.Root ? page.Entries.Count : throw new RefusedException(RefusalCode.IntegrityViolation, $"Position {log.Size} is not what the leader's root says.");
    }

    public Task<Promotion> PromoteAsync(Actor? actor, string? comment, CancellationToken cancellation)
    {
        State = null;
        return Task.FromResult(new Promotion(2, log.Size, log.Root, "test/e2"));
    }
}

/// <summary>A leader whose sessions can be cut, refused, and made to lie.</summary>
internal sealed class ScriptedLeader(FakeLog log)
{
    readonly List<CancellationTokenSource> _open = [];

    public int Dialled { get; private set; }

    public int PageEntries { get; set; } = 2;

    /// <summary>What dialling throws; null: a session is opened.</summary>
    public Exception? Unreachable { get; set; }

    /// <summary>Changes pages on their way.</summary>
    public Func<LogPage, LogPage>? Lie { get; set; }

    /// <summary>Awaited before a page is answered.</summary>
    public Func<CancellationToken, Task>? Slow { get; set; }

    public FakeLog Log { get; set; } = log;

    public Task<IReplica> DialAsync(string endpoint, PeerKey key, CancellationToken cancellation)
    {
        Dialled++;
        if (Unreachable is { } why)
            throw why;
        var cut = new CancellationTokenSource();
        lock (_open)
            _open.Add(cut);
        return Task.FromResult<IReplica>(new Line(this, cut.Token));
    }

    /// <summary>Cuts every session that is open.</summary>
    public void Cut()
    {
        lock (_open)
        {
            foreach (var one in _open)
                one.Cancel();
            _open.Clear();
        }
    }

    sealed class Line(ScriptedLeader leader, CancellationToken cut) : IReplica
    {
        public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => Task.FromResult(leader.Log.End);

        public async Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, cut);
            try
            {
                either.Token.ThrowIfCancellationRequested();
                if (leader.Slow is { } slow)
                    await slow(either.Token);
                while (wait > TimeSpan.Zero && leader.Log.Size <= after)
                {
                    var grown = leader.Log.Grown;
                    if (leader.Log.Size <= after)
                        await grown.WaitAsync(either.Token);
                }

                if (after > leader.Log.Size)
                    throw new RefusedException(RefusalCode.Diverged, "The log has not that many entries.");
                var page = leader.Log.Page(after, leader.PageEntries);
                return leader.Lie?.Invoke(page) ?? page;
            }
            catch (OperationCanceledException) when (cut.IsCancellationRequested)
            {
                throw new ReplicaLostException("The line was cut.");
            }
        }

        public ValueTask DisposeAsync() => default;

        public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => throw new NotSupportedException();

        public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => throw new NotSupportedException();

        public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => throw new NotSupportedException();
    }
}
