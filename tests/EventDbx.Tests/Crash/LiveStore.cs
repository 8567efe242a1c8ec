using EventDbx.Encryption;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Tests.Crash;

/// <summary>A store that is open and never closed: copies of its directory are what a kill leaves.</summary>
/// <remarks>It notes how long the write-ahead log was after each commit and each sync, and the watermark as of each log size.</remarks>
internal sealed class LiveStore : IAsyncDisposable
{
    readonly DirectoryImage? _from;
    readonly string _directory;
    Database _database = null!;
    string? _answers;

    LiveStore(DataKey? key, DirectoryImage? from)
    {
        _from = from;
        _directory = from?.Path ?? Directory.CreateTempSubdirectory("eventdbx-test-").FullName;
        Options = new() { Directory = _directory, Key = key, Encrypted = key is not null, LockTimeout = TimeSpan.FromSeconds(5) };
    }

    /// <summary>A new store.</summary>
    public static LiveStore Create(bool encrypted, Durability durability = Durability.Sync) =>
        new LiveStore(encrypted ? DataKey.Generate() : null, null).Open(durability);

    /// <summary>The same store in another directory, as if this one had been killed just now.</summary>
    public LiveStore Reopened() => new LiveStore(Options.Key, Image()) { Content = Content.Copy() }.Open(Durability.Sync);

    /// <summary>Closes it properly and goes on in the same directory, with a new write-ahead log beside the old ones.</summary>
    public async Task ReopenAsync()
    {
        await _database.DisposeAsync();
        Commits.Clear();
        Syncs.Clear();
        Open(Durability.Sync);
    }

    public DatabaseOptions Options { get; }

    public Database Database => _database;

    public Content Content { get; private init; } = new();

    /// <summary>Ends of commits in the newest write-ahead log, with the log size they led to.</summary>
    public List<(ulong Size, long WalBytes)> Commits { get; } = [];

    /// <summary>How far that log was synced, and which log size that was.</summary>
    public List<(ulong Size, long WalBytes)> Syncs { get; } = [];

    /// <summary>The file <c>watermark</c> at each log size at which it was looked at.</summary>
    public SortedDictionary<ulong, byte[]> Watermarks { get; } = [];

    /// <summary>Name of the newest write-ahead log within the data directory.</summary>
    public string Wal => Path.Combine("event_store", Path.GetFileName(WalPath));

    string WalPath => Directory.EnumerateFiles(Path.Combine(_directory, "event_store"), "*.log").Max(StringComparer.Ordinal)!;

    public ulong Size => _database.LogSize;

    /// <summary>Everything it answers, asked once: ask when nothing more is written.</summary>
    public async Task<string> AnswersAsync() => _answers ??= await Content.AskAsync(_database, Size);

    LiveStore Open(Durability durability)
    {
        var options = Options with { Durability = durability, RelaxedInterval = TimeSpan.FromMilliseconds(3), WrapEngine = e => new Watched(e, this) };
        _database = Database.Open(options);
        Commits.Add((_database.LogSize, new FileInfo(WalPath).Length));
        Syncs.Add(Commits[0]);
        Note();
        return this;
    }

    public void Note() => Watermarks[_database.LogSize] = DirectoryImage.Read(Path.Combine(_directory, "watermark"));

    public DirectoryImage Image() => DirectoryImage.Copy(_directory);

    /// <summary>Rows of the log as they lie in the store.</summary>
    public List<Row> LogRows() => LogRows(_database);

    public static List<Row> LogRows(Database database)
    {
        using var view = database.Engine.OpenView();
        var rows = new List<Row>();
        while (view.Range(Family.Log, Keyspace.Position((ulong)rows.Count + 1), [], 1000, int.MaxValue) is { Count: > 0 } page)
            rows.AddRange(page);
        return rows;
    }

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        if (_from is not null)
            _from.Dispose();
        else
            Directory.Delete(_directory, recursive: true);
    }

    internal sealed class Watched(IStorageEngine engine, LiveStore store) : IStorageEngine
    {
        public RocksDbEngine Inner => (RocksDbEngine)engine;

        public IStorageView OpenView() => engine.OpenView();

        public void Commit(IGroupPlanner planner, bool sync)
        {
            engine.Commit(planner, sync);
            store.Commits.Add(Now());
            if (sync)
                store.Syncs.Add(Now());
        }

        public void Sync()
        {
            engine.Sync();
            store.Syncs.Add(Now());
        }

        (ulong Size, long WalBytes) Now()
        {
            using var view = engine.OpenView();
            return (LogTreeStore.Reflects(view, Family.Log), new FileInfo(store.WalPath).Length);
        }

        public long BytesOnDisk => engine.BytesOnDisk;

        public void Dispose() => engine.Dispose();
    }
}
