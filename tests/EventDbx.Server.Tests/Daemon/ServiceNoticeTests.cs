using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>What a service manager is told, over a socket such as systemd's.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class ServiceNoticeTests : IAsyncLifetime
{
    readonly Dbx _dbx = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _dbx.DisposeAsync();

    [Theory, InlineData(false), InlineData(true)]
    public async Task It_is_told_when_requests_are_answered_that_the_server_lives_and_when_it_stops(bool isAbstract)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such sockets.");
        Assert.SkipWhen(isAbstract && !OperatingSystem.IsLinux(), "Abstract addresses are Linux's.");
        var name = isAbstract ? $"@eventdbx-{_dbx.Home.Path}" : _dbx.Home["notify"];
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(isAbstract ? "\0" + name[1..] : name));
        _dbx.Environment["NOTIFY_SOCKET"] = name;
        _dbx.Environment["WATCHDOG_USEC"] = "200000";

        using var server = _dbx.Start("start", "--foreground", "--port=0", "--bind=127.0.0.1");
        server.StandardInput.Close();
        var before = await UntilAsync(manager, "READY=1\n");
        var status = await _dbx.RunAsync("status");
        var alive = await UntilAsync(manager, "WATCHDOG=1");
        alive.AddRange(await UntilAsync(manager, "WATCHDOG=1"));
        Dbx.Signal(server.Id, "TERM");
        var after = await UntilAsync(manager, "STOPPING=1\n");
        var end = await Dbx.EndOfAsync(server);

        Assert.Equal("EXTEND_TIMEOUT_USEC=30000000", before[0]);
        Assert.Matches($@"\nSTATUS=EventDBX server is running on port [0-9]+ \(pid {server.Id}\) since [^\n]+$", before[^1]);
        Assert.StartsWith("EventDBX server is running", status.Out, StringComparison.Ordinal);
        Assert.All(alive, said => Assert.Equal("WATCHDOG=1", said));
        Assert.Equal("STOPPING=1\nSTATUS=Stopping", after[^1]);
        Assert.True(end.Code == 0, end.Error);
    }

    [Fact]
    public async Task It_is_told_why_a_start_takes_longer()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such sockets.");
        await Dbx.KillAsync(await _dbx.StartServerAsync());
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(_dbx.Home["notify"]));
        _dbx.Environment["NOTIFY_SOCKET"] = _dbx.Home["notify"];

        using var server = _dbx.Start("start", "--foreground", "--port=0", "--bind=127.0.0.1");
        server.StandardInput.Close();
        var before = await UntilAsync(manager, "READY=1\n");
        Dbx.Signal(server.Id, "TERM");
        _ = await Dbx.EndOfAsync(server);

        Assert.Contains("STATUS=The store was not closed; checking that nothing is missing.", before);
    }

    /// <summary>One that the server starts could say in its name that it is ready, or has died.</summary>
    [Theory, InlineData("--foreground"), InlineData(null)]
    public async Task No_program_that_the_server_starts_is_told_of_the_manager(string? foreground)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such sockets.");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(_dbx.Home["notify"]));
        var key = _dbx.Home.Write("key", $"#!/bin/sh\nenv > '{_dbx.Home["seen"]}'\necho {Convert.ToBase64String(new byte[32])}\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.Equal(0, (await _dbx.RunAsync("config", "--dek-command", key)).Code);
        foreach (var (name, value) in ((string, string)[])[("NOTIFY_SOCKET", _dbx.Home["notify"]), ("WATCHDOG_USEC", "60000000"), ("KEPT", "1")])
            _dbx.Environment[name] = value;

        if (foreground is not null)
        {
            using var server = _dbx.Start("start", foreground, "--port=0", "--bind=127.0.0.1");
            server.StandardInput.Close();
            await UntilAsync(manager, "READY=1\n");
            Dbx.Signal(server.Id, "TERM");
            Assert.Equal(0, (await Dbx.EndOfAsync(server)).Code);
        }
        else
        {
            await _dbx.StartServerAsync();
        }

        var seen = await File.ReadAllTextAsync(_dbx.Home["seen"], TestContext.Current.CancellationToken);
        Assert.Contains("KEPT=1\n", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("NOTIFY_SOCKET", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("WATCHDOG_", seen, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("notify")]
    [InlineData("@")]
    [InlineData("vsock:2:1234")]
    public async Task A_manager_that_cannot_be_told_refuses_the_start(string address)
    {
        _dbx.Environment["NOTIFY_SOCKET"] = address;

        var refused = await _dbx.RunAsync("start", "--foreground", "--port=0", "--bind=127.0.0.1");

        Assert.Equal((1, ""), (refused.Code, refused.Out));
        Assert.Contains($"NOTIFY_SOCKET is `{address}`; a path from the root, or an abstract address that begins with `@`", refused.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_dbx.DataDir));
    }

    [Fact]
    public void An_address_that_is_too_long_is_refused_and_its_neighbour_is_not()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such sockets.");
        Of("/" + new string('a', SocketPlace.BytesMax - 1))!.Dispose();

        var refused = Assert.Throws<DaemonException>(() => Of("/" + new string('a', SocketPlace.BytesMax + 1)));
        Assert.Contains($"has at most {SocketPlace.BytesMax} bytes", refused.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(null), InlineData("")]
    public void Without_the_variable_nobody_is_told(string? address) => Assert.Null(Of(address));

    [Fact]
    public async Task Signs_of_life_are_given_only_where_they_are_asked_of_this_process()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such sockets.");
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(_dbx.Home["notify"]));

        foreach (var (micros, process, every) in ((string?, string?, double?)[])
            [("30000000", null, 15), ("30000000", $"{Environment.ProcessId}", 15), ("30000000", "1", null), (null, null, null), ("soon", null, null), ("-1", null, null), ("0", null, null)])
        {
            var clock = new RecordingClock();
            using var service = Of(_dbx.Home["notify"], micros, process, clock);
            service!.Ready("one line\nand no\r\nother");

            Assert.Equal(every is { } seconds ? [TimeSpan.FromSeconds(seconds)] : [], clock.Periods);
            if (every is not null)
                await UntilAsync(manager, "WATCHDOG=1");
        }

        var lines = await UntilAsync(manager, "READY=1\nSTATUS=one line and no other");
        Assert.NotEmpty(lines);
    }

    [Fact]
    public void A_manager_that_has_gone_ends_nothing()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such sockets.");
        using var service = Of(_dbx.Home["nobody"])!;

        service.Starting();
        service.Ready("ready");
        service.Stopping();
    }

    static ServiceNotice? Of(string? address, string? micros = null, string? process = null, TimeProvider? clock = null) => ServiceNotice.Of(
        name => name switch { "NOTIFY_SOCKET" => address, "WATCHDOG_USEC" => micros, "WATCHDOG_PID" => process, _ => null }, clock ?? TimeProvider.System);

    /// <summary>Everything that is said up to what begins with these words.</summary>
    static async Task<List<string>> UntilAsync(Socket manager, string words)
    {
        List<string> said = [];
        var buffer = new byte[4096];
        do
        {
            var length = await manager.ReceiveAsync(buffer, TestContext.Current.CancellationToken);
            said.Add(Encoding.UTF8.GetString(buffer, 0, length));
        }
        while (!said[^1].StartsWith(words, StringComparison.Ordinal));
        return said;
    }

    /// <summary>Remembers which timers were asked for; none of them ever fires.</summary>
    sealed class RecordingClock : TimeProvider
    {
        public List<TimeSpan> Periods { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Periods.Add(period);
            return System.CreateTimer(static _ => { }, null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
