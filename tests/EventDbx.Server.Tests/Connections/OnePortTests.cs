using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using EventDbx.Server.Rest;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary>Every protocol on one port at once, beside connections that say nothing or next to nothing.</summary>
/// <remarks>How long each takes alone and together is measured elsewhere (<c>port</c> of the benchmarks): here nobody is kept waiting for good.</remarks>
public sealed class OnePortTests : IAsyncDisposable
{
    static readonly bool GraphQLIsThere = RestRoutes.All.Any(static route => route.Surface == Surface.GraphQL);
    static readonly bool GrpcIsThere = typeof(ServerHost).Assembly.GetReferencedAssemblies().Any(static assembly => assembly.Name == "Grpc.AspNetCore.Server");

    /// <summary>Beyond it somebody is stuck.</summary>
    static readonly TimeSpan Hang = TimeSpan.FromSeconds(120);

    readonly List<Stream> _opened = [];
    RestServer? _server;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    RestServer Server => _server!;

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _opened)
            await one.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task All_protocols_at_once_are_answered_beside_idle_and_slow_connections(bool tls)
    {
        var times = TestTiers.Choose(40, 1_000, 10_000);
        _server = new(static options => options) { ChangeOptions = options => options with { Config = options.Config with { TlsEnabled = tls } } };
        await Server.InitializeAsync();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        List<Task> slow = [];
        // Silent from the start, within the preface, and after the handshake; and a byte a second of a request and of the preface.
        _opened.Add(await Server.ConnectAsync());
        _opened.Add(await Server.ConnectAsSpokenAsync());
        _opened.Add(await Server.ConnectAsSpokenAsync());
        await _opened[^1].WriteAsync("PRI * HT"u8.ToArray(), Cancellation);
        foreach (var text in (string[])["GET /health HTTP/1.1\r\nHost: abcdefghijklmnopqrstuvwxyz", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
        {
            _opened.Add(await Server.ConnectAsSpokenAsync());
            slow.Add(DribbleAsync(_opened[^1], text, over.Token));
        }

        List<Task> busy =
        [
            CurlAsync(["--http1.1"], "1.1", times),
            CurlAsync([tls ? "--http2" : "--http2-prior-knowledge"], "2", times),
            AskAsync(HttpVersion.Version11, times), AskAsync(HttpVersion.Version20, times),
            CallAsync(times),
        ];
        // Others hold a stream open that never ends, or whose body never comes.
        await using var open = tls ? null : await RawHttp2.OpenAsync(Server);
        if (open is not null)
            await open.RequestAsync(1, "POST", "/v1/events", Server.Root, ends: false, ("content-type", "application/json"));
        await Task.WhenAll(busy).WaitAsync(Hang, Cancellation);
        await over.CancelAsync();
        await Task.WhenAll(slow);
    }

    /// <summary>As many requests, by as few connections as curl needs; each says its status and version.</summary>
    async Task CurlAsync(string[] options, string version, int times)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Its curl has no HTTP/2.");
        var at = $"{(Server.Host.Status().Tls is null ? "http" : "https")}://127.0.0.1:{Server.Host.Port}";
        string[] common = ["-sSk", "-o", "-", "-w", "\n%{http_code} %{http_version}\n", .. options, "-H", $"Authorization: Bearer {Server.Root}"];
        // curl before 8.0 cannot use a connection of prior knowledge twice (16, "framing layer", before it sends): then it is a process a request.
        var (processes, each) = options is ["--http2-prior-knowledge"] ? (Math.Max(5, times / 20), 1) : (1, times);
        for (var i = 0; i < processes; i++)
        {
            // A list of one and more: its size tells the requests apart.
            var said = await RunAsync([.. common, $"{at}/v1/aggregates?take=[1-{each.ToString(CultureInfo.InvariantCulture)}]"]);
            Assert.Equal(each, said.Split('\n').Count(line => line == $"200 {version}"));
            var asked = await RunAsync([
                .. common, "-H", "Content-Type: application/json", "-d", """{"query":"{ __typename }"}""", $"{at}/graphql#[1-{each.ToString(CultureInfo.InvariantCulture)}]"]);
            Assert.Equal(each, asked.Split('\n').Count(line => line == $"{(GraphQLIsThere ? 200 : 404)} {version}"));
        }
    }

    static async Task<string> RunAsync(string[] arguments)
    {
        using var curl = Process.Start(new ProcessStartInfo("curl", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (curl.StandardOutput.ReadToEndAsync(Cancellation), curl.StandardError.ReadToEndAsync(Cancellation));
        await curl.WaitForExitAsync(Cancellation);
        Assert.True(curl.ExitCode == 0, await error);
        return await output;
    }

    /// <summary>Appends and reads in turn.</summary>
    async Task AskAsync(Version version, int times)
    {
        using var client = Server.ClientOf(version);
        for (var i = 0; i < times; i++)
        {
            using var body = new StringContent(
                $$"""{"aggregate_type":"port","aggregate_id":"{{version}}","event_type":"e","payload":{"n":{{i}} } }""", Encoding.UTF8, "application/json");
            using var appended = await client.PostAsync(new Uri("/v1/events", UriKind.Relative), body, Cancellation);
            Assert.Equal(HttpStatusCode.OK, appended.StatusCode);
            using var state = await client.GetAsync(new Uri($"/v1/aggregates/port/{version}", UriKind.Relative), Cancellation);
            Assert.Equal((HttpStatusCode.OK, version), (state.StatusCode, state.Version));
        }
    }

    /// <summary>Calls of gRPC, beside a subscription that gets what is appended meanwhile.</summary>
    async Task CallAsync(int times)
    {
        using var client = Server.ClientOf(HttpVersion.Version20);
        using var subscription = await StartCallAsync(client, "Subscribe");
        for (var i = 0; i < times; i++)
        {
            using var call = await StartCallAsync(client, "ListAggregates");
            await call.Content.ReadAsByteArrayAsync(Cancellation);
            if (GrpcIsThere)
                Assert.Equal("0", call.TrailingHeaders.GetValues("grpc-status").Single());
            else
                Assert.Equal(HttpStatusCode.NotFound, call.StatusCode);
        }

        if (!GrpcIsThere)
            return;
        await using var items = await subscription.Content.ReadAsStreamAsync(Cancellation);
        await items.ReadExactlyAsync(new byte[64], Cancellation);
    }

    static async Task<HttpResponseMessage> StartCallAsync(HttpClient client, string method)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/dbx.api.EventService/{method}")
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(new byte[5]),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new("trailers"));
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
    }

    static async Task DribbleAsync(Stream stream, string text, CancellationToken over)
    {
        try
        {
            foreach (var letter in Encoding.ASCII.GetBytes(text))
            {
                await stream.WriteAsync(new[] { letter }, over);
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, over);
            }
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException)
        {
        }
    }
}
