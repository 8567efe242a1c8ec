using System.Collections.Immutable;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Following;
using EventDbx.Server.Tests.Plugins;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>A follower with a leader, a mirror, settings and a clock that are all the test's.</summary>
internal sealed class FollowerStand : IAsyncDisposable
{
    public const string Name = "standby";

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly List<LogLine> _lines = [];

    public FollowerStand(bool followed = true)
    {
        (Leading, Leader, Mirror) = (new(), null!, null!);
        Leader = new(Leading);
        Mirror = new(Log);
        Config = new() { DataDir = "/", Remotes = ImmutableSortedDictionary<string, RemoteConfig>.Empty.Add(Name, Remote(followed ? RemoteMode.Follow : RemoteMode.OnDemand)) };
        Follower = new(new(Mirror, () => Log.End), new() { Settings = () => Config, Dial = Leader.DialAsync, Clock = Clock, Jitter = static () => 0.5, Log = Note });
    }

    public FakeLog Leading { get; }

    public ScriptedLeader Leader { get; }

    public FakeLog Log { get; } = new();

    public FakeMirror Mirror { get; }

    public SteppedClock Clock { get; } = new();

    public ServerConfig Config { get; set; }

    public Follower Follower { get; }

    public IReadOnlyList<LogLine> Lines
    {
        get
        {
            lock (_lines)
                return [.. _lines];
        }
    }

    public static RemoteConfig Remote(RemoteMode mode) => new() { Endpoint = "tcp://10.1.2.3:6363", PublicKey = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", Mode = mode };

    /// <summary>The settings name somebody else, or nobody, to follow.</summary>
    public Task KeepAsync(string? name)
    {
        Config = Config with { Remotes = Config.Remotes.ToImmutableSortedDictionary(remote => remote.Key, remote => remote.Value with { Mode = remote.Key == name ? RemoteMode.Follow : RemoteMode.OnDemand }) };
        return Task.CompletedTask;
    }

    public Task IsAsync(FollowCondition condition) => UntilAsync(() => Follower.Status?.Condition == condition, () => $"It should be {condition}, and is {Follower.Status}.");

    /// <summary>Has caught up with all that the leader has now.</summary>
    public Task HasAllAsync() => UntilAsync(
        () => Log.Size == Leading.Size && Follower.Status?.Condition == FollowCondition.CaughtUp, () => $"It should have {Leading.Size} entries, and is {Follower.Status}.");

    public static async Task UntilAsync(Func<bool> condition, Func<string> otherwise)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!condition())
        {
            if (late.IsCancellationRequested)
                Assert.Fail(otherwise());
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>The pause that it makes now.</summary>
    public async Task<TimeSpan> PauseAsync()
    {
        await UntilAsync(() => Clock.Left is not null, () => $"It should wait, and is {Follower.Status}.");
        return Clock.Left!.Value;
    }

    public ValueTask DisposeAsync() => Follower.DisposeAsync();

    void Note(LogLine line)
    {
        lock (_lines)
            _lines.Add(line);
    }
}
