using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace EventDbx.Server.Plugins;

/// <summary>Each event a POST of its <c>EventRecord</c> as JSON; any 2xx takes it.</summary>
/// <remarks>
/// With <c>X-EventDBX-Event-Id</c> and <c>Idempotency-Key</c> (the event id: a repeated delivery is known by it) and, with a signing secret,
/// <c>X-EventDBX-Signature: t=UNIX SECONDS,v1=HEX</c>, the HMAC-SHA-256 under it of <c>t.body</c>.
/// 5xx, 408, 429, no connection and no answer within <see cref="ServerLimits.PluginAnswerWithin"/> are "down"; any other status refuses the event.
/// The contract is docs/plugins.md, section "Kinds".
/// </remarks>
internal sealed class HttpChannel : IPluginChannel
{
    const string EventId = "X-EventDBX-Event-Id";
    const string Idempotency = "Idempotency-Key";
    const string Signature = "X-EventDBX-Signature";

    /// <summary>Headers that nobody configures: they are those of the event, or those of the connection.</summary>
    public static readonly string[] Reserved =
    [
        EventId, Idempotency, Signature, "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Expect", "TE", "Trailer", "Upgrade",
    ];

    readonly PluginSurroundings _surroundings;
    readonly HttpClient _client;
    readonly Uri _endpoint;
    readonly PluginConfig _config;
    readonly byte[]? _secret;
    readonly SecretMask _mask;

    /// <exception cref="RefusedException">The endpoint is no URL, or an address that is blocked.</exception>
    public HttpChannel(PluginDefinition plugin, PluginSurroundings surroundings)
    {
        (_surroundings, _config) = (surroundings, plugin.Config);
        _endpoint = plugin.Config.Uri ?? throw new RefusedException(RefusalCode.InvalidArgument, $"`config.endpoint` is no URL: \"{Rest.Shown.Of(plugin.Config.Endpoint)}\".");
        AddressRules.Of(surroundings).Check(_endpoint.IdnHost);
        _secret = plugin.Config.SigningSecret is { } secret ? Encoding.UTF8.GetBytes(secret) : null;
        _mask = SecretMask.Of(plugin.Config);
        var handler = surroundings.NewHandler();
        handler.MaxConnectionsPerServer = ServerLimits.PluginRequestsMax;
        handler.RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8;
        handler.MaxResponseDrainSize = ServerLimits.PluginAnswerBytesMax;
        // How long all may take, its own deadline says: one that the clock of the server measures.
        _client = new(handler) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public int BatchMax => 1;

    public int Concurrency => ServerLimits.PluginRequestsMax;

    public ulong? Unsettled => null;

    public async Task CheckAsync(CancellationToken cancellation)
    {
        var answer = await AskAsync(url => Request(HttpMethod.Head, url, null), cancellation).ConfigureAwait(false);
        if (answer.Failure is { } failure)
            throw new PluginDownException(failure.Reason);
        if (answer.Status is not (>= 200 and < 300 or (int)HttpStatusCode.MethodNotAllowed or (int)HttpStatusCode.NotImplemented))
            throw new PluginDownException(FormattableString.Invariant($"http plugin readiness check failed ({answer.Status})"));
    }

    public async Task<DeliveryOutcome> DeliverAsync(IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        for (var i = 0; i < events.Count; i++)
        {
            var one = events[i];
            var answer = await AskAsync(url => Request(HttpMethod.Post, url, one), cancellation).ConfigureAwait(false);
            if ((answer.Failure ?? FailureOf(answer)) is { } failure)
                return new(i, failure);
        }

        return new(events.Count, null);
    }

    public Task SettleAsync(CancellationToken cancellation) => Task.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _client.Dispose();
        return ValueTask.CompletedTask;
    }

    static DeliveryFailure? FailureOf(in HttpAnswer answer)
    {
        if (answer.Status is >= 200 and < 300)
            return null;
        var down = answer.Status is >= 500 or (int)HttpStatusCode.RequestTimeout or (int)HttpStatusCode.TooManyRequests;
        var reason = FormattableString.Invariant($"http plugin request failed ({answer.Status}){(answer.Text.Length > 0 ? $": {answer.Text}" : "")}");
        return new(!down, reason, down ? answer.RetryAfter : null);
    }

