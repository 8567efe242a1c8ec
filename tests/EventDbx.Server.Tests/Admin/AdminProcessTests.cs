using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Tests.Daemon;

namespace EventDbx.Server.Tests.Admin;

/// <summary>The Admin API of a server process, and <c>dbx config</c> beside it.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class AdminProcessTests : IAsyncDisposable
{
    /// <summary>Two checks at once, each 19 MiB, and what 200 connections and a garbage collector want besides.</summary>
    const long GrowthMax = (2 * 19L * 1024 * 1024) + (96L * 1024 * 1024);

    /// <summary>Appends that are to be answered while wrong keys come, 200 at once and again.</summary>
    const int AppendsWanted = 20;

    int _appended;
    readonly Dbx _dbx = new();
    readonly int _port = FreePort.Take();
    readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, MaxConnectionsPerServer = 256 });

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _dbx.DisposeAsync();
    }

    async Task ConfigAsync(params string[] arguments)
    {
        var outcome = await _dbx.RunAsync(["config", .. arguments]);
        Assert.True(outcome.Code == 0, outcome.Error);
    }

    async Task<int> AskAsync(string key, string target = "/admin/status")
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://127.0.0.1:{_port}{target}"));
        request.Headers.Add("X-Admin-Key", key);
        using var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        return (int)response.StatusCode;
    }

    static long WorkingSetOf(int pid)
    {
        foreach (var line in File.ReadLines($"/proc/{pid}/status"))
        {
            if (line.StartsWith("VmHWM:", StringComparison.Ordinal))
                return long.Parse(line["VmHWM:".Length..^"kB".Length].Trim(), CultureInfo.InvariantCulture) * 1024;
        }

        throw new InvalidOperationException("There is no such line.");
    }

    [Fact]
    public async Task Two_hundred_wrong_keys_at_once_cost_bounded_memory_appends_go_on_and_changes_act_on_the_next_request()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The memory of a process is read from /proc.");
        await ConfigAsync("--admin-enabled", "true", "--admin-port", _port.ToString(CultureInfo.InvariantCulture), "--admin-master-key", "right");
        var server = await _dbx.StartServerAsync();
        var status = JsonDocument.Parse((await _dbx.RunAsync("status", "--json")).Out).RootElement;
        var token = (await _dbx.RunAsync("token", "generate", "--group", "g", "--user", "u")).Out.Split('\n')[0]["token=".Length..];
        Assert.Equal(200, await AskAsync("right"));
        var before = WorkingSetOf(server.Pid);

        using var stop = new CancellationTokenSource();
        var appends = AppendAsync(status.GetProperty("port").GetInt32(), token, stop.Token);
        List<int> answers = [];
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        do
        {
            answers.AddRange(await Task.WhenAll(Enumerable.Range(0, 200).Select(i => AskAsync($"wrong {i}"))));
            late.Token.ThrowIfCancellationRequested();
        }
        while (Volatile.Read(ref _appended) < AppendsWanted);
        // Who was right a moment ago is not held back by them.
        Assert.Equal(200, await AskAsync("right"));
        await stop.CancelAsync();
        await appends;
        var grown = WorkingSetOf(server.Pid) - before;

        Assert.All(answers, answer => Assert.True(answer is 401 or 429, $"{answer}"));
        Assert.Contains(401, answers);
        Assert.Contains(429, answers);
        Assert.True(grown < GrowthMax, $"the server grew by {grown >> 20} MiB");
        TestContext.Current.SendDiagnosticMessage($"200 wrong keys: {answers.Count(answer => answer == 401)} times 401, {answers.Count(answer => answer == 429)} times 429, {_appended} appends meanwhile, {grown >> 20} MiB more");

        await ConfigAsync("--admin-master-key", "new");
        Assert.Equal((200, 401), (await AskAsync("new"), await AskAsync("right")));
        await ConfigAsync("--clear-admin-master-key");
        Assert.Equal(401, await AskAsync("new"));
        await ConfigAsync("--admin-master-key", "third");
        Assert.Equal(200, await AskAsync("third"));
        await ConfigAsync("--admin-enabled", "false");
        Assert.Equal(401, await AskOrClosedAsync("third"));
        var log = await File.ReadAllTextAsync(Path.Combine(_dbx.DataDir, "logs", "eventdbx.log"), TestContext.Current.CancellationToken);
        Assert.Contains("a wrong admin key from 127.0.0.1", log, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong 1", log, StringComparison.Ordinal);
        Assert.DoesNotContain("argon2", log, StringComparison.Ordinal);
    }

    /// <summary>Where the listener is closed already, nobody comes in either.</summary>
    async Task<int> AskOrClosedAsync(string key)
    {
        try
        {
            return await AskAsync(key);
        }
        catch (HttpRequestException)
        {
            return 401;
        }
    }

    /// <summary>Appends one after the other until it is told to stop, and counts those that were answered.</summary>
    async Task AppendAsync(int port, string token, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"http://127.0.0.1:{port}/v1/events"));
            request.Headers.Authorization = new("Bearer", token);
            request.Content = new StringContent($$"""{"aggregate_type":"t","aggregate_id":"1","event_type":"e","payload":{{_appended}}}""", Encoding.UTF8, "application/json");
            using var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.Equal(200, (int)response.StatusCode);
            Interlocked.Increment(ref _appended);
        }
    }

    [Fact]
    public async Task Commands_say_when_a_running_server_heeds_them_and_a_start_says_what_lets_nobody_in()
    {
        await ConfigAsync("--admin-enabled", "true", "--admin-port", _port.ToString(CultureInfo.InvariantCulture), "--admin-master-key", "right");
        var cleared = await _dbx.RunAsync("config", "--clear-admin-master-key");
        await File.AppendAllTextAsync(Path.Combine(_dbx.DataDir, "config.toml"), "\n[remotes.standby]\nendpoint = \"tcp://192.0.2.1:6363\"\n", TestContext.Current.CancellationToken);
        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1");
        var given = await _dbx.RunAsync("config", "--admin-master-key", "right");
        var both = await _dbx.RunAsync("config", "--admin-master-key", "right", "--list-page-size", "7");
        var later = await _dbx.RunAsync("config", "--list-page-size", "8");

        Assert.Contains("has no master key: it lets nobody in.", cleared.Error, StringComparison.Ordinal);
        Assert.Equal(0, started.Code);
        Assert.Contains("has no master key: it lets nobody in.", started.Error, StringComparison.Ordinal);
        Assert.Matches(@"\(pid [0-9]+\) takes it up now: settings of the Admin API act at once\.\n", given.Error);
        Assert.Matches(@"takes it up at its next start: `dbx restart`; settings of the Admin API act at once\.\n", both.Error);
        Assert.Matches(@"takes it up at its next start: `dbx restart`\.\n", later.Error);
    }

    [Fact]
    public async Task A_start_goes_on_with_a_damaged_key_of_the_node_and_says_so()
    {
        await ConfigAsync("--encryption", "off");
        await File.AppendAllTextAsync(
            Path.Combine(_dbx.DataDir, "config.toml"), "\n[replication.allow.east]\npublic_key = \"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo\"\npull = true\n", TestContext.Current.CancellationToken);
        var key = Path.Combine(_dbx.DataDir, "replication.key");
        await File.WriteAllBytesAsync(key, new byte[5], TestContext.Current.CancellationToken);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);

        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1");

        Assert.Equal(0, started.Code);
        Assert.Contains($"Warning: this node has no key to show to others. invalid replication key length at {key}: it has 5 bytes", started.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_is_refused_where_the_port_of_the_Admin_API_is_taken()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, _port);
        taken.Start();
        await ConfigAsync("--admin-enabled", "true", "--admin-port", _port.ToString(CultureInfo.InvariantCulture), "--admin-master-key", "right");

        var started = await _dbx.RunAsync("start", "--port=0", "--bind=127.0.0.1");

        Assert.Equal(1, started.Code);
        Assert.Contains($"The Admin API cannot listen on 127.0.0.1:{_port}", started.Error, StringComparison.Ordinal);
    }
}
