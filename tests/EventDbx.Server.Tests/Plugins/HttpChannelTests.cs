using System.Security.Cryptography;
using System.Text;
using EventDbx.Server.Plugins;
using EventDbx.Server.Tests.Tls;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Events as POSTs: what is sent, what takes them, what refuses them, and what is down.</summary>
public sealed class HttpChannelTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static HttpChannel Open(int port, Func<PluginConfig, PluginConfig>? change = null, TimeProvider? clock = null, Func<PluginSurroundings, PluginSurroundings>? around = null)
    {
        var config = new PluginConfig { Kind = PluginKind.Http, Endpoint = $"127.0.0.1:{port}/hook?a=b" };
        var surroundings = Sinks.Surroundings(clock);
        return new(Sinks.Plugin(change?.Invoke(config) ?? config), around?.Invoke(surroundings) ?? surroundings);
    }

    static PluginConfig With(PluginConfig config, params (string Name, string Value)[] headers) => config with { Headers = config.Headers.AddRange(headers.Select(header => KeyValuePair.Create(header.Name, header.Value))) };

    static async Task<DeliveryOutcome> AnsweredAsync(string answer, Func<PluginConfig, PluginConfig>? change = null, TimeProvider? clock = null)
    {
        await using var receiver = new HttpReceiver(_ => answer);
        await using var channel = Open(receiver.Port, change, clock);
        return await channel.DeliverAsync([Sinks.Event(1)], Cancellation);
    }

    [Fact]
    public async Task An_event_is_a_POST_of_its_record_over_a_connection_that_is_kept()
    {
        await using var receiver = new HttpReceiver(_ => HttpReceiver.Answer(204));
        await using var channel = Open(receiver.Port, config => With(config, ("X-Key", "canary"), ("X-Place", "Zürich")));

        for (ulong position = 1; position <= 5; position++)
            Assert.Equal(new DeliveryOutcome(1, null), await channel.DeliverAsync([Sinks.Event(position)], Cancellation));

        var (first, last) = (receiver.Requests[0], receiver.Requests[^1]);
        Assert.Equal(("POST", "/hook?a=b", 5), (first.Method, first.Target, receiver.Requests.Count));
        Assert.Equal(Encoding.UTF8.GetString(Sinks.Event(1).Json.Span), first.Body);
        Assert.Equal("application/json", first.Headers["Content-Type"]);
        Assert.Equal(Sinks.Event(1).Record.EventId.ToString(), first.Headers["X-EventDBX-Event-Id"]);
        Assert.Equal(Sinks.Event(1).Record.EventId.ToString(), first.Headers["Idempotency-Key"]);
        Assert.Equal(("canary", "Zürich", "EventDBX"), (first.Headers["x-key"], first.Headers["x-place"], first.Headers["User-Agent"]));
        Assert.DoesNotContain("X-EventDBX-Signature", first.Headers.Keys);
        Assert.DoesNotContain("Cookie", last.Headers.Keys);
        Assert.All(receiver.Requests, request => Assert.Equal(1, request.Connection));
    }

    [Fact]
    public async Task A_configured_type_of_the_body_goes_instead_of_ours_and_headers_of_the_event_are_nobody_elses()
    {
        await using var receiver = new HttpReceiver(_ => HttpReceiver.Answer(200, headers: "Set-Cookie: a=b\r\n"));
        await using var channel = Open(receiver.Port, config => With(config, ("content-type", "application/cloudevents+json"), ("idempotency-key", "forged"), ("User-Agent", "mine")));

        await channel.DeliverAsync([Sinks.Event(1)], Cancellation);
        await channel.DeliverAsync([Sinks.Event(2)], Cancellation);

        Assert.Equal(("application/cloudevents+json", "mine"), (receiver.Requests[0].Headers["Content-Type"], receiver.Requests[0].Headers["User-Agent"]));
        Assert.Equal(Sinks.Event(1).Record.EventId.ToString(), receiver.Requests[0].Headers["Idempotency-Key"]);
        Assert.DoesNotContain("Cookie", receiver.Requests[1].Headers.Keys);
    }

    [Fact]
    public async Task A_signed_request_is_verified_by_whoever_has_the_secret_and_by_nobody_else()
    {
        await using var receiver = new HttpReceiver(_ => HttpReceiver.Answer(200));
        var clock = new ManualClock(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000));
        await using var channel = Open(receiver.Port, config => config with { SigningSecret = "s3cret-ü" }, clock);

        await channel.DeliverAsync([Sinks.Event(1)], Cancellation);

        var request = receiver.Requests[0];
        // As a receiver does it, in one shot.
        string Computed(string secret) => Convert.ToHexString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes("1700000000." + request.Body))).ToLowerInvariant();
        Assert.Equal($"t=1700000000,v1={Computed("s3cret-ü")}", request.Headers["X-EventDBX-Signature"]);
        Assert.NotEqual($"t=1700000000,v1={Computed("s3cret-u")}", request.Headers["X-EventDBX-Signature"]);
    }

    [Theory]
    [InlineData(200, true, false)]
    [InlineData(204, true, false)]
    [InlineData(299, true, false)]
    [InlineData(300, false, true)]
    [InlineData(302, false, true)]
    [InlineData(307, false, true)]
    [InlineData(400, false, true)]
    [InlineData(401, false, true)]
    [InlineData(404, false, true)]
    [InlineData(408, false, false)]
    [InlineData(409, false, true)]
    [InlineData(422, false, true)]
    [InlineData(429, false, false)]
    [InlineData(499, false, true)]
    [InlineData(500, false, false)]
    [InlineData(503, false, false)]
    [InlineData(599, false, false)]
    public async Task A_status_takes_the_event_refuses_it_or_says_that_the_plugin_is_down(int status, bool taken, bool refused)
    {
        var outcome = await AnsweredAsync(HttpReceiver.Answer(status, "why", "Location: /other\r\n"));

        Assert.Equal((taken ? 1 : 0, taken), (outcome.Taken, outcome.Failure is null));
        if (taken)
            return;
        Assert.Equal(refused, outcome.Failure!.IsRefusal);
        Assert.Equal($"http plugin request failed ({status}): why", outcome.Failure.Reason);
    }

    [Theory]
    [InlineData("HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 7)]
    [InlineData("HTTP/1.1 503 No\r\nRetry-After: Tue, 14 Nov 2023 22:13:30 GMT\r\nContent-Length: 0\r\n\r\n", 10)]
    [InlineData("HTTP/1.1 503 No\r\nRetry-After: Tue, 14 Nov 2023 22:13:10 GMT\r\nContent-Length: 0\r\n\r\n", 0)]
    [InlineData("HTTP/1.1 429 No\r\nRetry-After: 604800\r\nContent-Length: 0\r\n\r\n", 300)]
    [InlineData("HTTP/1.1 429 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", null)]
    [InlineData("HTTP/1.1 422 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", null)]
    public async Task A_pause_that_the_receiver_asks_for_is_passed_on_up_to_five_minutes(string answer, int? seconds)
    {
        var outcome = await AnsweredAsync(answer, clock: new ManualClock(DateTimeOffset.FromUnixTimeSeconds(1_700_000_000)));

        Assert.Equal(seconds is { } pause ? TimeSpan.FromSeconds(pause) : null, outcome.Failure!.RetryAfter);
    }

    [Fact]
    public async Task A_receiver_that_hangs_is_down_after_five_seconds_of_the_clock()
    {
        var outcome = await AnsweredAsync(HttpReceiver.Hang, clock: new HastyClock(50));

        Assert.Equal((0, false, "no answer within 5 s"), (outcome.Taken, outcome.Failure!.IsRefusal, outcome.Failure.Reason));
    }

    [Fact]
    public async Task A_body_that_never_ends_keeps_no_event_from_being_taken_and_no_status_from_counting()
    {
        var taken = await AnsweredAsync("HTTP/1.1 200 Yes\r\nContent-Length: 100\r\n\r\nbegun", clock: new HastyClock(50));
        var refused = await AnsweredAsync("HTTP/1.1 422 No\r\nContent-Length: 100\r\n\r\nbegun", clock: new HastyClock(50));

        Assert.Equal(new DeliveryOutcome(1, null), taken);
        Assert.True(refused.Failure!.IsRefusal);
        Assert.StartsWith("http plugin request failed (422)", refused.Failure.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(HttpReceiver.Close)]
    [InlineData("HTTP/1.1 200")]
    [InlineData("SSH-2.0-OpenSSH\r\n\r\n")]
    public async Task A_receiver_that_answers_no_HTTP_is_down(string answer)
    {
        await using var receiver = new HttpReceiver(_ => answer);
        await using var channel = Open(receiver.Port, clock: new HastyClock(50));
        var outcome = await channel.DeliverAsync([Sinks.Event(1)], Cancellation);

        Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.StartsWith("no answer", outcome.Failure.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_the_receiver_gave_up_meanwhile_costs_no_delivery()
    {
        // The second request of a connection is never answered.
        HashSet<int> used = [];
        await using var receiver = new HttpReceiver(request => used.Add(request.Connection) ? HttpReceiver.Answer(200) : HttpReceiver.Close);
        await using var channel = Open(receiver.Port);

        for (ulong position = 1; position <= 4; position++)
            Assert.Equal(new DeliveryOutcome(1, null), await channel.DeliverAsync([Sinks.Event(position)], Cancellation));
    }

    [Fact]
    public async Task A_receiver_that_is_not_there_is_down_and_says_where()
    {
        var port = FreePort.Take();
        await using var channel = Open(port);
        var outcome = await channel.DeliverAsync([Sinks.Event(1)], Cancellation);

        Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.Contains($"127.0.0.1:{port}", outcome.Failure.Reason, StringComparison.Ordinal);
        Assert.Contains($"127.0.0.1:{port}", (await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_the_receiver_says_is_told_in_one_short_line_without_our_secrets()
    {
        PluginConfig Secret(PluginConfig config) => With(config, ("Authorization", "Bearer canary-header"), ("X-Short", "no")) with { SigningSecret = "canary-secret" };
        var echoed = await AnsweredAsync(HttpReceiver.Answer(422, "\u001b[31m no:\r\nAuthorization: Bearer canary-header, canary-header, canary-secret\u2028 "), Secret);
        var longer = await AnsweredAsync(HttpReceiver.Answer(500, new string('x', 300)), Secret);
        var exact = await AnsweredAsync(HttpReceiver.Answer(500, new string('x', 256)), Secret);

        Assert.Equal("http plugin request failed (422): [31m no: Authorization: (hidden), (hidden), (hidden)", echoed.Failure!.Reason);
        Assert.Equal($"http plugin request failed (500): {new string('x', 256)}…", longer.Failure!.Reason);
        Assert.Equal($"http plugin request failed (500): {new string('x', 256)}", exact.Failure!.Reason);
    }

    [Theory]
    [InlineData(307, true)]
    [InlineData(308, true)]
    [InlineData(301, false)]
    [InlineData(302, false)]
    [InlineData(303, false)]
    public async Task A_redirect_that_keeps_the_request_is_followed_where_it_may_be_and_secrets_stay_with_their_origin(int status, bool followed)
    {
        await using var other = new HttpReceiver(_ => HttpReceiver.Answer(200));
        await using var receiver = new HttpReceiver(request => request.Target == "/hook?a=b" ? HttpReceiver.Answer(status, headers: "Location: /here\r\n")
            : HttpReceiver.Answer(status, headers: $"Location: http://127.0.0.1:{other.Port}/there\r\n"));
        await using var channel = Open(receiver.Port, config => With(config, ("X-Key", "canary")) with { FollowRedirects = true, SigningSecret = "canary-secret" });
        await using var stays = Open(receiver.Port);

        var outcome = await channel.DeliverAsync([Sinks.Event(1)], Cancellation);
        var refused = await stays.DeliverAsync([Sinks.Event(1)], Cancellation);

        Assert.Equal((followed ? 1 : 0, true), (outcome.Taken, refused.Failure!.IsRefusal));
        if (!followed)
        {
            Assert.True(outcome.Failure!.IsRefusal);
            Assert.Empty(other.Requests);
            return;
        }

        Assert.Equal(("POST", "/here", "canary"), (receiver.Requests[1].Method, receiver.Requests[1].Target, receiver.Requests[1].Headers["X-Key"]));
        var there = Assert.Single(other.Requests);
        Assert.Equal(("POST", "/there", receiver.Requests[0].Body), (there.Method, there.Target, there.Body));
        Assert.Equal("application/json", there.Headers["Content-Type"]);
        Assert.DoesNotContain("X-Key", there.Headers.Keys);
        Assert.Equal(Sinks.Event(1).Record.EventId.ToString(), there.Headers["Idempotency-Key"]);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data/")]
    [InlineData("http://[::ffff:169.254.169.254]/")]
    [InlineData("http://2852039166/")]
    [InlineData("//0xa9.0xfe.0xa9.0xfe/")]
    [InlineData("http://metadata.example/")]
    public async Task A_redirect_to_a_blocked_address_is_refused_and_nobody_is_asked_there(string location)
    {
        await using var receiver = new HttpReceiver(_ => HttpReceiver.Answer(307, headers: $"Location: {location}\r\n"));
        await using var channel = Open(
            receiver.Port, config => config with { FollowRedirects = true }, around: surroundings => surroundings with { Resolve = (_, _) => Task.FromResult<System.Net.IPAddress[]>([System.Net.IPAddress.Parse("169.254.169.254")]) });

        var outcome = await channel.DeliverAsync([Sinks.Event(1)], Cancellation);
        var check = await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation));

        Assert.Equal((0, true), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.All([outcome.Failure.Reason, check.Message], text => Assert.Contains("is blocked: link-local", text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Redirects_end_after_five_steps_and_lead_nowhere_but_to_HTTP()
    {
        async Task<(DeliveryOutcome Outcome, int Requests)> FollowAsync(string location)
        {
            await using var receiver = new HttpReceiver(_ => HttpReceiver.Answer(307, headers: location));
            await using var channel = Open(receiver.Port, config => config with { FollowRedirects = true });
            return (await channel.DeliverAsync([Sinks.Event(1)], Cancellation), receiver.Requests.Count);
        }

        var circle = await FollowAsync("Location: /again\r\n");
        Assert.Equal((6, true), (circle.Requests, circle.Outcome.Failure!.IsRefusal));
        Assert.Contains("more than 5 times", circle.Outcome.Failure.Reason, StringComparison.Ordinal);
        foreach (var nowhere in new[] { "", "Location: file:///etc/passwd\r\n", "Location: gopher://127.0.0.1/\r\n", "Location: http://u:p@127.0.0.1/\r\n" })
            Assert.Equal((1, true), ((await FollowAsync(nowhere)) is var (outcome, requests) ? requests : 0, outcome.Failure!.IsRefusal));
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_refused_and_one_of_a_CA_that_is_believed_is_taken()
    {
        using var ca = new TestCa("ours");
        using var loaded = ca.Issue().ToCertificate();
        // The form that every system's TLS takes.
        using var certificate = System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadPkcs12(loaded.Export(System.Security.Cryptography.X509Certificates.X509ContentType.Pkcs12), null);
        await using var receiver = new HttpReceiver(_ => HttpReceiver.Answer(200), certificate);
        using var root = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPem(ca.Pem);
        PluginConfig Https(PluginConfig config) => config with { Https = true };
        await using var unknown = Open(receiver.Port, Https);
        await using var believed = Open(receiver.Port, Https, around: surroundings => surroundings with { TrustedRoots = [root] });
        await using var elsewhere = Open(
            receiver.Port, config => config with { Endpoint = $"https://other.example:{receiver.Port}/" },
            around: surroundings => surroundings with { TrustedRoots = [root], Resolve = (_, _) => Task.FromResult<System.Net.IPAddress[]>([System.Net.IPAddress.Loopback]) });

        var refused = await unknown.DeliverAsync([Sinks.Event(1)], Cancellation);
        Assert.Equal(new DeliveryOutcome(1, null), await believed.DeliverAsync([Sinks.Event(2)], Cancellation));
        var misnamed = await elsewhere.DeliverAsync([Sinks.Event(3)], Cancellation);

        Assert.All([refused, misnamed], outcome => Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal)));
        Assert.StartsWith("no TLS: ", refused.Failure!.Reason, StringComparison.Ordinal);
        Assert.Equal(Sinks.Event(2).Record.EventId.ToString(), Assert.Single(receiver.Requests).Headers["X-EventDBX-Event-Id"]);
    }

    [Theory]
    [InlineData(200, true)]
    [InlineData(405, true)]
    [InlineData(501, true)]
    [InlineData(404, false)]
    [InlineData(500, false)]
    [InlineData(302, false)]
    public async Task A_plugin_is_there_when_it_answers_HEAD_or_does_not_know_it(int status, bool there)
    {
        await using var receiver = new HttpReceiver(_ => $"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
        await using var channel = Open(receiver.Port, config => With(config, ("X-Key", "canary")));

        if (there)
            await channel.CheckAsync(Cancellation);
        else
            Assert.Equal($"http plugin readiness check failed ({status})", (await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation))).Message);
        Assert.Equal(("HEAD", "canary"), (receiver.Requests[0].Method, receiver.Requests[0].Headers["X-Key"]));
        Assert.DoesNotContain("X-EventDBX-Event-Id", receiver.Requests[0].Headers.Keys);
    }

    [Fact]
    public async Task Several_deliveries_go_at_once_over_as_many_connections()
    {
        var waiting = 0;
        var all = new TaskCompletionSource();
        await using var receiver = new HttpReceiver(async _ =>
        {
            if (Interlocked.Increment(ref waiting) == 8)
                all.SetResult();
            await all.Task;
            return HttpReceiver.Answer(200);
        });
        await using var channel = Open(receiver.Port, clock: new SlowClock());

        var outcomes = await Task.WhenAll(Enumerable.Range(1, channel.Concurrency).Select(i => channel.DeliverAsync([Sinks.Event((ulong)i, $"o-{i}")], Cancellation)));

        Assert.All(outcomes, outcome => Assert.Equal(new DeliveryOutcome(1, null), outcome));
        Assert.Equal(8, receiver.Requests.Select(request => request.Connection).Distinct().Count());
    }

    /// <summary>Whatever is waited for, may take ten times as long: this machine is busy.</summary>
    sealed class SlowClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => System.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? dueTime * 10 : dueTime, period);
    }
}