    /// <summary>Asks, follows where it is sent on to, and asks once more where a connection that was kept had gone meanwhile; all within one deadline.</summary>
    async Task<HttpAnswer> AskAsync(Func<Uri, HttpRequestMessage> request, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ServerLimits.PluginAnswerWithin, _surroundings.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        var url = _endpoint;
        try
        {
            for (var step = 0; ; step++)
            {
                using var response = await SendAsync(request, url, either.Token).ConfigureAwait(false);
                if (!_config.FollowRedirects || response.StatusCode is not (HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
                    return await ReadAsync(response, either.Token).ConfigureAwait(false);
                var (next, why) = NextOf(url, response.Headers.Location, step);
                if (next is null)
                    return Refused(FormattableString.Invariant($"http plugin request failed ({(int)response.StatusCode}): {why}"));
                url = next;
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return Down(FormattableString.Invariant($"no answer within {ServerLimits.PluginAnswerWithin.TotalSeconds:0} s"));
        }
        catch (HttpRequestException failed)
        {
            // The address it was sent on to is what this event met; that of the plugin itself is the same for all of them.
            return url != _endpoint && Find<AddressBlockedException>(failed) is { } blocked
                ? Refused($"http plugin request failed: it was sent on to {Host(url)}; {blocked.Message}")
                : Down(_mask.Hide(ReasonOf(failed)));
        }
    }

    /// <summary>Headers are waited for; once more where the connection ended without an answer, as one does that the other end gave up while it was idle.</summary>
    async Task<HttpResponseMessage> SendAsync(Func<Uri, HttpRequestMessage> request, Uri url, CancellationToken cancellation)
    {
        for (var again = false; ; again = true)
        {
            using var message = request(url);
            try
            {
                return await _client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellation).ConfigureAwait(false);
            }
            catch (HttpRequestException gone) when (!again && gone.HttpRequestError is HttpRequestError.ResponseEnded or HttpRequestError.Unknown && Find<IOException>(gone) is not null)
            {
            }
        }
    }

    HttpRequestMessage Request(HttpMethod method, Uri url, Delivery? one)
    {
        var message = new HttpRequestMessage(method, url);
        if (one is not null)
            message.Content = new ReadOnlyMemoryContent(one.Json);
        message.Headers.TryAddWithoutValidation("User-Agent", "EventDBX");
        message.Content?.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        foreach (var (name, value) in _config.Headers)
        {
            if (Reserved.Contains(name, StringComparer.OrdinalIgnoreCase))
                continue;
            var isType = name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase);
            // Their values are secrets, for the origin they were given for alone; of what kind the body is, is none.
            if (!isType && Origin(url) != Origin(_endpoint))
                continue;
            HttpHeaders? headers = name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase) ? message.Content?.Headers : message.Headers;
            // Ours give way to theirs. A name that is none, in a document of another hand, is left out.
            if (isType || name.Equals("User-Agent", StringComparison.OrdinalIgnoreCase))
                headers?.Remove(name);
            headers?.TryAddWithoutValidation(name, value);
        }

        if (one is null)
            return message;
        var id = one.Record.EventId.ToString("D");
        message.Headers.TryAddWithoutValidation(EventId, id);
        message.Headers.TryAddWithoutValidation(Idempotency, id);
        if (_secret is not null)
            message.Headers.TryAddWithoutValidation(Signature, Signed(one.Json.Span, _secret));
        return message;
    }

    /// <summary>The time is part of what is signed: a receiver refuses an old one, and nobody can send it again later.</summary>
    string Signed(ReadOnlySpan<byte> body, byte[] secret)
    {
        var seconds = _surroundings.Clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, secret);
        hmac.AppendData(Encoding.ASCII.GetBytes(seconds + "."));
        hmac.AppendData(body);
        return $"t={seconds},v1={Convert.ToHexStringLower(hmac.GetHashAndReset())}";
    }

    /// <summary>Where a redirect leads; or null, and why it is not followed.</summary>
    static (Uri?, string) NextOf(Uri from, Uri? location, int step)
    {
        if (step >= ServerLimits.PluginRedirectsMax)
            return (null, FormattableString.Invariant($"it was sent on more than {ServerLimits.PluginRedirectsMax} times"));
        if (location is null || !Uri.TryCreate(from, location, out var next) || next.Scheme is not ("http" or "https") || next.Host.Length == 0)
            return (null, "it was sent on to nowhere that HTTP leads to");
        if (from.Scheme == "https" && next.Scheme == "http")
            return (null, $"it was sent on from https to http, at {Host(next)}");
        return next.UserInfo.Length > 0 ? (null, $"it was sent on to {Host(next)} with a user in the URL") : (next, "");
    }

    /// <summary>What was answered: of a body as much as is told, the rest let go by.</summary>
    async Task<HttpAnswer> ReadAsync(HttpResponseMessage response, CancellationToken cancellation)
    {
        var status = (int)response.StatusCode;
        var text = "";
        try
        {
            var body = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
            await using var _ = body.ConfigureAwait(false);
            var told = new byte[ServerLimits.PluginAnswerBytesTold];
            var read = await body.ReadAtLeastAsync(told, told.Length, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
            if (status is < 200 or >= 300)
                text = _mask.Told(Encoding.UTF8.GetString(told.AsSpan(0, read)));
        }
        catch (Exception cut) when (cut is IOException or HttpRequestException or OperationCanceledException)
        {
            // The status is what counts, and it is there.
        }

        return new() { Status = status, Text = text, RetryAfter = RetryAfterOf(response) };
    }

    TimeSpan? RetryAfterOf(HttpResponseMessage response)
    {
        var asked = response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - _surroundings.Clock.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return asked is not { } pause ? null : pause < TimeSpan.Zero ? TimeSpan.Zero : pause > ServerLimits.PluginRetryAfterMax ? ServerLimits.PluginRetryAfterMax : pause;
    }

    /// <summary>Why nobody answered: the innermost words, which say more than those around them.</summary>
    static string ReasonOf(HttpRequestException failed) =>
        Find<PluginDownException>(failed)?.Message
        ?? (failed.HttpRequestError == HttpRequestError.SecureConnectionError ? $"no TLS: {failed.GetBaseException().Message}" : $"no answer: {failed.GetBaseException().Message}");

    static T? Find<T>(Exception from) where T : Exception
    {
        for (var at = from; at is not null; at = at.InnerException)
        {
            if (at is T found)
                return found;
        }

        return null;
    }

    static (string, string, int) Origin(Uri url) => (url.Scheme, url.IdnHost, url.Port);

    static string Host(Uri url) => FormattableString.Invariant($"{url.Scheme}://{url.IdnHost}:{url.Port}");

    static HttpAnswer Refused(string reason) => new() { Failure = new(IsRefusal: true, reason) };

    static HttpAnswer Down(string reason) => new() { Failure = new(IsRefusal: false, reason) };

    /// <summary>What came back; or why nothing did.</summary>
    readonly record struct HttpAnswer
    {
        public DeliveryFailure? Failure { get; init; }

        public int Status { get; init; }

        /// <summary>The beginning of the body, where it was no 2xx.</summary>
        public string Text { get; init; }

        public TimeSpan? RetryAfter { get; init; }
    }
}
