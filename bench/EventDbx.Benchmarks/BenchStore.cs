namespace EventDbx.Benchmarks;

/// <summary>A database in a directory of its own, plain or encrypted, that can be closed and opened again.</summary>
internal sealed class BenchStore(
    string directory, bool encrypted, int headCacheEntries = Limits.HeadCacheDefault, Func<DatabaseOptions, DatabaseOptions>? change = null) : IDisposable
{
    readonly DataKey? _key = encrypted ? DataKey.Generate() : null;

    public string Directory => directory;

    public string Name => encrypted ? "encrypted" : "plain";

    public Database? Database { get; private set; }

    public Session Session { get; private set; } = null!;

    public BenchStore Open(Durability durability)
    {
        var options = OptionsFor(directory, durability);
        Database = Database.Open(change is null ? options : change(options));
        Session = Database.OpenSession(new("bench", "writer"));
        return this;
    }

    public DatabaseOptions OptionsFor(string where, Durability durability) => new()
    {
        Directory = where, Key = _key, Encrypted = encrypted, Durability = durability, HeadCacheEntries = headCacheEntries,
    };

    public void Close()
    {
        Database?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        Database = null;
    }

    /// <summary>Appends in batches of 1,000, two at a time. For building, not for measuring.</summary>
    public TimeSpan Fill(Receipts receipts, AggregateKey[] aggregates, int events)
    {
        var startedAt = Stopwatch.GetTimestamp();
        var before = Task.CompletedTask;
        for (var first = 0; first < events; first += Limits.BatchEventsMax)
        {
            var drafts = receipts.Batch(aggregates, first, Math.Min(Limits.BatchEventsMax, events - first));
            var next = Task.Run(() => Session.AppendBatchAsync(drafts, CancellationToken.None));
            before.GetAwaiter().GetResult();
            before = next;
        }

        before.GetAwaiter().GetResult();
        return Stopwatch.GetElapsedTime(startedAt);
    }

    /// <summary>Builds in relaxed mode, closes, and opens again with synced commits: as after a restart.</summary>
    public static BenchStore Built(string directory, bool encrypted, Action<BenchStore> build, Func<DatabaseOptions, DatabaseOptions>? change = null)
    {
        var store = new BenchStore(directory, encrypted, change: change).Open(Durability.Relaxed);
        build(store);
        store.Close();
        return store.Open(Durability.Sync);
    }

    public void Dispose()
    {
        Close();
        _key?.Dispose();
    }
}
