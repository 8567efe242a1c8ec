using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>A place of releases on this machine: what it serves are bytes by path, and lists of releases as GitHub has them.</summary>
internal sealed class ReleaseServer : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _end = new();
    readonly Task _serving;

    public ReleaseServer()
    {
        _listener.Start();
        _serving = ServeAsync();
    }

    /// <summary>What <c>EVENTDBX_RELEASES_URL</c> is.</summary>
    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/releases";

    /// <summary>What there is, by path; anything else is 404.</summary>
    public Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>Paths that promise all and end in the middle.</summary>
    public HashSet<string> CutOff { get; } = [];

    /// <summary>Paths that send on, and where to.</summary>
    public Dictionary<string, string> SendsOn { get; } = [];

    /// <summary>Publishes a release with files, under its tag and as the newest.</summary>
    public void Publish(string tag, IReadOnlyDictionary<string, byte[]> files, bool prerelease = false)
    {
        var assets = files.Keys.Select(name => $$"""{"name":"{{name}}","browser_download_url":"{{Url}}/download/{{tag}}/{{name}}"}""");
        var release = Encoding.UTF8.GetBytes($$"""{"tag_name":"{{tag}}","name":"EventDBX {{tag}}","draft":false,"prerelease":{{(prerelease ? "true" : "false")}},"assets":[{{string.Join(',', assets)}}]}""");
        Files["/releases/latest"] = Files[$"/releases/tags/{tag}"] = release;
        foreach (var (name, content) in files)
            Files[$"/releases/download/{tag}/{name}"] = content;
    }

    async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(_end.Token);
                using var stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
                var path = (await reader.ReadLineAsync(_end.Token))?.Split(' ')[1] ?? "";
                while (await reader.ReadLineAsync(_end.Token) is { Length: > 0 })
                {
                    // Headers say nothing here.
                }

                var found = Files.TryGetValue(path, out var content);
                content ??= [];
                var status = SendsOn.TryGetValue(path, out var location) ? $"302 Found\r\nLocation: {location}" : found ? "200 OK" : "404 Not Found";
                content = location is null ? content : [];
                var head = $"HTTP/1.1 {status}\r\nContent-Length: {content.Length}\r\nConnection: close\r\n\r\n";
                await stream.WriteAsync(Encoding.ASCII.GetBytes(head), _end.Token);
                await stream.WriteAsync(CutOff.Contains(path) ? content.AsMemory(0, content.Length / 2) : content, _end.Token);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or IOException or SocketException && _end.IsCancellationRequested)
        {
            // The test is over.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _serving;
        _end.Dispose();
    }
}
