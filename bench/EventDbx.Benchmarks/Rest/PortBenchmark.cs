using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace EventDbx.Benchmarks.Rest;

/// <summary>Every protocol on one port: how long its requests take alone, and while all others come at once.</summary>
/// <remarks>
/// Each protocol has one connection and asks again after a pause, at the same pace alone and together: what is measured is whether
/// they stand in each other's way, not how two cores are shared. Beside them all the time in the second half: connections that say
/// nothing, and ones that send a byte a second.
/// </remarks>
internal static class PortBenchmark
{
    const int Slow = 50;

    static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(4);

    public static void Run(Arguments arguments) => RunAsync(arguments).GetAwaiter().GetResult();

    static async Task RunAsync(Arguments arguments)
    {
        var (seconds, rounds) = (arguments.Seconds("seconds", 10), arguments.Int("rounds", 3));
        using var scratch = arguments.Scratch();
        foreach (var tls in new[] { false, true })
        {
            using var server = DbxServer.Start(DbxPrograms.Managed, Path.Combine(scratch.Path, $"home-{tls}"), tls ? [DbxServer.TlsSetting] : []);
            var token = server.IssueToken();
            server.Fill(token, new(seed: 1), Receipts.Aggregates(1));
            List<Asker> askers = [.. await ThereAsync(server, token).ConfigureAwait(false)];
            Latencies[] alone = [.. askers.Select(static _ => new Latencies())], together = [.. askers.Select(static _ => new Latencies())];
            foreach (var asker in askers)
                await asker.AskAsync(new(), TimeSpan.FromSeconds(Math.Min(1, seconds.TotalSeconds))).ConfigureAwait(false);
            for (var round = 0; round < rounds; round++)
            {
                for (var i = 0; i < askers.Count; i++)
                    await askers[i].AskAsync(alone[i], seconds / rounds).ConfigureAwait(false);
                using var crowd = new Crowd(server.Port);
                await Task.WhenAll(askers.Select((asker, i) => asker.AskAsync(together[i], seconds / rounds))).ConfigureAwait(false);
            }

            Report report = new($"one port, {(tls ? "TLS" : "clear text")}", "p50 alone", "p99 alone", "p50 together", "p99 together", "ratio of p99");
            for (var i = 0; i < askers.Count; i++)
            {
                report.Row(
                    askers[i].Name, Of(alone[i], 0.5), Of(alone[i], 0.99), Of(together[i], 0.5), Of(together[i], 0.99),
                    (together[i].Microseconds(0.99) / alone[i].Microseconds(0.99)).ToString("0.00", CultureInfo.InvariantCulture));
                askers[i].Dispose();
            }
        }
    }

    static string Of(Latencies latencies, double quantile) => latencies.Microseconds(quantile).ToString("n0", CultureInfo.InvariantCulture) + " µs";

    /// <summary>Those that the server serves; what it does not is said and left out.</summary>
    static async Task<IEnumerable<Asker>> ThereAsync(DbxServer server, string token)
    {
        var (one, two) = (HttpVersion.Version11, HttpVersion.Version20);
        var state = $"/v1/aggregates/{Uri.EscapeDataString(Receipts.Aggregates(1)[0].Type)}/{Uri.EscapeDataString(Receipts.Aggregates(1)[0].Id)}";
        byte[] query = """{"query":"{ __typename }"}"""u8.ToArray(), message = new byte[5];
        List<Asker> there = [];
        foreach (var asker in (Asker[])[
            new("REST, HTTP/1.1", server, token, one, state), new("REST, HTTP/2", server, token, two, state),
            new("GraphQL, HTTP/1.1", server, token, one, "/graphql", query, "application/json"), new("GraphQL, HTTP/2", server, token, two, "/graphql", query, "application/json"),
            new("gRPC unary", server, token, two, "/dbx.api.EventService/ListAggregates", message, "application/grpc"),
            new("gRPC streaming, opened and left", server, token, two, "/dbx.api.EventService/Subscribe", message, "application/grpc")])
        {
            if (await asker.IsServedAsync().ConfigureAwait(false))
            {
                there.Add(asker);
                continue;
            }

            Console.WriteLine($"{asker.Name}: not served by this build, left out.");
            asker.Dispose();
        }

        return there;
    }

