using System.Net.Sockets;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

// The engine has a namespace of that name.
using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>Lines over a connection that nobody answers on: nothing is lost, and little comes twice.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class TcpChannelTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A receiver that closes by itself is found out in 100 ms here.</summary>
    static TcpChannel Open(int port, int hasty = 10) =>
        new(Sinks.Plugin(new() { Kind = PluginKind.Tcp, Host = "127.0.0.1", Port = port }), Sinks.Surroundings(new HastyClock(hasty)));

    /// <summary>Hands over until all of it was taken, as the dispatcher does.</summary>
    static async Task DeliverAllAsync(TcpChannel channel, Delivery[] events, int batch = 50)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromSeconds(60));
        for (var at = 0; at < events.Length;)
        {
            var outcome = await channel.DeliverAsync(events[at..Math.Min(at + batch, events.Length)], late.Token);
            at += outcome.Taken;
            if (outcome.Failure is { } failure)
            {
                Assert.False(failure.IsRefusal);
                await Task.Delay(TimeSpan.FromMilliseconds(1), late.Token);
            }
        }
    }

    static async Task SettleAllAsync(TcpChannel channel)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromSeconds(60));
        while (channel.Unsettled is not null)
            await channel.SettleAsync(late.Token);
    }

    /// <summary>Every position at least once, and whenever one comes the first time, all before it were there.</summary>
    static void AssertAllInOrder(ulong[] positions, ulong last)
    {
        ulong reached = 0;
        foreach (var position in positions)
        {
            Assert.True(position <= reached + 1, $"{position} came before {reached + 1}");
            reached = Math.Max(reached, position);
        }

        Assert.Equal(last, reached);
    }

    /// <summary>With the first event, after which it is known that the receiver keeps connections.</summary>
    static async Task BeginAsync(TcpChannel channel)
    {
        Assert.Equal(new DeliveryOutcome(1, null), await channel.DeliverAsync(Sinks.Events(1, 1), Cancellation));
        Assert.Null(channel.Unsettled);
    }

    [Fact]
    public async Task Events_are_lines_of_JSON_over_one_connection_and_unsettled_until_the_receiver_ends_its_side()
    {
        await using var receiver = new LineReceiver();
        await using var channel = Open(receiver.Port);
        await BeginAsync(channel);
        Assert.Equal(1, receiver.Connections);

        Assert.Equal(new DeliveryOutcome(3, null), await channel.DeliverAsync(Sinks.Events(2, 4), Cancellation));
        Assert.Equal(new DeliveryOutcome(1, null), await channel.DeliverAsync(Sinks.Events(5, 5), Cancellation));
        await Sinks.UntilAsync(() => receiver.Positions.Length == 5);
        Assert.Equal((2ul, 2), (channel.Unsettled, receiver.Connections));

        await channel.SettleAsync(Cancellation);
        Assert.Null(channel.Unsettled);

        Assert.Equal(1, (await channel.DeliverAsync(Sinks.Events(6, 6), Cancellation)).Taken);
        Assert.Equal(6ul, channel.Unsettled);
        await channel.SettleAsync(Cancellation);
        Assert.Equal(3, receiver.Connections);
        Assert.Equal([1, 2, 3, 4, 5, 6], receiver.Positions);
    }

    [Fact]
    public async Task A_good_receiver_gets_each_event_once_over_ever_fewer_connections_and_at_most_a_window_is_unsettled()
    {
        await using var receiver = new LineReceiver();
        await using var channel = Open(receiver.Port);
        foreach (var batch in Sinks.Events(1, 6000).Chunk(100))
        {
            Assert.Equal(new DeliveryOutcome(100, null), await channel.DeliverAsync(batch, Cancellation));
            Assert.True(channel.Unsettled is null || batch[^1].Record.Position - channel.Unsettled < ServerLimits.PluginUnsettledEvents);
        }

        await SettleAllAsync(channel);
        Assert.Equal(Enumerable.Range(1, 6000).Select(i => (ulong)i), receiver.Positions);
        // 1, 32, 64, 128, 256, 512, 1,024, …
        Assert.InRange(receiver.Connections, 10, 13);
    }

    [Fact]
    public async Task What_a_receiver_had_not_read_when_it_was_cut_off_comes_again_even_if_nothing_else_does()
    {
        await using var receiver = new LineReceiver();
        await using var channel = Open(receiver.Port, 20);
        await BeginAsync(channel);
        await channel.DeliverAsync(Sinks.Events(2, 5), Cancellation);
        await Sinks.UntilAsync(() => receiver.Positions.Length == 5);
        Assert.Equal(2ul, channel.Unsettled);

        await receiver.StopAsync();
        receiver.Restart();

        await Sinks.UntilAsync(() => receiver.Positions.Length >= 9);
        Assert.Equal([1, 2, 3, 4, 5, 2, 3, 4, 5], receiver.Positions);
        await SettleAllAsync(channel);
        Assert.Equal(9, receiver.Positions.Length);
    }

    [Fact]
    public async Task A_receiver_that_closes_after_each_line_gets_every_event_and_sees_few_of_them_twice()
    {
        await using var receiver = new LineReceiver(connection => connection.ReadLineAsync());
        await using var channel = Open(receiver.Port, 20);

        await DeliverAllAsync(channel, Sinks.Events(1, 600));
        await SettleAllAsync(channel);

        AssertAllInOrder(receiver.Positions, 600);
        // It was found out with the first one; when a connection is seen to be closed is the system's affair.
        Assert.InRange(receiver.Positions.Length, 600, 700);
    }

    [Fact]
    public async Task A_receiver_that_closes_after_some_lines_or_is_cut_off_at_random_gets_every_event_in_order()
    {
        var random = new Random(7);
        await using var receiver = new LineReceiver(async connection =>
        {
            int lines, how;
            lock (random)
                (lines, how) = (random.Next(1, 200), random.Next(4));
            if (how == 0)
                await connection.ReadToEndAsync();
            else if (await connection.ReadToEndAsync(lines) && how == 1)
                connection.Reset();
        });
        await using var channel = Open(receiver.Port, 20);

        await DeliverAllAsync(channel, Sinks.Events(1, 3000));
        await SettleAllAsync(channel);

        AssertAllInOrder(receiver.Positions, 3000);
    }

    [Fact]
    public async Task A_receiver_that_fails_at_an_event_gets_it_again_and_what_else_it_had_in_its_buffer()
    {
        var count = 0;
        await using var receiver = new LineReceiver(connection => connection.ReadLinesAsync(() => Interlocked.Increment(ref count) % 45 != 0));
        await using var channel = Open(receiver.Port, 2);

        await DeliverAllAsync(channel, Sinks.Events(1, 200));
        await SettleAllAsync(channel);

        AssertAllInOrder(receiver.Positions, 200);
        Assert.True(count > receiver.Positions.Length);
    }

    [Fact]
    public async Task A_receiver_that_never_ends_its_side_is_down_and_what_it_has_stays_unsettled()
    {
        var hold = new TaskCompletionSource();
        await using var receiver = new LineReceiver(async connection =>
        {
            await connection.ReadToEndAsync();
            await hold.Task;
        });
        await using var channel = Open(receiver.Port, 50);

        var outcome = await channel.DeliverAsync(Sinks.Events(1, 2), Cancellation);
        hold.SetResult();

        Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.Contains("did not end its side within 5 s", outcome.Failure.Reason, StringComparison.Ordinal);
        // All of the call is handed over again, so the channel keeps none of it.
        Assert.Null(channel.Unsettled);
    }

    [Fact]
    public async Task A_receiver_that_reads_slowly_is_settled_with_fewer_events_at_a_time()
    {
        // 60 ms a line: not 32 of them in the second that a settlement has at least.
        await using var receiver = new LineReceiver(async connection =>
        {
            while (await connection.ReadToEndAsync(1))
                await Task.Delay(TimeSpan.FromMilliseconds(60));
        });
        await using var channel = Open(receiver.Port);

        await DeliverAllAsync(channel, Sinks.Events(1, 40));
        await SettleAllAsync(channel);

        AssertAllInOrder(receiver.Positions, 40);
    }

    [Fact]
    public async Task A_receiver_that_reads_nothing_is_down_once_its_buffers_are_full()
    {
        var hold = new TaskCompletionSource();
        await using var receiver = new LineReceiver(_ => hold.Task);
        await using var channel = Open(receiver.Port, 100);
        // One event of 900 KiB goes into the buffers of the system; 16 of them do not.
        var large = $$"""{"a":"{{new string('x', 16 * 1024 * 1024)}}"}""";

        var outcome = await channel.DeliverAsync([Sinks.Event(1, payload: large)], Cancellation);
        hold.SetResult();

        Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.Contains("took nothing for 30 s", outcome.Failure.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_receiver_that_is_not_there_is_down_and_is_delivered_to_once_it_is()
    {
        await using var receiver = new LineReceiver();
        await receiver.StopAsync();
        await using var channel = Open(receiver.Port);

        var outcome = await channel.DeliverAsync(Sinks.Events(1, 2), Cancellation);
        await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(Cancellation));
        Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));
        Assert.Contains($"127.0.0.1:{receiver.Port}", outcome.Failure.Reason, StringComparison.Ordinal);
        Assert.Null(channel.Unsettled);

        receiver.Restart();
        await channel.CheckAsync(Cancellation);
        Assert.Equal(2, (await channel.DeliverAsync(Sinks.Events(1, 2), Cancellation)).Taken);
        await SettleAllAsync(channel);
        Assert.Equal([1, 2], receiver.Positions);
    }

    [Fact]
    public async Task A_receiver_that_ends_only_its_own_sending_at_once_is_settled_one_event_a_connection()
    {
        await using var receiver = new LineReceiver(async connection =>
        {
            connection.Socket.Shutdown(SocketShutdown.Send);
            await connection.ReadToEndAsync();
        });
        await using var channel = Open(receiver.Port, 20);

        await DeliverAllAsync(channel, Sinks.Events(1, 100));
        await SettleAllAsync(channel);
        await Sinks.UntilAsync(() => receiver.Positions.Contains(100ul));

        Assert.Equal(Enumerable.Range(1, 100).Select(i => (ulong)i), receiver.Positions.Distinct().Order());
    }

    [Fact]
    public async Task A_stop_in_the_middle_of_a_settlement_leaves_everything_to_be_written_again()
    {
        var (hold, count) = (new TaskCompletionSource(), 0);
        await using var receiver = new LineReceiver(async connection =>
        {
            await connection.ReadToEndAsync();
            if (Interlocked.Increment(ref count) > 1)
                await hold.Task;
        });
        await using var channel = Open(receiver.Port, 1);
        await BeginAsync(channel);
        await channel.DeliverAsync(Sinks.Events(2, 4), Cancellation);
        using var stop = new CancellationTokenSource();

        var settling = channel.SettleAsync(stop.Token);
        // It has seen the end: before that the connection would be used again.
        await Sinks.UntilAsync(() => Volatile.Read(ref count) == 2);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => settling);
        Assert.Equal(2ul, channel.Unsettled);

        hold.SetResult();
        await SettleAllAsync(channel);
        Assert.Equal([1, 2, 3, 4, 2, 3, 4], receiver.Positions);
    }

    [Fact]
    public void A_window_is_one_until_the_receiver_is_seen_to_keep_connections_halves_where_they_end_and_tries_what_failed_later_each_time()
    {
        var window = new TcpWindow();
        void Fill()
        {
            window.Add([.. Sinks.Events(1, (ulong)ServerLimits.PluginUnsettledEvents)], 0);
            window.WriteNext(new System.Buffers.ArrayBufferWriter<byte>());
        }

        int SettleUntil(int limit)
        {
            var settlements = 0;
            for (; window.Limit != limit; settlements++)
            {
                Assert.InRange(settlements, 0, 10_000);
                Fill();
                window.Settle(keeps: true);
            }

            return settlements;
        }

        Fill();
        Assert.Equal((1, 1, true), (window.Limit, window.Written, window.IsFull));
        for (var i = 0; i < 100; i++)
        {
            Fill();
            window.Settle(keeps: false);
        }

        Assert.Equal(1, window.Limit);
        Assert.Equal(1, SettleUntil(32));
        Assert.Equal(1, SettleUntil(64));
        Fill();
        Assert.True(window.Shrink(byItself: false));
        Assert.Equal(32, window.Limit);
        Assert.Equal(32, SettleUntil(64));
        Fill();
        Assert.True(window.Shrink(byItself: false));
        Assert.Equal(64, SettleUntil(64));
        // What succeeds is forgotten to have failed.
        Assert.Equal(1, SettleUntil(128));
        Fill();
        for (var limit = 64; limit >= 1; limit /= 2)
        {
            Assert.True(window.Shrink(byItself: true));
            Assert.Equal(limit, window.Limit);
            window.WriteNext(new System.Buffers.ArrayBufferWriter<byte>());
        }

        Assert.False(window.Shrink(byItself: false));
        Assert.Equal(1, window.Limit);
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(1ul)]
    public async Task An_older_event_does_not_hide_younger_ones_that_are_unsettled(ulong older)
    {
        await using var receiver = new LineReceiver(connection => connection.IsFirst ? connection.ReadToEndAsync() : connection.CutOff);
        await using var channel = Open(receiver.Port, 50);
        await BeginAsync(channel);
        await channel.DeliverAsync(Sinks.Events(2, 5), Cancellation);
        Assert.Equal(2ul, channel.Unsettled);

        // That of a test has position 0; others are sent again by `plugin replay` and `queue retry`.
        Assert.Equal(1, (await channel.DeliverAsync([older == 0 ? SampleEvent.Prepare() : Sinks.Event(older)], Cancellation)).Taken);
        Assert.Equal(older, channel.Unsettled);
        await channel.DeliverAsync(Sinks.Events(6, 6), Cancellation);
        Assert.Equal(older, channel.Unsettled);
    }

    [Fact]
    public async Task A_test_of_a_plugin_moves_no_cursor_beyond_what_is_unsettled()
    {
        var open = new TaskCompletionSource();
        await using var receiver = new LineReceiver(async connection =>
        {
            if (!connection.IsFirst)
                await Task.WhenAny(open.Task, connection.CutOff);
            await connection.ReadToEndAsync();
        });
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        TcpChannel channel = null!;
        await using var courier = new Courier(stand.Definition, stand.Surroundings, stand.Queue, _ => channel = Open(receiver.Port, 50), stand.Figures);
        courier.Start();
        await stand.AppendAsync("a");
        await Sinks.UntilAsync(() => courier.Figures.Taken == 1);
        await stand.AppendAsync("b c d e");
        await Sinks.UntilAsync(() => courier.Figures.Taken == 5);

        Assert.Contains("within", await courier.DoAsync(courier.TestAsync, Cancellation), StringComparison.Ordinal);
        await stand.AppendAsync("f");
        await Sinks.UntilAsync(() => courier.Figures.Taken == 6);
        // A cursor that moved would be kept by now.
        stand.Clock.Advance(2 * ServerLimits.PluginCursorInterval);
        await stand.AppendAsync("g");
        await Sinks.UntilAsync(() => courier.Figures.Taken == 7 && courier.IsIdle);
        Assert.Equal(1ul, stand.Queue.FindCursor("p"));

        open.SetResult();
        await SettleAllAsync(channel);
        await courier.StopAsync(ServerLimits.PluginStopWithin);
        Assert.Equal(7ul, stand.Queue.FindCursor("p"));
        Assert.Equal([0ul, 1, 2, 3, 4, 5, 6, 7], receiver.Positions.Distinct().Order().ToArray());
    }
}
