using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace EventDbx.Telemetry;

/// <summary>What one open database tells of itself: its meter, and the source of its spans. What each instrument means: docs/metrics.md.</summary>
/// <remarks>
/// Nothing is done for an append: the writer adds up a group, and everything else is read when somebody asks. Names are those of
/// OpenTelemetry; where Prometheus asks, dots become underscores, the unit follows, and counters end in <c>_total</c>. Labels are of closed
/// sets: nothing that a client chose is one.
/// </remarks>
internal sealed class DatabaseMeter : IDisposable
{
    /// <summary>Of the meter, and of the source of spans. Several databases of a process differ in the tag <c>dbx.database.id</c>.</summary>
    public const string Name = "EventDbx";

    static readonly double[] Durations = [.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10];
    static readonly int[] GroupSizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

    readonly Database _database;
    readonly CommitFigures _commits = new();
    readonly Histogram<int> _groupSize;
    readonly Histogram<double> _planning;
    readonly Histogram<double> _syncing;
    long _committedAt;

    public DatabaseMeter(Database database)
    {
        _database = database;
        KeyValuePair<string, object?>[] tags = [new("dbx.database.id", database.DatabaseId.ToString())];
        Meter = new(new MeterOptions(Name) { Tags = tags });
        Activities = new(new ActivitySourceOptions(Name) { Tags = tags });
        _groupSize = Meter.CreateHistogram("dbx.commit.group.size", "{commit}", "Commits that shared a group.", null, new InstrumentAdvice<int> { HistogramBucketBoundaries = GroupSizes });
        var durations = new InstrumentAdvice<double> { HistogramBucketBoundaries = Durations };
        _planning = Meter.CreateHistogram("dbx.commit.plan.duration", "s", "From taking a group up to its batch of rows.", null, durations);
        _syncing = Meter.CreateHistogram("dbx.commit.sync.duration", "s", "Writing the batch of a group and syncing it (relaxed: a sync by itself).", null, durations);
    }

    /// <summary>Begins to tell what is read when it is asked for; what it is read from must be there.</summary>
    /// <param name="engine">The storage engine itself.</param>
    /// <param name="directory">Of the data; null: there is none.</param>
    /// <param name="planner">The writer's.</param>
    public void Observe(IStorageEngine engine, string? directory, GroupPlanner planner)
    {
        var database = _database;
        Meter.CreateObservableCounter("dbx.appends", Appends, "{append}", "Appends by outcome, each of a batch by itself: appended, known (its event id was, and the original is the answer), or refused, with the code.");
        Meter.CreateObservableCounter("dbx.commit.groups", () => _commits.Groups, "{group}", "Groups written: one batch and one sync each (relaxed: fewer syncs).");
        Meter.CreateObservableCounter("dbx.commit.entries", Entries, "{entry}", "Entries by which the log grew, by kind: event, or control.");
        Meter.CreateObservableCounter("dbx.commit.written", () => _commits.Bytes, "By", "Bytes of the rows that the store was given to write.");
        Meter.CreateObservableGauge("dbx.commit.last.timestamp", LastCommit, "s", "When the newest group was written, in seconds since 1970; absent before the first.");
        Meter.CreateObservableGauge("dbx.queue.commits", () => database.Loop.Waiting.Commits, "{commit}", "Commits that wait for the writer.");
        Meter.CreateObservableGauge("dbx.queue.size", () => database.Loop.Waiting.Bytes, "By", "Bytes of the commits that wait for the writer, roughly.");
        Meter.CreateObservableGauge("dbx.log.position", () => (long)database.LogSize, "{position}", "Position of the newest entry that is on disk for good.");
        Meter.CreateObservableGauge("dbx.log.epoch", () => (long)database.Epoch, "{epoch}", "Epoch of the database: 1, and more after each accepted loss, promotion or restore.");
        Meter.CreateObservableGauge("dbx.writer.up", () => database.Loop.Failure is null ? 1 : 0, "{writer}", "1 while the writer takes writes; 0 once it has stopped for good, until the database is opened again.");
        Meter.CreateObservableGauge("dbx.healthy", () => database.Unhealthy is null ? 1 : 0, "{database}", "1 while nothing is wrong with the database; else /admin/status says what is.");
        Meter.CreateObservableCounter("dbx.head_cache.lookups", () => Lookups(planner.HeadCacheFigures), "{lookup}", "Heads that the writer wanted, by result: hit (in memory), or miss.");
        Meter.CreateObservableGauge("dbx.head_cache.entries", () => planner.HeadCacheFigures.Entries, "{head}", "Heads that the writer has in memory.");
        Meter.CreateObservableCounter("dbx.tile_cache.lookups", () => Lookups(database.Tiles.Figures), "{lookup}", "Tiles of the log that proofs wanted, by result: hit (in memory), or miss.");
        Meter.CreateObservableGauge("dbx.tile_cache.entries", () => database.Tiles.Figures.Tiles, "{tile}", "Full tiles of the log in memory.");
        StoreGauges.Observe(Meter, engine, directory);
    }

