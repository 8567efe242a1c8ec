using System.Diagnostics.Metrics;
using EventDbx.Storage;
using EventDbx.Storage.RocksDb;
using EventDbx.Telemetry;
using EventDbx.TestKit;

namespace EventDbx.Tests.Telemetry;

public sealed class DatabaseMeterTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory, InlineData(Durability.Sync), InlineData(Durability.Relaxed)]
    public async Task What_an_embedded_database_tells_is_what_was_done(Durability durability)
    {
        using var directory = new TemporaryDirectory();
        await using var database = Database.Open(new() { Directory = directory["data"], Encrypted = false, Durability = durability, RelaxedInterval = TimeSpan.FromMilliseconds(1) });
        using var listener = new Listener(database.Meter);
        var session = database.OpenSession();
        EventDraft draft = new() { Aggregate = AggregateKey.Create("t", "1"), EventType = "e", Payload = "{}"u8.ToArray() };
        for (var i = 0; i < 3; i++)
            await session.AppendAsync(draft, Cancellation);
        await session.AppendBatchAsync([draft, draft], Cancellation);
        var known = draft with { EventId = Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8058") };
        await session.AppendAsync(known, Cancellation);
        await session.AppendAsync(known, Cancellation);
        await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(draft with { ExpectedVersion = 1 }, Cancellation));
        await Assert.ThrowsAsync<RefusedException>(() => session.AppendBatchAsync([draft, draft with { ExpectedVersion = 1 }], Cancellation));
        await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(draft with { EventType = "" }, Cancellation));
        await session.CreateAsync(AggregateKey.Create("t", "2"), null, Cancellation);

        // Relaxed, the last sync comes behind its answers.
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        await session.WaitForFeedAsync(6, late.Token);
        listener.Ask();

        Assert.Equal((6, 1, 3, 1), (listener["dbx.appends outcome=appended"], listener["dbx.appends outcome=known"], listener["dbx.appends outcome=refused code=version_conflict"], listener["dbx.appends outcome=refused code=invalid_name"]));
        Assert.Equal((6, 1, 6), (listener["dbx.commit.entries kind=event"], listener["dbx.commit.entries kind=control"], listener["dbx.commit.groups"]));
        Assert.Equal((6, 6), (listener["dbx.commit.group.size count"], listener["dbx.commit.group.size"]));
        // A group that writes nothing asks for a sync, too, and is not timed.
        Assert.Equal(durability == Durability.Sync ? 6 : (long)database.Commits.Syncs, listener["dbx.commit.sync.duration count"]);
        Assert.True(listener["dbx.commit.written"] > 6 * 100);
        Assert.True(listener["dbx.head_cache.lookups result=hit"] > listener["dbx.head_cache.lookups result=miss"]);
        Assert.Equal(2, listener["dbx.head_cache.entries"]);
        Assert.True(listener["dbx.disk.free"] > 0);
        Assert.True(listener["dbx.rocksdb.memtable.size family=log"] > 0);
        Assert.True(listener["dbx.rocksdb.wal.size"] > 0);
        Assert.Equal(0, listener["dbx.rocksdb.level.files family=log level=0"]);
        Assert.Equal(0, listener["dbx.rocksdb.stalls kind=stop"]);
        Assert.Equal(new KeyValuePair<string, object?>("dbx.database.id", database.DatabaseId.ToString()), Assert.Single(database.Meter.Tags!));
    }

    [Fact]
    public async Task A_group_is_counted_before_anybody_of_it_is_answered()
    {
        using var directory = new TemporaryDirectory();
        await using var database = Database.Open(new() { Directory = directory["data"], Encrypted = false });
        using var listener = new Listener(database.Meter);
        EventDraft draft = new() { Aggregate = AggregateKey.Create("t", "1"), EventType = "e", Payload = "{}"u8.ToArray() };
        for (var i = 1; i <= 200; i++)
        {
            await database.OpenSession().AppendAsync(draft, Cancellation);
            listener.Ask();
            Assert.Equal(i, listener["dbx.appends outcome=appended"]);
        }
    }

    [Fact]
    public async Task Tables_show_in_their_level_once_they_are_flushed()
    {
        using var directory = new TemporaryDirectory();
        await using var database = Database.Open(new() { Directory = directory["data"], Encrypted = false });
        for (var i = 0; i < 50; i++)
            await database.OpenSession().AppendAsync(new() { Aggregate = AggregateKey.Create("t", "1"), EventType = "e", Payload = "{}"u8.ToArray() }, Cancellation);
        var engine = (RocksDbEngine)database.Engine;
        engine.FlushMemtables();

        var log = engine.ReadFigures().OfFamilies[(int)Family.Log - 1];

        Assert.Equal((Family.Log, 0, 1), (log.Family, log.Levels[0].Level, log.Levels[0].Files));
        Assert.True(log.TableBytes > 0);
        engine.Compact(Family.Log);
        log = engine.ReadFigures().OfFamilies[(int)Family.Log - 1];
        Assert.Equal(1, log.Levels.Sum(level => level.Files));
    }

    [Theory]
    [InlineData("Level Files Size(MB)\n--------------------\n  0        3        0\n  1        0        0\n  6       12      768\n", "0:3:0 6:12:805306368")]
    [InlineData("Level Files Size(MB)\n  x        3        0\n  1        2\n", "")]
    public void Levels_are_read_from_their_lines(string text, string levels) =>
        Assert.Equal(levels, string.Join(' ', RocksDbFigures.Levels(text).Select(level => $"{level.Level}:{level.Files}:{level.Bytes}")));

    [Theory, InlineData("a: 1, total-delays: 27, total-stops: 3\n", 27), InlineData("total-delays: 5", 5), InlineData("total-stops: 3", 0), InlineData("total-delays: x", 0)]
    public void A_number_is_read_behind_its_name(string text, ulong number) => Assert.Equal(number, RocksDbFigures.NumberAfter(text, "total-delays: "));

    [Fact]
    public void However_often_it_is_asked_the_engine_is_asked_once_a_second()
    {
        using var meter = new Meter("test");
        using var engine = new Asked();
        StoreGauges.Observe(meter, engine, null);
        using var listener = new Listener(meter);
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        for (var i = 0; i < 1000; i++)
            listener.Ask();
        Assert.InRange(engine.Times, 1, 1 + (int)System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds);
        Assert.Equal(1, listener["dbx.rocksdb.writes.stopped"]);
    }

    [Fact]
    public async Task A_group_with_somebody_listening_allocates_nothing_for_it()
    {
        using var directory = new TemporaryDirectory();
        await using var database = Database.Open(new() { Directory = directory["data"], Encrypted = false });
        var heard = 0.0;
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter == database.Meter && !instrument.IsObservable)
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((_, value, _, _) => heard += value);
        listener.SetMeasurementEventCallback<double>((_, value, _, _) => heard += value);
        listener.Start();
        GroupFigures group = new(3, 2, 1, 2, 400, 100, 100);
        database.Telemetry.GroupCommitted(group);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++)
            database.Telemetry.GroupCommitted(group);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.True(heard > 3000);
    }

    /// <summary>The newest value of each series, by instrument and labels.</summary>
    sealed class Listener : IDisposable
    {
        readonly MeterListener _listener = new();
        readonly Dictionary<string, double> _values = [];

        public Listener(Meter meter)
        {
            _listener.InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter == meter)
                    self.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
            _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Note(instrument, value, tags));
            _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
            _listener.Start();
        }

        public double this[string series]
        {
            get
            {
                lock (_values)
                    return _values[series];
            }
        }

        public void Ask() => _listener.RecordObservableInstruments();

        public void Dispose() => _listener.Dispose();

        void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var series = instrument.Name;
            foreach (var (name, label) in tags)
                series += $" {name}={label}";
            lock (_values)
            {
                _values[series] = instrument.IsObservable ? value : _values.GetValueOrDefault(series) + value;
                if (!instrument.IsObservable)
                    _values[series + " count"] = _values.GetValueOrDefault(series + " count") + 1;
            }
        }
    }

    /// <summary>An engine that counts how often it is asked about itself.</summary>
    sealed class Asked : IStorageEngine
    {
        public int Times { get; private set; }

        public long BytesOnDisk => 0;

        public StoreFigures ReadFigures()
        {
            Times++;
            return new() { OfFamilies = [], WritesStopped = true };
        }

        public IStorageView OpenView() => throw new NotSupportedException();

        public void Commit(IGroupPlanner planner, bool sync) => throw new NotSupportedException();

        public void Sync() => throw new NotSupportedException();

        public void Dispose()
        {
        }
    }
}
