using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;
using EventDbx.Server.Plugins.Install;
using EventDbx.Server.Plugins.Process;

namespace EventDbx.Server.Tests.Plugins;

using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>A data directory with events and an installed program, and the file that the program writes to.</summary>
internal sealed class PluginStage : IAsyncDisposable
{
    readonly TemporaryDirectory _directory = new();
    readonly Database _database;
    readonly List<ProcessChannel> _channels = [];

    public PluginStage(TimeProvider? clock = null)
    {
        Clock = clock ?? TimeProvider.System;
        _database = Database.Open(new() { Directory = Data, Encrypted = false });
    }

    public TimeProvider Clock { get; }

    public string Data => _directory["data"];

    public string Output => _directory["output.txt"];

    public ConcurrentQueue<LogLine> Log { get; } = [];

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A process plugin that does what its mode says: <c>tests/testdata/plugins/plugin.py</c>.</summary>
    public async Task<ProcessChannel> OpenAsync(string mode, params (string Name, string Value)[] environment)
    {
        await Prerequisite.RequireAsync("python3");
        await InstallAsync("probe", Path.Combine(Checkout.TestData, "plugins", "plugin.py"));
        return Open("probe", [mode, Output, Path.Combine(Checkout.Root, "examples", "plugins", "python", "plugin.py"), "two words", ""], environment);
    }

    public Task<InstalledPlugin> InstallAsync(string name, string source, string? bin = null) =>
        new PluginInstaller(Data, TimeProvider.System).InstallAsync(new() { Name = name, Version = "1.0.0", Source = source, Bin = bin, Force = true }, null, Cancellation);

    public ProcessChannel Open(string name, string[] arguments, params (string Name, string Value)[] environment)
    {
        PluginDefinition definition = new()
        {
            Enabled = true, Name = "label",
            Config = new()
            {
                Kind = PluginKind.Process,
                Program = new() { Plugin = name, Version = "1.0.0", Args = [.. arguments], Env = environment.ToImmutableSortedDictionary(pair => pair.Name, pair => pair.Value, StringComparer.Ordinal) },
            },
        };
        ProcessChannel channel = new(definition, new()
        {
            Database = _database, DataDirectory = Data, Settings = () => new ServerConfig { DataDir = Data }, Clock = Clock, Log = Log.Enqueue, Jitter = static () => 0.5,
        });
        _channels.Add(channel);
        return channel;
    }

    /// <summary>Appends an event and makes it ready for a plugin.</summary>
    public async Task<Delivery> AppendAsync(string id, string payload = "{}")
    {
        var record = (await _database.OpenSession().AppendAsync(new() { Aggregate = AggregateKey.Create("order", id), EventType = "made", Payload = Frames.Utf8(payload) }, Cancellation)).Record;
        return new(record, () => _database.OpenSession().GetAggregate(record.Aggregate), static () => default);
    }

    public async Task<List<Delivery>> AppendManyAsync(int events, int aggregates)
    {
        List<Delivery> all = [];
        for (var i = 0; i < events; i++)
            all.Add(await AppendAsync($"o-{i % aggregates}", $$"""{"n":{{i}}}"""));
        return all;
    }

    /// <summary>What the program has written, line by line.</summary>
    public string[] Lines()
    {
        if (!File.Exists(Output))
            return [];
        using StreamReader reader = new(new FileStream(Output, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        var text = reader.ReadToEnd();
        return text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Until the program has written something.</summary>
    public Task<string[]> LinesAsync(Func<string[], bool> enough) => UntilAsync(Lines, enough);

    public async Task<T> UntilAsync<T>(Func<T> look, Func<T, bool> enough)
    {
        var started = Stopwatch.GetTimestamp();
        T found;
        while (!enough(found = look()))
        {
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), $"within a minute there was only: {string.Join('\n', Lines())}\n{string.Join('\n', Log.Select(line => line.Message))}");
            await Task.Delay(10, Cancellation);
        }

        return found;
    }

    /// <summary>Ids of the processes that were started.</summary>
    public int[] Processes() => [.. Lines().Where(line => line.StartsWith("start ", StringComparison.Ordinal)).Select(line => int.Parse(line[6..], CultureInfo.InvariantCulture))];

    public static bool IsRunning(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var channel in _channels)
            await channel.DisposeAsync();
        await _database.DisposeAsync();
        _directory.Dispose();
    }
}