    /// <summary>One client of one protocol, with a connection of its own.</summary>
    sealed class Asker : IDisposable
    {
        readonly HttpClient _client;
        readonly string _path;
        readonly byte[]? _body;
        readonly string _contentType;

        public Asker(string name, DbxServer server, string token, Version version, string path, byte[]? body = null, string contentType = "")
        {
            (Name, _path, _body, _contentType) = (name, path, body, contentType);
            _client = new(new SocketsHttpHandler
            {
                UseProxy = false, SslOptions = new() { RemoteCertificateValidationCallback = static (_, certificate, _, _) => certificate is not null },
            })
            {
                BaseAddress = new($"{(server.Tls ? "https" : "http")}://127.0.0.1:{server.Port}"), DefaultRequestVersion = version, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            _client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        }

        public string Name { get; }

        bool IsGrpc => _contentType == "application/grpc";

        public async Task<bool> IsServedAsync()
        {
            using var answer = await SendAsync().ConfigureAwait(false);
            return answer.IsSuccessStatusCode && (!IsGrpc || answer.Content.Headers.ContentType?.MediaType?.StartsWith("application/grpc", StringComparison.Ordinal) == true);
        }

        public async Task AskAsync(Latencies latencies, TimeSpan time)
        {
            for (var begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < time;)
            {
                var started = Stopwatch.GetTimestamp();
                using (var answer = await SendAsync().ConfigureAwait(false))
                {
                    if (!answer.IsSuccessStatusCode)
                        throw new IOException($"{Name}: {(int)answer.StatusCode}");
                    // A stream has no end: its first byte tells.
                    var body = await answer.Content.ReadAsStreamAsync().ConfigureAwait(false);
                    await using (body.ConfigureAwait(false))
                    {
                        var piece = new byte[16 * 1024];
                        while (await body.ReadAsync(piece).ConfigureAwait(false) > 0 && !_path.EndsWith("/Subscribe", StringComparison.Ordinal))
                        {
                        }
                    }
                }

                latencies.Add(started);
                await Task.Delay(s_pace).ConfigureAwait(false);
            }
        }

        public void Dispose() => _client.Dispose();

        async Task<HttpResponseMessage> SendAsync()
        {
            using var request = new HttpRequestMessage(_body is null ? HttpMethod.Get : HttpMethod.Post, _path)
            {
                Version = _client.DefaultRequestVersion, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            if (_body is not null)
            {
                request.Content = new ByteArrayContent(_body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue(_contentType);
            }

            if (IsGrpc)
                request.Headers.TE.Add(new("trailers"));
            return await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).ConfigureAwait(false);
        }
    }

    /// <summary>Connections that say nothing, and as many that send a byte a second.</summary>
    sealed class Crowd : IDisposable
    {
        readonly List<Socket> _all = [];
        readonly Timer _beat;
        int _at;

        public Crowd(int port)
        {
            for (var i = 0; i < Slow * 2; i++)
            {
                var one = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                one.Connect(IPAddress.Loopback, port);
                _all.Add(one);
            }

            _beat = new(_ => Beat(), null, TimeSpan.Zero, TimeSpan.FromSeconds(1));
        }

        public void Dispose()
        {
            _beat.Dispose();
            foreach (var one in _all)
                one.Dispose();
        }

        void Beat()
        {
            var text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8;
            var at = _at++ % text.Length;
            for (var i = 0; i < Slow; i++)
            {
                try
                {
                    _all[i].Send(text.Slice(at, 1));
                }
                catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
                {
                    // Closed for its slowness, or over.
                }
            }
        }
    }
}