    public Meter Meter { get; }

    /// <summary>Of the span <c>commit</c>: from joining the queue to the answer.</summary>
    public ActivitySource Activities { get; }

    /// <summary>Appends that callers were told no about.</summary>
    public RefusedAppends Refused { get; } = new();

    /// <summary>On the writer, once a group.</summary>
    public void GroupCommitted(GroupFigures group)
    {
        if (group.Bytes == 0)
        {
            // Nothing was written: all were refused, or known.
            if (group.Known > 0)
                _commits.AddKnown(group.Known);
            return;
        }

        _commits.Add(group);
        Volatile.Write(ref _committedAt, _database.Clock.GetUtcNow().Ticks);
        _groupSize.Record(group.Commits);
        _planning.Record(Seconds(group.PlanTicks));
        if (_database.Durability == Durability.Sync)
            _syncing.Record(Seconds(group.WriteTicks));
    }

    /// <summary>On the writer.</summary>
    public void SyncedApart(long ticks) => _syncing.Record(Seconds(ticks));

    /// <summary>The span of a commit; null where nobody traces the request that it belongs to.</summary>
    public Activity? BeginCommit(PendingCommit commit)
    {
        if (!Activities.HasListeners() || Activity.Current is not { Recorded: true })
            return null;
        var span = Activities.StartActivity("commit");
        span?.SetTag("dbx.commit.operations", commit.Operations.Length);
        return span;
    }

    /// <summary>What became of it, once it is known.</summary>
    public static void EndCommit(Activity span, PendingCommit commit, long joinedAt)
    {
        if (commit.TakenAt == 0)
            return;
        span.SetTag("dbx.commit.waited_ms", Seconds(Math.Max(0, commit.TakenAt - joinedAt)) * 1000);
        span.SetTag("dbx.commit.group.size", commit.GroupCommits);
        if (commit.Refused)
            span.SetStatus(ActivityStatusCode.Error);
    }

    public void Dispose()
    {
        Meter.Dispose();
        Activities.Dispose();
    }

    static double Seconds(long ticks) => (double)ticks / Stopwatch.Frequency;

    IEnumerable<Measurement<long>> Appends()
    {
        yield return new(_commits.Appended, new KeyValuePair<string, object?>("outcome", "appended"));
        yield return new(_commits.Known, new KeyValuePair<string, object?>("outcome", "known"));
        foreach (var code in Enum.GetValues<RefusalCode>())
        {
            if (Refused.Of(code) is > 0 and var count)
                yield return new(count, new("outcome", "refused"), new("code", Refusal.NameOf(code)));
        }
    }

    IEnumerable<Measurement<long>> Entries()
    {
        yield return new(_commits.Appended, new KeyValuePair<string, object?>("kind", "event"));
        yield return new(_commits.Controls, new KeyValuePair<string, object?>("kind", "control"));
    }

    IEnumerable<Measurement<double>> LastCommit()
    {
        if (Volatile.Read(ref _committedAt) is not 0 and var ticks)
            yield return new((ticks - DateTimeOffset.UnixEpoch.Ticks) / (double)TimeSpan.TicksPerSecond);
    }

    static Measurement<long>[] Lookups((long Hits, long Misses, int Entries) figures) =>
        [new(figures.Hits, new KeyValuePair<string, object?>("result", "hit")), new(figures.Misses, new KeyValuePair<string, object?>("result", "miss"))];
}
