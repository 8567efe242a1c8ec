using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EventDbx.Schemas;
using EventDbx.Server;
using EventDbx.Server.Daemon;

namespace EventDbx.Cli;

/// <summary>HTTP with a server, over its socket or from another machine. What the server refuses comes back as the refusal that it was.</summary>
/// <remarks>No proxy, no redirect, no cookie: a command is for the very server that was named, and nobody else gets its token.</remarks>
internal sealed class ServerConnection : IDisposable
{
    /// <summary>A payload's depth, and the record, list and envelope around it.</summary>
    static readonly JsonDocumentOptions Reading = new() { MaxDepth = Limits.PayloadDepthMax + 8 };

    /// <summary>What lines are read in.</summary>
    const int LineBufferBytes = 64 * 1024;

    static readonly UriCreationOptions AsWritten = new() { DangerousDisablePathAndQueryCanonicalization = true };

    readonly HttpClient _http;
    readonly ServerEndpoint _server;
    readonly TimeSpan _patience;
    readonly TimeProvider _clock;
    bool _heard;

    /// <param name="server">Where it is.</param>
    /// <param name="token">As whom; null: the owner, whom only a socket believes.</param>
    /// <param name="user">The owner's name in the operating system.</param>
    /// <param name="patience">How long the server may be silent before it is asked whether it is there at all.</param>
    /// <param name="clock">Measures that.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unauthenticated"/>: this is no token that could be sent.</exception>
    public ServerConnection(ServerEndpoint server, string? token, string user, TimeSpan patience, TimeProvider clock)
    {
        // What is no header must not become two of them.
        if (token?.Any(char.IsControl) == true)
            throw new RefusedException(RefusalCode.Unauthenticated, "The token is malformed: it holds a line break, or another control character.");
        (_server, _patience, _clock) = (server, patience, clock);
        _http = new(new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
            // TLS, where there is any, is the endpoint's: for HTTP there is a stream.
            ConnectCallback = (_, cancellation) => server.ConnectAsync(cancellation),
        })
        {
            // A verify takes as long as it takes, see HeardAsync; Ctrl-C ends it.
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (token is null)
            _http.DefaultRequestHeaders.TryAddWithoutValidation("X-EventDBX-User", user);
        else
            _http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {token}");
    }

