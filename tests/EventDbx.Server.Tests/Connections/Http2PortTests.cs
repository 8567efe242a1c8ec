using System.Net;
using System.Net.Sockets;
using System.Text;
using EventDbx.Server.Connections;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary>HTTP/1.1 and HTTP/2 on one port, in clear text and over TLS, and by the socket.</summary>
public sealed class Http2PortTests : IAsyncDisposable
{
    const string Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    RestServer? _server;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    RestServer Server => _server!;

    public async ValueTask DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }

    async Task StartAsync(bool tls = false, ConnectionLimits? limits = null)
    {
        _server = new(static options => options)
        {
            ChangeOptions = options => options with { Config = options.Config with { TlsEnabled = tls }, ConnectionLimits = limits },
        };
        await _server.InitializeAsync();
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 2)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    public async Task One_port_serves_both_versions(bool tls, int version)
    {
        await StartAsync(tls);
        using var client = Server.ClientOf(new Version(version, version == 1 ? 1 : 0));
        using var answer = await client.GetAsync(new Uri("/v1/aggregates", UriKind.Relative), Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(version, answer.Version.Major);
        Assert.Equal("[]", await answer.Content.ReadAsStringAsync(Cancellation));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_socket_of_the_owner_serves_both_versions(int version)
    {
        await StartAsync();
        using var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(Server.SocketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var client = new HttpClient(handler)
        {
            BaseAddress = new("http://localhost"), DefaultRequestVersion = new(version, version == 1 ? 1 : 0), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        using var answer = await client.GetAsync(new Uri("/v1/aggregates", UriKind.Relative), Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(version, answer.Version.Major);
    }

    [Theory]
    [InlineData("P")]
    [InlineData("PR")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r")]
    public async Task Who_sends_a_part_of_the_preface_counts_as_silent_and_stalls_nobody(string part)
    {
        await StartAsync(limits: new(50, 50, TimeSpan.FromSeconds(1)));
        await using var stream = await Server.ConnectAsync();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(part), Cancellation);
        Assert.Equal(200, (await Server.GetAsync("/health")).Status);
        Assert.Equal("", await RestServer.ReadToEndAsync(stream));
    }

    [Theory]
    [InlineData("PR", "OPFIND /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 ")]
    [InlineData("P", "OST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 ")]
    // A method that HTTP/1.1 will never have: told in the words of HTTP/2 (GOAWAY).
    [InlineData("PRI * HTTP/2.0\r\n\r\nS", "X\r\n\r\n", "\0\0\b\a\0")]
    public async Task What_only_begins_like_the_preface_is_HTTP_1_1(string first, string rest, string answer)
    {
        await StartAsync();
        await using var stream = await Server.ConnectAsync();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(first), Cancellation);
        // The other end has it: what follows comes by itself.
        Assert.Equal(200, (await Server.GetAsync("/health")).Status);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(rest), Cancellation);
        Assert.StartsWith(answer, await RestServer.ReadToEndAsync(stream), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_preface_may_come_a_byte_at_a_time()
    {
        await StartAsync();
        await using var stream = await Server.ConnectAsync();
        foreach (var one in Encoding.ASCII.GetBytes(Preface))
            await stream.WriteAsync(new[] { one }, Cancellation);
        // An empty SETTINGS frame.
        await stream.WriteAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 }, Cancellation);
        var head = new byte[9];
        await stream.ReadExactlyAsync(head, Cancellation);
        Assert.Equal(4, head[3]); // Its SETTINGS.
    }

    [Fact]
    public async Task HTTP_2_in_clear_text_on_a_TLS_port_is_told_so_and_closed()
    {
        await StartAsync(tls: true);
        await using var stream = await Server.ConnectAsync();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(Preface), Cancellation);
        Assert.StartsWith("HTTP/1.1 400 ", await RestServer.ReadToEndAsync(stream), StringComparison.Ordinal);
    }
}
