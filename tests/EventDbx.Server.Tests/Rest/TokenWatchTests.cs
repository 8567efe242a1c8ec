using System.Text;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Rest;

/// <summary>Answers that take long, and tokens that end meanwhile.</summary>
public sealed class TokenWatchTests : IAsyncLifetime
{
    /// <summary>More than what lies between server and client when nobody reads.</summary>
    const int Events = 24, EventBytes = 1_000_000;

    readonly RestServer _server = new();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Evidence_on_its_way_to_a_token_that_is_revoked_or_expires_ends_within_a_second_and_is_not_whole(bool revoked)
    {
        var filler = new string('x', EventBytes);
        for (var i = 0; i < Events; i++)
            await _server.AppendAsync("m", "1", "e", $$"""{"n":"{{i}}{{filler}}"}""");
        var token = await _server.IssueAsync(new() { Group = "audit", User = "eve", Actions = ["aggregate.read", "log.read"], TtlSeconds = 3600 });
        await using var stream = await _server.ConnectAsync();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /v1/evidence HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), Cancellation);
        var first = new byte[1000];
        await stream.ReadExactlyAsync(first, Cancellation);
        Assert.StartsWith("HTTP/1.1 200 ", Encoding.ASCII.GetString(first), StringComparison.Ordinal);

        if (revoked)
            await _server.Host.Tokens.RevokeAsync(_server.Owner, token, "left", Cancellation);
        else
            _server.Clock.Advance(TimeSpan.FromHours(2));
        // Nobody reads meanwhile: the server notices by itself.
        await UntilAsync(() => _server.Lines.Exists(line => line.Message.StartsWith("request method=POST route=/v1/evidence ", StringComparison.Ordinal)));

        var rest = await RestServer.ReadToEndAsync(stream);
        Assert.DoesNotContain("{\"end\":", rest, StringComparison.Ordinal);
        Assert.True(rest.Length < Events * EventBytes);
    }

    [Fact]
    public async Task A_watch_ends_what_it_watches_when_the_token_is_refused_and_says_why()
    {
        var clock = new TickingClock();
        var refused = false;
        await using var watch = new TokenWatch(() => _ = refused ? throw new RefusedException(RefusalCode.Unauthenticated, "The token has been revoked.") : 0, clock, Cancellation);

        clock.Tick();
        Assert.False(watch.Ended.IsCancellationRequested);
        Assert.Null(watch.Refused);
        refused = true;
        clock.Tick();

        Assert.True(watch.Ended.IsCancellationRequested);
        Assert.Equal("The token has been revoked.", watch.Refused!.Message);
        Assert.True(TokenBounds.WatchInterval < TimeSpan.FromSeconds(1));
        Assert.Equal(TokenBounds.WatchInterval, clock.Period);
    }

    async Task UntilAsync(Func<bool> holds)
    {
        while (true)
        {
            lock (_server.Lines)
            {
                if (holds())
                    return;
            }

            await Task.Delay(20, Cancellation);
        }
    }

    /// <summary>A clock whose one timer goes off when a test says so.</summary>
    sealed class TickingClock : TimeProvider
    {
        TimerCallback? _callback;
        object? _state;

        public TimeSpan Period { get; private set; }

        public void Tick() => _callback!(_state);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (_callback, _state, Period) = (callback, state, period);
            return new Idle();
        }

        sealed class Idle : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => default;
        }
    }
}