    /// <summary>Asks, and reads the answer, which is JSON or nothing.</summary>
    /// <param name="method">How.</param>
    /// <param name="target">Path and query, percent-encoded.</param>
    /// <param name="body">JSON, or null.</param>
    /// <param name="again">Asking twice is asking once: where the connection is lost, it is asked once more.</param>
    /// <param name="read">Reads the answer; without a body it gets an undefined element.</param>
    /// <param name="minimal">Whether what was written need not be shown.</param>
    /// <exception cref="RefusedException">The server said no.</exception>
    /// <exception cref="ServerLostException">It did not answer.</exception>
    public Task<T> AskAsync<T>(
        HttpMethod method, string target, ReadOnlyMemory<byte>? body, bool again, Func<JsonElement, HttpResponseHeaders, T> read,
        CancellationToken cancellation, bool minimal = false) => AskAsync(
        method, target, body, again, minimal,
        (bytes, headers) =>
        {
            try
            {
                if (bytes.Length == 0)
                    return read(default, headers);
                using var json = JsonDocument.Parse(bytes, Reading);
                return read(json.RootElement, headers);
            }
            catch (Exception foreign) when (foreign is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
            {
                throw NotUnderstood(foreign);
            }
        },
        cancellation);

    /// <summary>Asks for something that is read only, whose answer is bytes of any kind.</summary>
    /// <exception cref="RefusedException">The server said no.</exception>
    /// <exception cref="ServerLostException">It did not answer.</exception>
    public Task<byte[]> GetBytesAsync(string target, CancellationToken cancellation) =>
        AskAsync(HttpMethod.Get, target, null, again: true, minimal: false, static (bytes, _) => bytes, cancellation);

    /// <summary>Asks for an answer of any length, which is read as it comes.</summary>
    /// <param name="target">Path and query, percent-encoded.</param>
    /// <param name="body">JSON.</param>
    /// <param name="cancellation">Ends the wait for its beginning.</param>
    /// <exception cref="RefusedException">The server said no.</exception>
    /// <exception cref="ServerLostException">It did not answer.</exception>
    public async Task<ServerBody> OpenAsync(string target, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        using var request = Request(HttpMethod.Post, target, body, minimal: false);
        var response = await OrLostAsync(HeardAsync(
            ended => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ended), cancellation)).ConfigureAwait(false);
        try
        {
            if (!response.IsSuccessStatusCode)
                throw Refused(response, await OrLostAsync(WholeAsync(response, cancellation)).ConfigureAwait(false));
            return new(response, await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false), Lost);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    async Task<T> AskAsync<T>(
        HttpMethod method, string target, ReadOnlyMemory<byte>? body, bool again, bool minimal, Func<byte[], HttpResponseHeaders, T> read,
        CancellationToken cancellation)
    {
        try
        {
            return await AskOnceAsync(method, target, body, minimal, read, cancellation).ConfigureAwait(false);
        }
        catch (Exception never) when (Unreachable(never) is { } unreachable)
        {
            throw unreachable;
        }
        catch (Exception lost) when (again && IsLoss(lost))
        {
            try
            {
                return await AskOnceAsync(method, target, body, minimal, read, cancellation).ConfigureAwait(false);
            }
            catch (Exception still) when (IsLoss(still))
            {
                throw Lost(still);
            }
        }
        catch (Exception lost) when (IsLoss(lost))
        {
            throw Lost(lost);
        }
    }

    /// <summary>Asks for lines of JSON, and hands them on as they come.</summary>
    public async IAsyncEnumerable<JsonDocument> LinesAsync(
        HttpMethod method, string target, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation, ReadOnlyMemory<byte>? body = null)
    {
        using var request = Request(method, target, body, minimal: false);
        using var response = await OrLostAsync(HeardAsync(
            ended => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ended), cancellation)).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw Refused(response, await OrLostAsync(WholeAsync(response, cancellation)).ConfigureAwait(false));
        var reader = PipeReader.Create(await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false), new(bufferSize: LineBufferBytes));
        try
        {
            var (ended, looked) = (false, 0L);
            while (!ended)
            {
                var read = await OrLostAsync(reader.ReadAsync(cancellation).AsTask()).ConfigureAwait(false);
                var (come, rest) = (read.Buffer, read.Buffer);
                ended = read.IsCompleted;
                while (rest.Slice(looked).PositionOf((byte)'\n') is { } end)
                {
                    var line = rest.Slice(0, end).ToArray();
                    (rest, looked) = (rest.Slice(rest.GetPosition(1, end)), 0);
                    if (line.Length > 0)
                        yield return Line(line);
                }

                looked = rest.Length;
                if (looked > ServerLimits.AnswerLineBytesMax)
                    throw TooLong(ServerLimits.AnswerLineBytesMax);
                if (ended && looked > 0)
                    yield return Line(rest.ToArray());
                reader.AdvanceTo(rest.Start, come.End);
            }
        }
        finally
        {
            await reader.CompleteAsync().ConfigureAwait(false);
        }
    }

    JsonDocument Line(byte[] line)
    {
        try
        {
            return JsonDocument.Parse(line, Reading);
        }
        catch (JsonException foreign)
        {
            throw NotUnderstood(foreign);
        }
    }

    /// <summary>An error as it stands in an answer.</summary>
    public static RefusedException Refused(JsonElement error)
    {
        var code = Refusal.CodeOf(error.GetProperty("code").GetString());
        var message = error.GetProperty("message").GetString() ?? "";
        // A code that a newer server knows and we do not.
        return new(new Refusal(code ?? RefusalCode.Internal, message)
        {
            ActualVersion = error.TryGetProperty("actual_version", out var version) && version.TryGetUInt64(out var actual) ? actual : null,
            Operation = error.TryGetProperty("operation", out var operation) && operation.TryGetInt32(out var place) ? place : null,
            Violations = error.TryGetProperty("details", out var details) ? Violations(details) : null,
        });
    }

    /// <summary>What an event breaks. A rule that a newer server knows and we do not stands in the message, if it is the first.</summary>
    static List<SchemaViolation> Violations(JsonElement details)
    {
        List<SchemaViolation> violations = [];
        foreach (var one in details.EnumerateArray())
        {
            if (SchemaRules.Named(one.GetProperty("rule").GetString()) is { } rule)
                violations.Add(new(one.GetProperty("path").GetString() ?? "", rule, one.GetProperty("message").GetString() ?? ""));
        }

        return violations;
    }

    public void Dispose()
    {
        _http.Dispose();
        _server.Dispose();
    }

    async Task<T> AskOnceAsync<T>(
        HttpMethod method, string target, ReadOnlyMemory<byte>? body, bool minimal, Func<byte[], HttpResponseHeaders, T> read, CancellationToken cancellation)
    {
        using var request = Request(method, target, body, minimal);
        using var response = await HeardAsync(
            ended => _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ended), cancellation).ConfigureAwait(false);
        var bytes = await HeardAsync(ended => WholeAsync(response, ended), cancellation).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw Refused(response, bytes);
        // Nothing that EventDBX says to a command is a page.
        return response.Content.Headers.ContentType?.MediaType == "text/html" ? throw NotUnderstood(null) : read(bytes, response.Headers);
    }

    HttpRequestMessage Request(HttpMethod method, string target, ReadOnlyMemory<byte>? body, bool minimal)
    {
        if (!Uri.TryCreate($"http://{_server.Authority}{target}", AsWritten, out var uri))
            throw new FormatException($"`{target}` is no target of a request.");
        var request = new HttpRequestMessage(method, uri);
        if (body is { } content)
            request.Content = new ReadOnlyMemoryContent(content) { Headers = { ContentType = new("application/json") } };
        // Without a content the framework would ask again by itself, whether or not that is the same.
        else if (method != HttpMethod.Get)
            request.Content = new ByteArrayContent([]);
        if (minimal)
            request.Headers.TryAddWithoutValidation("Prefer", "return=minimal");
        return request;
    }

    /// <summary>What was refused; or, from somebody else at this address, that it is somebody else.</summary>
    Exception Refused(HttpResponseMessage response, ReadOnlyMemory<byte> body)
    {
        try
        {
            using var json = JsonDocument.Parse(body, Reading);
            return Refused(json.RootElement);
        }
        catch (Exception unreadable) when (unreadable is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return new DaemonException($"The server at {_server.Name} answered {(int)response.StatusCode} {response.StatusCode}, and not with an error of EventDBX.");
        }
    }

    async Task<T> OrLostAsync<T>(Task<T> asked)
    {
        try
        {
            return await asked.ConfigureAwait(false);
        }
        catch (Exception lost) when (IsLoss(lost))
        {
            throw Unreachable(lost) ?? (Exception)Lost(lost);
        }
    }

    /// <summary>Waits for the server as long as it is alive: one that is silent and answers nothing else either is given up on.</summary>
    async Task<T> HeardAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancellation)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var asked = ask(ended.Token);
        while (true)
        {
            try
            {
                var answer = await asked.WaitAsync(_patience, _clock, cancellation).ConfigureAwait(false);
                _heard = true;
                return answer;
            }
            catch (TimeoutException)
            {
                if (asked.IsCompleted || await _server.IsAliveAsync(_http, _patience, cancellation).ConfigureAwait(false))
                    continue;
            }

            await ended.CancelAsync().ConfigureAwait(false);
            await ((Task)asked).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (asked.IsCompletedSuccessfully)
                (await asked.ConfigureAwait(false) as IDisposable)?.Dispose();
            throw new ServerLostException(_server.Silent(_patience), null);
        }
    }

    /// <summary>An answer that is gathered in memory: as much as one may have.</summary>
    async Task<byte[]> WholeAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        try
        {
            await response.Content.LoadIntoBufferAsync(ServerLimits.AnswerBytesMax, cancellation).ConfigureAwait(false);
        }
        catch (HttpRequestException beyond) when (beyond.HttpRequestError == HttpRequestError.ConfigurationLimitExceeded)
        {
            throw TooLong(ServerLimits.AnswerBytesMax);
        }

        return await response.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false);
    }

    static bool IsLoss(Exception failure) => failure is HttpRequestException or IOException;

    /// <summary>No connection was made, so nothing was sent; null where one was.</summary>
    static ServerUnreachableException? Unreachable(Exception? failure)
    {
        for (; failure is not null; failure = failure.InnerException)
        {
            if (failure is ServerUnreachableException unreachable)
                return unreachable;
        }

        return null;
    }

    ServerLostException Lost(Exception cause) => new($"The server at {_server.Name} went away before it answered.{(_heard ? "" : _server.GoneHint)}", cause);

    DaemonException TooLong(int most) => new(FormattableString.Invariant(
        $"The server at {_server.Name} answered with more than {most >> 20} MiB, which no answer of EventDBX {Release.Version} has; the rest was not read. It is of another version, or no EventDBX at all."));

    DaemonException NotUnderstood(Exception? cause) => new(
        $"The server at {_server.Name} answered, and what it said is no answer of EventDBX {Release.Version}: it is of another version, or no EventDBX at all.{(cause is null ? "" : $" ({cause.Message.TrimEnd('.')})")}");
}
