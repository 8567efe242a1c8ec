using System.Net;
using EventDbx.Server.Connections;

namespace EventDbx.Server.Tests.Connections;

/// <summary>Who has to go when connections are too many.</summary>
public sealed class ConnectionTableTests : IDisposable
{
    readonly SteppedClock _clock = new();
    readonly List<LogLine> _lines = [];
    readonly HashSet<OpenConnection> _closed = [];
    readonly ConnectionTable _table;

    public ConnectionTableTests() => _table = new(new(Max: 5, PerAddress: 3, TimeSpan.FromSeconds(30)), _clock, _lines.Add);

    public void Dispose() => _table.Dispose();

    [Fact]
    public void Beyond_the_limit_of_its_address_the_one_that_has_waited_longest_is_closed()
    {
        var other = Come(9);
        var (first, second, third) = (Come(1), Come(1), Come(1));
        var fourth = Come(1);
        Assert.Equal([first], _closed);
        var fifth = Come(1);
        Assert.Equal([first, second], _closed.OrderBy(one => one.CameAt));
        Assert.Equal(4, _table.Count);
        Assert.All((OpenConnection[])[other, third, fourth, fifth], one => Assert.True(one.TryBegin()));
    }

    [Fact]
    public void Beyond_the_limit_in_all_the_one_that_has_waited_longest_is_closed_wherever_it_is_from()
    {
        var oldest = Come(1);
        Come(2);
        Come(3);
        Come(4);
        Come(5);
        Assert.Empty(_closed);
        Come(6);
        Assert.Equal([oldest], _closed);
        Assert.Equal(5, _table.Count);
    }

    [Fact]
    public void One_that_was_used_goes_behind_those_that_were_not()
    {
        var (used, silent, third) = (Come(1), Come(1), Come(1));
        Assert.True(used.TryBegin());
        used.End();
        Come(1);
        Assert.Equal([silent], _closed);
        Come(1);
        Assert.Equal([silent, third], _closed.OrderBy(one => one.CameAt));
        Assert.True(used.TryBegin());
    }

    [Fact]
    public void One_with_a_request_under_way_is_never_closed_and_where_all_have_one_the_new_one_is_refused()
    {
        var all = new[] { Come(1), Come(1), Come(1) };
        Assert.All(all, one => Assert.True(one.TryBegin()));
        Assert.False(TryCome(1, out _));
        Assert.Empty(_closed);
        Assert.Equal(3, _table.Count);

        // Two at once, as in HTTP/2: the end of one of them is not the end of its use.
        Assert.True(all[1].TryBegin());
        all[1].End();
        Assert.False(TryCome(1, out _));
        all[1].End();
        Assert.True(TryCome(1, out _));
        Assert.Equal([all[1]], _closed);

        // Those of another address are no substitute, and lose nothing.
        Assert.True(TryCome(2, out var neighbour));
        Assert.True(neighbour!.TryBegin());
    }

    [Fact]
    public void One_that_was_chosen_begins_no_request_any_more()
    {
        var first = Come(1);
        Come(1);
        Come(1);
        Assert.True(first.TryBegin());
        first.End();
        Come(1);
        Come(1);
        Come(1);
        Assert.Contains(first, _closed);
        Assert.False(first.TryBegin());
        // Its end comes later, and counts nobody out twice.
        _table.Leave(first);
        Assert.Equal(3, _table.Count);
    }

    [Fact]
    public void One_that_ends_makes_room()
    {
        var all = new[] { Come(1), Come(1), Come(1) };
        Assert.All(all, one => Assert.True(one.TryBegin()));
        all[0].End();
        _table.Leave(all[0]);
        Come(1);
        Assert.Empty(_closed);
        Assert.Equal(3, _table.Count);
    }

    [Fact]
    public void One_that_says_nothing_is_closed_after_its_time_and_one_that_spoke_is_not()
    {
        var (silent, spoke) = (Come(1), Come(1));
        _table.Spoke(spoke);
        _clock.Advance(TimeSpan.FromSeconds(29));
        var late = Come(1);
        _clock.Tick();
        Assert.Empty(_closed);
        _clock.Advance(TimeSpan.FromSeconds(1));
        _clock.Tick();
        Assert.Equal([silent], _closed);
        _clock.Advance(TimeSpan.FromSeconds(30));
        _clock.Tick();
        Assert.Equal([silent, late], _closed.OrderBy(one => one.CameAt));
        Assert.Equal(1, _table.Count);
    }

