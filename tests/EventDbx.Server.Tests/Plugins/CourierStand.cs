using EventDbx.Delivery;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>A store, a clock that leaps to whatever is waited for, and one courier between the store and a scripted plugin.</summary>
internal sealed class CourierStand : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly TemporaryDirectory _directory = new();
    readonly List<LogLine> _lines = [];

    public CourierStand(Func<SteppedClock, ScriptedPlugin>? plugin = null)
    {
        Database = Database.Open(new() { Directory = _directory["data"], Encrypted = false });
        Owner = Database.OpenSession();
        Queue = Database.Deliveries;
        Plugin = plugin?.Invoke(Clock) ?? new(Clock);
        Surroundings = new()
        {
            Database = Database, DataDirectory = _directory["data"], Settings = () => Config, Clock = Clock, Jitter = () => Chance,
            Log = line =>
            {
                lock (_lines)
                    _lines.Add(line);
            },
        };
    }

    public SteppedClock Clock { get; } = new();

    public Database Database { get; }

    public Session Owner { get; }

    public ScriptedPlugin Plugin { get; set; }

    public IDeliveryQueue Queue { get; set; }

    public PluginSurroundings Surroundings { get; }

    public ServerConfig Config { get; set; } = new() { DataDir = "/nowhere", PluginMaxAttempts = 3 };

    /// <summary>Half: pauses are what they are without scatter.</summary>
    public double Chance { get; set; } = 0.5;

    public PluginDefinition Definition { get; set; } = new() { Enabled = true, Name = "p", Config = new() { Kind = PluginKind.Log } };

    public PluginFigures Figures { get; } = new();

    public Courier? Courier { get; private set; }

    public IReadOnlyList<LogLine> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public Task FromStartAsync() => Queue.SaveAsync("p", new() { Cursor = 0 });

    public Courier Start()
    {
        Courier = new(Definition, Surroundings, Queue, _ => Plugin, Figures);
        Courier.Start();
        return Courier;
    }

    public async Task StopAsync()
    {
        await Courier!.DisposeAsync();
        Courier = null;
    }

    /// <summary>Appends events to aggregates of type <c>order</c>: <c>a b a</c> are two of <c>a</c> and one of <c>b</c>.</summary>
    public async Task AppendAsync(string aggregates, string type = "order", string eventType = "made")
    {
        foreach (var chunk in aggregates.Split(' ').Chunk(200))
        {
            await Owner.AppendBatchAsync(
                [.. chunk.Select(id => new EventDraft { Aggregate = AggregateKey.Create(type, id), EventType = eventType, Payload = "{}"u8.ToArray() })], TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Lets time go by, as fast as nobody has anything to do, until something is so.</summary>
    public async Task UntilAsync(Func<bool> isSo)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!isSo())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < Patience, $"It did not come to that. {Courier?.Status} Attempts: {Plugin.Attempts.Count}, {string.Join('\n', Lines.Select(line => line.Message))}");
            if (Courier is { IsIdle: true } && Clock.Left is { } left)
            {
                var armed = Clock.Armed;
                Clock.Advance(left);
                await SettledAsync(() => Clock.Armed != armed || isSo());
            }
            else
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
            }
        }
    }

    /// <summary>Until something is so that needs no time to pass.</summary>
    public Task IdleAsync() => NowAsync(() => Courier is { IsIdle: true } courier && courier.Status?.Reached == Database.LogSize);

    /// <summary>The same.</summary>
    public async Task NowAsync(Func<bool> isSo)
    {
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (!isSo())
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(began) < Patience, $"It did not come to that. {Courier?.Status}");
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Courier is not null)
            await Courier.DisposeAsync();
        await Database.DisposeAsync();
        _directory.Dispose();
    }

    /// <summary>A timer that fired is one of the courier's, which sets another one soon; or it is not, and nothing comes of it.</summary>
    static async Task SettledAsync(Func<bool> isSo)
    {
        for (var i = 0; i < 20 && !isSo(); i++)
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, TestContext.Current.CancellationToken);
    }
}
