using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.InteropServices;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Telemetry;

/// <summary>What one server tells of itself beside its database: its meter, the source of its spans, and the page of both. What each instrument means: docs/metrics.md.</summary>
internal sealed class ServerMeter : IDisposable
{
    /// <summary>Of the meter, and of the source of spans. Several servers of a process differ in the tag <c>dbx.database.id</c>.</summary>
    public const string Name = "EventDbx.Server";

    static readonly Door[] Doors = [Door.Main, Door.Socket, Door.Admin, Door.Peers];

    readonly MetricsListener _listener;

    public ServerMeter(Database database)
    {
        KeyValuePair<string, object?>[] tags = [new("dbx.database.id", database.DatabaseId.ToString())];
        Meter = new(new MeterOptions(Name) { Tags = tags });
        Spans = new(new ActivitySourceOptions(Name) { Tags = tags });
        _listener = new(database.Meter, Meter);
    }

    public Meter Meter { get; }

    /// <summary>Of the spans of requests.</summary>
    public ActivitySource Spans { get; }

    /// <summary>Everything that is counted, as Prometheus reads it.</summary>
    public void Write(System.Buffers.IBufferWriter<byte> output, MetricsFormat format) => _listener.Write(output, format);

    /// <summary>Begins to tell what is read when it is asked for.</summary>
    public void Observe(ServerHost host, ServerOptions options, Func<Door, int> connections, Func<long> bodyBytes)
    {
        Meter.CreateObservableGauge("dbx.connections", () => Doors.Select(door => new Measurement<int>(connections(door), new KeyValuePair<string, object?>("door", NameOf(door)))), "{connection}", "Open connections, by the door they came by.");
        Meter.CreateObservableGauge("dbx.subscriptions", () => host.Subscriptions.Open, "{subscription}", "Open subscriptions to the feed, over every surface.");
        Meter.CreateObservableGauge("dbx.feed.lag.positions", () => (long)host.Subscriptions.LagAt(host.Database.LogSize, options.Clock).Positions, "{position}", "How far behind the log the slowest subscription is; 0 without one.");
        Meter.CreateObservableGauge("dbx.feed.lag", () => host.Subscriptions.LagAt(host.Database.LogSize, options.Clock).Time.TotalSeconds, "s", "For how long the subscription has been behind that has not caught up with the log for longest; 0 without one.");
        Meter.CreateObservableCounter("dbx.tokens.checked", () => Checks(host.Tokens.Checks), "{check}", "Looks at tokens by outcome: good, malformed, unknown (not issued here), or refused (expired, revoked, not yet good). A request with a body is looked at twice, a long answer every second.");
        Meter.CreateObservableGauge("dbx.request.bodies.held", bodyBytes, "By", "Bytes that bodies of requests hold, as they are counted against their bound.");
        Meter.CreateObservableGauge("dbx.uptime", () => host.Uptime.TotalSeconds, "s", "Since the server was started.");
        Meter.CreateObservableGauge("dbx.build.info", () => One(new("version", options.Version), new("runtime", RuntimeInformation.FrameworkDescription)), "{build}", "1; its labels say what runs.");
        Meter.CreateObservableGauge("dbx.database.info", () => One(
            new("database_id", host.Database.DatabaseId.ToString()), new("encryption", host.Database.Encrypted ? "on" : "off"),
            new("durability", host.Database.Durability == Durability.Sync ? "sync" : "relaxed"), new("restrict", ConfigKeys.NameOf(host.Database.Restriction))), "{database}", "1; its labels say which database it is, and how it is open.");
        ObserveCheckpoints(host);
        ProcessGauges.Observe(Meter);
    }

    public void Dispose()
    {
        _listener.Dispose();
        Meter.Dispose();
        Spans.Dispose();
    }

    void ObserveCheckpoints(ServerHost host)
    {
        var recent = new Recent<CheckpointStatus?>(host.FindCheckpoint);
        Meter.CreateObservableGauge("dbx.checkpoint.entries", () => Of(recent.Value, static newest => (long)newest.Size), "{entry}", "Entries of the log that the newest checkpoint covers; absent before the first.");
        Meter.CreateObservableGauge("dbx.checkpoint.timestamp", () => Of(recent.Value, static newest => newest.At.ToDateTimeOffset().ToUnixTimeMilliseconds() / 1000.0), "s", "When the newest checkpoint was signed, in seconds since 1970; absent before the first.");
        Meter.CreateObservableGauge("dbx.checkpoint.cosignatures", () => Of(recent.Value, static newest => (long)newest.Cosigned), "{signature}", "Witnesses that have cosigned the newest checkpoint.");
        Meter.CreateObservableGauge("dbx.checkpoint.witnesses", () => host.Cosigning?.Witnesses ?? 0, "{witness}", "Witnesses that are asked to cosign.");
    }