    [Fact]
    public void A_flood_is_one_line_a_minute_in_the_log()
    {
        for (var i = 0; i < 13; i++)
            Come(1);
        _clock.Tick();
        Assert.Contains("from 192.0.2.1 (3 from one address, 5 in all): 10 that waited were closed", Assert.Single(_lines).Message, StringComparison.Ordinal);
        Come(1);
        _clock.Tick();
        Assert.Single(_lines);
        _clock.Advance(TimeSpan.FromMinutes(1));
        _clock.Tick();
        Assert.Contains(": 1 that waited were closed", _lines[1].Message, StringComparison.Ordinal);
        _clock.Advance(TimeSpan.FromMinutes(1));
        _clock.Tick();
        Assert.Equal(2, _lines.Count);
    }

    [Fact]
    public void What_the_system_allows_bounds_what_is_taken()
    {
        Assert.Equal(ServerLimits.ConnectionsMax, ConnectionLimits.OfPorts(null).Max);
        Assert.Equal(ServerLimits.ConnectionsMax, ConnectionLimits.OfPorts(1_000_000).Max);
        Assert.Equal(4096 - ServerLimits.DescriptorsKept, ConnectionLimits.OfPorts(4096).Max);
        Assert.Equal(ServerLimits.ConnectionsLeast, ConnectionLimits.OfPorts(256).Max);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(1_000_000L)]
    [InlineData(4096L)]
    [InlineData(1024L)]
    public void One_address_may_have_a_quarter_of_all_at_most(long? descriptors)
    {
        var limits = ConnectionLimits.OfPorts(descriptors);
        Assert.InRange(limits.PerAddress, 1, limits.Max / 4);
        Assert.InRange(ConnectionLimits.OfAdmin.PerAddress, 1, ConnectionLimits.OfAdmin.Max / 4);
    }

    [Fact]
    public void One_whose_answer_nobody_takes_is_the_first_to_go_after_a_while_though_its_request_is_under_way()
    {
        var all = new[] { Come(1), Come(1), Come(1) };
        Assert.All(all, one => Assert.True(one.TryBegin()));
        all[1].Stalls();
        all[2].Stalls();
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        Assert.False(TryCome(1, out _));
        // One that gets on in between begins anew.
        all[1].GetsOn();
        all[1].Stalls();
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        Come(1);
        Assert.Equal([all[2]], _closed);
        Assert.False(all[2].TryBegin());
        // Its end comes later, and makes it no other.
        all[2].End();
        all[2].GetsOn();
        _table.Leave(all[2]);
        Assert.Equal(3, _table.Count);
        _clock.Advance(ServerLimits.AnswerStallTimeout);
        // Before one that only waits.
        Come(1);
        Assert.Equal([all[1], all[2]], _closed.OrderBy(one => one.CameAt));
        Assert.True(all[0].TryBegin());
    }

    [Fact]
    public void One_of_which_every_request_waits_for_its_client_is_the_first_to_go_and_one_with_another_that_gets_on_is_not()
    {
        var (all, some, one) = (Come(1), Come(1), Come(1));
        Assert.All((OpenConnection[])[all, all, some, some, one], connection => Assert.True(connection.TryBegin()));
        all.RequestStalls();
        all.RequestStalls();
        some.RequestStalls();
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        Assert.False(TryCome(1, out _));
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        // A look at those that wait finds one with another request, and takes it out until that has ended.
        Assert.True(TryCome(1, out var newer));
        Assert.Equal([all], _closed);
        Assert.False(all.TryBegin());
        Assert.True(newer!.TryBegin());
        Assert.False(TryCome(1, out _));
        some.End();
        Assert.True(TryCome(1, out var newest));
        Assert.Equal([all, some], _closed.OrderBy(connection => connection.CameAt));
        Assert.True(newest!.TryBegin());
        // The ends of those that were closed come later.
        some.RequestGetsOn();
        some.End();
        _table.Leave(some);
        Assert.Equal(3, _table.Count);
    }

