using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace EventDbx.Benchmarks.Rest;

/// <summary>Our server as a user starts it: <c>dbx start --foreground</c>, in a home directory of its own.</summary>
internal sealed partial class DbxServer : IDisposable
{
    /// <summary>Makes a server speak TLS, with a certificate that it makes itself.</summary>
    public const string TlsSetting = "EVENTDBX_TLS_ENABLED=true";

    const int Terminate = 15;

    readonly Process _process;
    readonly string _home;

    DbxServer(Process process, string home, int port, bool tls) => (_process, _home, Port, Tls) = (process, home, port, tls);

    public int Id => _process.Id;

    public int Port { get; }

    public bool Tls { get; }

    public TimeSpan Processor => ProcessUsage.Processor(Id);

    /// <summary>Of the checkout's own build, or of a published one.</summary>
    /// <param name="settings">Environment variables: <c>NAME=VALUE</c>.</param>
    /// <returns>As soon as <c>/health</c> has answered 200.</returns>
    public static DbxServer Start(string program, string home, params string[] settings)
    {
        Directory.CreateDirectory(home);
        var port = FreePort();
        ProcessStartInfo start = new(program, ["start", "--foreground", "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment["HOME"] = home;
        foreach (var setting in settings)
        {
            var at = setting.IndexOf('=', StringComparison.Ordinal);
            start.Environment[setting[..at]] = setting[(at + 1)..];
        }

        DbxServer server = new(Process.Start(start)!, home, port, settings.Contains(TlsSetting));
        StringBuilder said = new();
        server._process.OutputDataReceived += (_, line) => said.AppendLine(line.Data);
        server._process.ErrorDataReceived += (_, line) => said.AppendLine(line.Data);
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        while (!IsHealthy(server))
        {
            if (server._process.HasExited)
                throw new IOException($"{program} start --foreground ended with {server._process.ExitCode}: {said}");
            Thread.Sleep(1);
        }

        return server;
    }

    /// <summary>A token that may do everything, issued to the owner on the socket of the directory.</summary>
    public string IssueToken()
    {
        // Which is elsewhere when the path of the directory is too long for one.
        var path = Database.ReadHolder(Path.Combine(_home, ".eventdbx"))?.Socket ?? throw new IOException("The server names no socket.");
        using HttpClient owner = new(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        using StringContent request = new(
            """{"group":"bench","user":"writer","root":false,"actions":["aggregate.append","aggregate.read"],"resources":["*"],"ttl_secs":86400}""",
            Encoding.UTF8, "application/json");
        using var answer = owner.PostAsync(new Uri("http://dbx/admin/tokens"), request).GetAwaiter().GetResult();
        var body = answer.Content.ReadAsStringAsync().GetAwaiter().GetResult();
        return answer.IsSuccessStatusCode
            ? JsonDocument.Parse(body).RootElement.GetProperty("token").GetString()!
            : throw new IOException($"No token was issued: {body}");
    }

    /// <summary>One event in each aggregate.</summary>
    public void Fill(string token, Receipts receipts, AggregateKey[] aggregates)
    {
        using HttpAppender appender = new(Port, token, receipts, Tls);
        for (var first = 0; first < aggregates.Length; first += Limits.BatchEventsMax)
            appender.AppendBatch(aggregates.AsSpan(first, Math.Min(Limits.BatchEventsMax, aggregates.Length - first)));
    }

    public void Dispose()
    {
        _ = kill(Id, Terminate);
        if (!_process.WaitForExit(TimeSpan.FromSeconds(30)))
            _process.Kill();
        _process.Dispose();
    }

    static bool IsHealthy(DbxServer server)
    {
        try
        {
            using HttpConnection connection = new(server.Port, token: null, server.Tls);
            connection.Get("/health"u8);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    static int FreePort()
    {
        using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    [LibraryImport("libc")]
    private static partial int kill(int process, int signal);
}