    /// <summary>Begins to tell of plugins. Their names are set by whoever runs the server, so they are labels.</summary>
    public void Observe(Plugins.Dispatcher plugins, Database database)
    {
        Measurement<long>[] Each(Func<Plugins.Courier, long> value) =>
            [.. plugins.Running.Values.Select(courier => new Measurement<long>(value(courier), new KeyValuePair<string, object?>("plugin", courier.Label)))];
        var dead = new Recent<Measurement<long>[]>(() => Each(courier => DeadOf(database, courier.Label)));
        Meter.CreateObservableGauge("dbx.plugin.up", () => Each(static courier => courier.Status?.State == Plugins.PluginState.Down ? 0 : 1), "{plugin}", "1 while an enabled plugin takes what it gets; 0 while it is down, or stands still.");
        Meter.CreateObservableGauge("dbx.plugin.lag", () => Each(courier => courier.Status is { } status ? Math.Max(0, (long)database.LogSize - (long)status.Reached) : 0), "{position}", "Entries of the log that an enabled plugin has still before it.");
        Meter.CreateObservableCounter("dbx.plugin.attempts", () => plugins.Running.Values.SelectMany(static courier => AttemptsOf(courier)), "{attempt}", "Tries to hand over an event, by plugin and outcome: taken, refused (the plugin is there and does not take it), or down.");
        Meter.CreateObservableGauge("dbx.plugin.waiting", () => Each(static courier => courier.Waiting), "{aggregate}", "Aggregates that wait behind an event that an enabled plugin refused.");
        Meter.CreateObservableGauge("dbx.plugin.dead", () => dead.Value, "{event}", "Events that an enabled plugin has refused for good, until somebody retries or clears them.");
    }

    /// <summary>Begins to tell of the follower, where somebody is followed. The remote is named by whoever runs the server.</summary>
    public void Observe(Replication.Following.Follower follower)
    {
        Measurement<T>[] Of<T>(Func<Replication.Following.FollowerStatus, T?> value) where T : struct =>
            follower.Status is { } status && value(status) is { } now ? [new(now, new KeyValuePair<string, object?>("remote", status.Remote))] : [];
        Meter.CreateObservableGauge("dbx.follower.up", () => Of<int>(static status => status.Condition is Replication.Following.FollowCondition.Following or Replication.Following.FollowCondition.CaughtUp ? 1 : 0), "{follower}", "1 while a mirror has a session with its leader; 0 while that is lost, refuses, or is followed no more. Absent where nobody is followed.");
        Meter.CreateObservableGauge("dbx.follower.lag.entries", () => Of<long>(static status => status.LagEntries is { } lag ? (long)lag : null), "{entry}", "Entries that the leader had when it last answered, and that are not here.");
        Meter.CreateObservableGauge("dbx.follower.contact.age", () => Of<double>(static status => status.SinceContact?.TotalSeconds), "s", "Since the leader last answered. It answers every 15 seconds at least while it is reached.");
        Meter.CreateObservableCounter("dbx.follower.reconnects", () => follower.Reconnects, "{session}", "Sessions with a leader that were begun after the first one.");
    }

    static long DeadOf(Database database, string plugin)
    {
        try
        {
            return database.Deliveries.Count(plugin).Dead;
        }
        catch (RefusedException)
        {
            // A row that cannot be read is told of by its courier and by verify.
            return 0;
        }
    }

    static Measurement<long>[] AttemptsOf(Plugins.Courier courier)
    {
        Measurement<long> Of(long count, string outcome) =>
            new(count, new KeyValuePair<string, object?>("plugin", courier.Label), new KeyValuePair<string, object?>("outcome", outcome));
        return [Of(courier.Figures.Taken, "taken"), Of(courier.Figures.Refused, "refused"), Of(courier.Figures.Down, "down")];
    }

    static IEnumerable<Measurement<T>> Of<T>(CheckpointStatus? newest, Func<CheckpointStatus, T> value) where T : struct => newest is null ? [] : [new(value(newest))];

    static Measurement<int>[] One(params KeyValuePair<string, object?>[] labels) => [new(1, labels)];

    static Measurement<long>[] Checks(in TokenChecks checks) =>
    [
        new(checks.Good, new KeyValuePair<string, object?>("outcome", "good")),
        new(checks.Malformed, new KeyValuePair<string, object?>("outcome", "malformed")),
        new(checks.Unknown, new KeyValuePair<string, object?>("outcome", "unknown")),
        new(checks.Refused, new KeyValuePair<string, object?>("outcome", "refused")),
    ];

    static string NameOf(Door door) => door switch
    {
        // That of gRPC is counted with it.
        Door.Main or Door.Grpc => "main",
        Door.Socket => "socket",
        Door.Admin => "admin",
        Door.Peers => "replication",
    };
}