    [Fact]
    public void One_of_which_a_request_gets_on_again_begins_anew()
    {
        var (one, two, three) = (Come(1), Come(1), Come(1));
        Assert.All((OpenConnection[])[one, one, two, three], connection => Assert.True(connection.TryBegin()));
        one.RequestStalls();
        one.RequestStalls();
        _clock.Advance(ServerLimits.AnswerStallTimeout);
        one.RequestGetsOn();
        Assert.False(TryCome(1, out _));
        // The other one waits still, and once this one has ended nothing else is under way: from when this one got on.
        one.End();
        Assert.False(TryCome(1, out _));
        _clock.Advance(ServerLimits.AnswerStallTimeout);
        Assert.True(TryCome(1, out _));
        Assert.Equal([one], _closed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void One_that_begins_another_request_now_and_then_and_takes_no_answer_does_not_stay_for_it(bool givesUp)
    {
        var (one, two, three) = (Come(1), Come(1), Come(1));
        Assert.All((OpenConnection[])[one, two, three], connection => Assert.True(connection.TryBegin()));
        one.RequestStalls();
        for (var i = 0; i < 2; i++)
        {
            Assert.False(TryCome(1, out _));
            _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
            Assert.True(one.TryBegin());
            one.RequestStalls();
            if (!givesUp)
                continue;
            // The one before it, say.
            one.RequestGetsOn(taken: false);
            one.End();
        }

        Assert.True(TryCome(1, out _));
        Assert.Equal([one], _closed);
    }

    [Fact]
    public void Another_connection_that_began_to_wait_later_does_not_hide_one_that_waits_on()
    {
        var (one, two, three) = (Come(1), Come(1), Come(1));
        Assert.All((OpenConnection[])[one, two, three], connection => Assert.True(connection.TryBegin()));
        one.RequestStalls();
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        two.RequestStalls();
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        Assert.True(one.TryBegin());
        one.RequestStalls();
        Assert.True(TryCome(1, out var next));
        Assert.Equal([one], _closed);
        Assert.True(next!.TryBegin());
        Assert.False(TryCome(1, out _));
    }

    [Fact]
    public void A_transport_that_waits_beside_its_requests_counts_from_when_it_began_to()
    {
        var (one, two, three) = (Come(1), Come(1), Come(1));
        Assert.All((OpenConnection[])[one, one, two, three], connection => Assert.True(connection.TryBegin()));
        one.RequestStalls();
        _clock.Advance(ServerLimits.AnswerStallTimeout);
        one.Stalls();
        Assert.False(TryCome(1, out _));
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        Assert.False(TryCome(1, out _));
        _clock.Advance(ServerLimits.AnswerStallTimeout / 2);
        Assert.True(TryCome(1, out _));
        Assert.Equal([one], _closed);
    }

    [Fact]
    public void One_that_was_answered_is_asked_to_end_and_cut_off_where_it_does_not()
    {
        List<OpenConnection> asked = [];
        var (answered, second, never) = (ComeToDepart(asked), ComeToDepart(asked), ComeToDepart(asked));
        Assert.All((OpenConnection[])[answered, second], one => Assert.True(one.TryBegin()));
        answered.End();
        second.End();
        Come(1);
        Assert.Equal([never], _closed);
        Assert.Empty(asked);
        Come(1);
        Come(1);
        Assert.Equal([answered, second], asked);
        Assert.Equal(3, _table.Count);
        Assert.False(answered.TryBegin());
        _table.Leave(second);
        _clock.Advance(ServerLimits.AnswerStallTimeout);
        _clock.Tick();
        Assert.Equal([answered, never], _closed.OrderBy(one => one.CameAt));
    }

    [Fact]
    public void Where_too_many_leave_at_once_the_longest_at_it_is_cut_off()
    {
        List<OpenConnection> asked = [];
        for (var i = 0; i < ServerLimits.LeavingMax + 3 + 2; i++)
        {
            var one = ComeToDepart(asked);
            Assert.True(one.TryBegin());
            one.End();
        }

        Assert.Equal(ServerLimits.LeavingMax + 2, asked.Count);
        Assert.Equal(asked.Take(2), _closed.OrderBy(one => one.CameAt));
    }

    [Fact]
    public async Task Under_many_threads_the_count_is_right_and_none_is_closed_under_a_request()
    {
        const int Limit = 32;
        using var table = new ConnectionTable(new(Limit, 8, TimeSpan.FromMinutes(1)), TimeProvider.System, null);
        var (rounds, wrong, entered) = (TestTiers.Choose(3_000, 30_000, 300_000), 0, 0);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(thread => Task.Run(() =>
        {
            var random = new Random(thread);
            List<OpenConnection> own = [];
            for (var round = 0; round < rounds; round++)
            {
                var closed = 0;
                var connection = new OpenConnection(table, AddressOf(random.Next(6)), () => Volatile.Write(ref closed, 1));
                if (table.TryEnter(connection))
                {
                    Interlocked.Increment(ref entered);
                    own.Add(connection);
                }

                if (table.Count > Limit)
                    Interlocked.Increment(ref wrong);
                if (own.Count == 0)
                    continue;
                var one = own[random.Next(own.Count)];
                if (one.TryBegin())
                {
                    // While it has a request it is counted, whatever others do.
                    if (random.Next(4) == 0)
                        Thread.Yield();
                    // One that has just begun to wait has its time.
                    if (random.Next(8) == 0)
                    {
                        one.RequestStalls();
                        one.RequestGetsOn();
                    }

                    if (!one.Counted)
                        Interlocked.Increment(ref wrong);
                    one.End();
                }

                if (own.Count > 6)
                {
                    table.Leave(own[0]);
                    own.RemoveAt(0);
                }
            }

            foreach (var one in own)
                table.Leave(one);
        })));
        Assert.Equal(0, wrong);
        Assert.Equal(0, table.Count);
        Assert.InRange(entered, rounds, rounds * 8);

        // Nobody was lost from the lines: as many as fit can be closed for new ones, one by one.
        var last = 0;
        for (var i = 0; i < Limit * 2; i++)
            Assert.True(table.TryEnter(new(table, AddressOf(i % 6), () => last++)));
        Assert.Equal((Limit, Limit), (table.Count, last));
    }

    OpenConnection Come(int address)
    {
        Assert.True(TryCome(address, out var connection));
        return connection!;
    }

    OpenConnection ComeToDepart(List<OpenConnection> asked)
    {
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        OpenConnection come = null!;
        come = new(_table, AddressOf(1), () => Assert.True(_closed.Add(come)), () => asked.Add(come));
        Assert.True(_table.TryEnter(come));
        return come;
    }

    bool TryCome(int address, out OpenConnection? connection)
    {
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        OpenConnection come = null!;
        come = new(_table, AddressOf(address), () => Assert.True(_closed.Add(come)));
        connection = come;
        return _table.TryEnter(come);
    }

    static ClientAddress AddressOf(int number) => ClientAddress.Of(new IPAddress([192, 0, 2, (byte)number]));
}

/// <summary>A clock that stands until it is moved, with timers that go off when they are told to.</summary>
internal sealed class SteppedClock : TimeProvider
{
    readonly List<Timer> _timers = [];
    long _ticks = new DateTimeOffset(2026, 11, 26, 12, 0, 0, TimeSpan.Zero).UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _ticks);

    public override DateTimeOffset GetUtcNow() => new(GetTimestamp(), TimeSpan.Zero);

    public void Advance(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);

    /// <summary>Every timer goes off once.</summary>
    public void Tick() => _timers.ForEach(timer => timer.Run());

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(callback, state);
        _timers.Add(timer);
        return timer;
    }

    sealed class Timer(TimerCallback callback, object? state) : ITimer
    {
        bool _ended;

        public void Run()
        {
            if (!_ended)
                callback(state);
        }

        public bool Change(TimeSpan dueTime, TimeSpan period) => !_ended;

        public void Dispose() => _ended = true;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
