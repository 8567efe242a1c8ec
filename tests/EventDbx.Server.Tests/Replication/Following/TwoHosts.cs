using System.Diagnostics;
using System.Globalization;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>Two hosts with a wire between them that loses packets and parts: network namespaces of this machine.</summary>
internal sealed class TwoHosts : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly string _name;

    TwoHosts(string name) => _name = name;

    /// <summary>Where the first one is.</summary>
    public const string FirstAddress = "10.77.0.1";

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Makes them; where that cannot be done the test is skipped, and says why.</summary>
    public static async Task<TwoHosts> RequireAsync(int lossPercent)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Network namespaces are Linux's.");
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Network namespaces are made by root, and this is another user.");
        var (installed, told) = await RunAsync("bash", Path.Combine(Checkout.Root, "tools", "install-network-prerequisites.sh"));
        Assert.SkipUnless(installed, $"There is no ip or nft here, and tools/install-network-prerequisites.sh could not install them: {told}");
        var hosts = new TwoHosts($"dbx{Environment.ProcessId}-{Guid.NewGuid().ToString("N", CultureInfo.InvariantCulture)[..4]}");
        var (made, why) = await hosts.ScriptAsync("up");
        if (!made)
            await hosts.DisposeAsync();
        Assert.SkipUnless(made, $"No network namespaces can be made here: {why}");
        await hosts.DoAsync("loss", lossPercent.ToString(CultureInfo.InvariantCulture));
        return hosts;
    }

    /// <summary>Nothing comes any more, on either side.</summary>
    public Task PartAsync() => DoAsync("part");

    public Task HealAsync() => DoAsync("heal");

    /// <summary>Starts a server on one of them.</summary>
    /// <param name="home">Its home.</param>
    /// <param name="second">On the second one.</param>
    /// <param name="peers">Where it listens for peers.</param>
    public async Task<Hosted> StartAsync(string home, bool second, string peers)
    {
        var start = new ProcessStartInfo("ip", ["netns", "exec", $"{_name}-{(second ? 'b' : 'a')}", CommandLine.Program, "start", "--foreground", "--bind", "127.0.0.1", "--port", "0"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = home,
        };
        start.Environment["HOME"] = home;
        start.Environment.Remove("EVENTDBX_TOKEN");
        start.Environment["EVENTDBX_SOCKET_BIND_ADDR"] = peers;
        var process = Process.Start(start)!;
        List<string> lines = [];
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(Patience);
        while (await process.StandardError.ReadLineAsync(late.Token) is { } line)
        {
            lines.Add(line);
            if (line.Contains("EventDBX server is running on port ", StringComparison.Ordinal))
            {
                // Nobody reads the rest, and it must not fill the pipe.
                _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
                return new(process);
            }
        }

        await process.WaitForExitAsync(late.Token);
        throw new InvalidOperationException($"The server ended with {process.ExitCode} before it was ready:\n{string.Join('\n', lines)}");
    }

    public async ValueTask DisposeAsync() => await ScriptAsync("down");

    async Task DoAsync(string verb, params string[] arguments)
    {
        var (done, told) = await ScriptAsync(verb, arguments);
        Assert.True(done, $"two-hosts.sh {verb}: {told}");
    }

    Task<(bool Done, string Told)> ScriptAsync(string verb, params string[] arguments) =>
        RunAsync("bash", [Path.Combine(Checkout.Root, "tests", "network", "two-hosts.sh"), verb, _name, .. arguments]);

    static async Task<(bool Done, string Told)> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        // An end of the test must not leave namespaces behind: its own bound, whatever becomes of the test.
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var (errors, output) = (process.StandardError.ReadToEndAsync(late.Token), process.StandardOutput.ReadToEndAsync(late.Token));
        await process.WaitForExitAsync(late.Token);
        await output;
        return (process.ExitCode == 0, await errors);
    }

    /// <summary>A server on one of the hosts.</summary>
    internal sealed class Hosted(Process process) : IDisposable
    {
        public void Dispose()
        {
            if (!process.HasExited)
                process.Kill();
            process.WaitForExit(Patience);
            process.Dispose();
        }
    }
}
