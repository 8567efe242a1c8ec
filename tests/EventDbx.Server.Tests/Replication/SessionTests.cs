using System.Net;
using System.Text;
using EventDbx.Cli.Commands.Server;
using EventDbx.Integrity;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Replication;
using EventDbx.Server.Tests.Plugins;

namespace EventDbx.Server.Tests.Replication;

/// <summary>Sessions over real connections: every request, who may make it, and how long it may take.</summary>
public sealed class SessionTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_request_is_answered_as_the_other_database_answers_it()
    {
        await using var stage = await PeerStage.StartAsync();
        await using var remote = await stage.DialAsync();
        var (one, two) = (FakeReplica.One, FakeReplica.Two);

        Assert.Equal(FakeReplica.End, await remote.IdentifyAsync(Cancellation));
        var all = await remote.ListPositionsAsync(ReplicaFilter.All, null, 10, Cancellation);
        var first = await remote.ListPositionsAsync(new() { Types = ["order", "päckchen"], Aggregates = [two] }, null, 1, Cancellation);
        var rest = await remote.ListPositionsAsync(ReplicaFilter.All, one, 10, Cancellation);
        var roots = await remote.FindRootsAsync([(one, 2), (two, 0)], Cancellation);
        var events = await remote.PullEventsAsync(one, 4, 2, Cancellation);
        var several = await remote.PullEventsAsync([(one, 1), (two, 7)], 10, Cancellation);
        var appended = await remote.ApplyEventsAsync([.. events, .. several], Cancellation);
        var marks = await remote.FindMarksAsync(one, Cancellation);
        var none = await remote.FindMarksAsync(two, Cancellation);
        var marked = await remote.ApplyMarksAsync(FakeReplica.MarksOf(two) with { Comment = null, Archived = false }, Cancellation);
        var schemas = await remote.PullSchemasAsync(Cancellation);
        var replaced = await remote.ApplySchemasAsync("{}"u8.ToArray(), replace: true, Cancellation);
        var merged = await remote.ApplySchemasAsync("{\"a\":{}}"u8.ToArray(), replace: false, Cancellation);
        var log = await remote.PullLogAsync(5, TimeSpan.FromSeconds(2), Cancellation);
        var bounded = await remote.PullLogAsync(6, TimeSpan.FromDays(2), Cancellation);

        Assert.Equal(FakeReplica.Positions, all.Positions);
        Assert.False(all.More);
        Assert.Equal((FakeReplica.Positions[0], true), (Assert.Single(first.Positions), first.More));
        Assert.Equal(two, Assert.Single(rest.Positions).Aggregate);
        Assert.Equal([FakeReplica.HashOf(2), null], roots);
        Same([FakeReplica.EventOf(one, 5, "a note", new("g", "u")), FakeReplica.EventOf(one, 6, "a note", new("g", "u"))], events);
        Same([FakeReplica.EventOf(one, 2), FakeReplica.EventOf(two, 8)], several);
        Same([.. events, .. several], stage.Replica.Applied);
        Assert.Equal(3, appended);
        Same(FakeReplica.MarksOf(one), marks!);
        Assert.Null(none);
        Assert.True(marked);
        Same(FakeReplica.MarksOf(two) with { Comment = null, Archived = false }, stage.Replica.Marked!);
        Assert.Equal("{\"order\":{}}", Encoding.UTF8.GetString(schemas.Span));
        Assert.Equal((5, 5), (replaced, merged));
        Assert.Equal((5UL, 2, FakeReplica.HashOf(1), FakeReplica.HashOf(2), FakeReplica.End, "a note\n", 4), (log.After, log.Entries.Count, log.RootBefore, log.Root, log.End, Encoding.UTF8.GetString(log.Checkpoint.Span), log.Bytes));
        Assert.Equal(("010203", 32, "04", 0), (Convert.ToHexString(log.Entries[0].Row.Span), log.Entries[0].AggregateKey.Length, Convert.ToHexString(log.Entries[1].Row.Span), log.Entries[1].AggregateKey.Length));
        Assert.Equal(6UL, bounded.After);
        Assert.Equal(
        [
            "identify", "positions   after  take 10", $"positions order|päckchen {two} after  take 1", $"positions   after {one} take 10", "roots 2", $"pull {one} from 4 limit 2",
            $"pull ({one}, 1)|({two}, 7) limit 10", "apply 4", $"marks {one}", $"marks {two}", $"mark {two}", "schemas", "schemas {} replace True", "schemas {\"a\":{}} replace False", "log 5 wait 2000", "log 6 wait 15000",
        ], stage.Replica.Asked);
        Assert.Equal([new Actor("replication", "east")], stage.Actors);
    }

    [Fact]
    public async Task A_refusal_comes_with_its_code_and_the_session_goes_on()
    {
        await using var stage = await PeerStage.StartAsync();
        await using var remote = await stage.DialAsync();

        foreach (var refusal in new[]
        {
            new Refusal(RefusalCode.VersionConflict, "Version 4 was due.") { ActualVersion = 3 },
            new Refusal(RefusalCode.Diverged, "Another history."),
            new Refusal(RefusalCode.Unavailable, "Not any more: ü") { Final = true },
        })
        {
            stage.Replica.Refuses = refusal;
            var refused = await Assert.ThrowsAsync<RefusedException>(() => remote.IdentifyAsync(Cancellation));
            Assert.Equal((refusal.Code, refusal.Message, refusal.ActualVersion, refusal.Final), (refused.Refusal.Code, refused.Refusal.Message, refused.Refusal.ActualVersion, refused.Refusal.Final));
        }

        Assert.Equal(FakeReplica.End, await remote.IdentifyAsync(Cancellation));
    }

    [Fact]
    public async Task More_roots_than_fit_in_a_request_are_asked_for_in_several()
    {
        await using var stage = await PeerStage.StartAsync();
        await using var remote = await stage.DialAsync();

        var roots = await remote.FindRootsAsync([.. Enumerable.Range(0, Limits.PageItemsMax + 1).Select(i => (AggregateKey.Create("t", $"{i}"), (ulong)(i % 3)))], Cancellation);

        Assert.Equal(Limits.PageItemsMax + 1, roots.Count);
        Assert.Equal((null, FakeReplica.HashOf(1), FakeReplica.HashOf(2), FakeReplica.HashOf(1)), (roots[0], roots[1], roots[2], roots[Limits.PageItemsMax]));
        Assert.Equal(["roots 1000", "roots 1"], stage.Replica.Asked);
    }

    [Fact]
    public async Task A_right_is_asked_for_at_every_request()
    {
        await using var stage = await PeerStage.StartAsync(push: true, pull: false);
        await using var remote = await stage.DialAsync();
        Func<Task>[] pulls = [() => remote.PullEventsAsync(FakeReplica.One, 0, 1, Cancellation), () => remote.PullEventsAsync([(FakeReplica.One, 0)], 1, Cancellation), () => remote.FindMarksAsync(FakeReplica.One, Cancellation), () => remote.PullLogAsync(0, default, Cancellation)];
        Func<Task>[] pushes = [() => remote.ApplyEventsAsync([FakeReplica.EventOf(FakeReplica.One, 1)], Cancellation), () => remote.ApplyMarksAsync(FakeReplica.MarksOf(FakeReplica.One), Cancellation), () => remote.ApplySchemasAsync("{}"u8.ToArray(), false, Cancellation)];
        Func<Task>[] either = [() => remote.IdentifyAsync(Cancellation), () => remote.ListPositionsAsync(ReplicaFilter.All, null, 1, Cancellation), () => remote.FindRootsAsync([(FakeReplica.One, 1)], Cancellation), () => remote.PullSchemasAsync(Cancellation)];

        await AllOf(either, allowed: true);
        await AllOf(pushes, allowed: true);
        await AllOf(pulls, allowed: false);

        // `remote allow --pull --replace` and `remote deny` while the session runs.
        await stage.AllowAsync(push: false, pull: true);
        await AllOf(pulls, allowed: true);
        await AllOf(either, allowed: true);
        var before = stage.Replica.Asked.Count;
        await AllOf(pushes, allowed: false);
        await stage.AllowAsync(push: false, pull: false);
        var gone = await Assert.ThrowsAsync<RefusedException>(() => remote.IdentifyAsync(Cancellation));
        var lost = await Assert.ThrowsAsync<ReplicaLostException>(() => remote.IdentifyAsync(Cancellation));

        Assert.Equal(before, stage.Replica.Asked.Count);
        Assert.Equal(RefusalCode.PermissionDenied, gone.Refusal.Code);
        Assert.Contains("not allowed here any more", gone.Message, StringComparison.Ordinal);
        Assert.Contains("lost", lost.Message, StringComparison.Ordinal);

        static async Task AllOf(Func<Task>[] requests, bool allowed)
        {
            foreach (var request in requests)
            {
                if (allowed)
                    await request();
                else
                    Assert.Equal(RefusalCode.PermissionDenied, (await Assert.ThrowsAsync<RefusedException>(request)).Refusal.Code);
            }
        }
    }

    [Fact]
    public async Task A_request_that_is_out_of_bounds_or_malformed_is_refused_and_the_session_goes_on()
    {
        await using var stage = await PeerStage.StartAsync();
        await using var peer = await stage.SecureAsync();
        Assert.True((await peer.GreetAsync(peer.HelloOf(stage.Client, stage.Own.Key))).Accepted);
        MessageWriter message = new();
        var one = new WireAggregate("order", "o-1");
        var e = WireRecords.Of(FakeReplica.EventOf(FakeReplica.One, 1));

        foreach (var (frame, code) in new (Func<ReadOnlyMemory<byte>>, string)[]
        {
            (() => ReplicationFrames.WritePositionQuestion(message, new([], [], null, 0)), "invalid_argument"),
            (() => ReplicationFrames.WritePositionQuestion(message, new([], [], null, Limits.PageItemsMax + 1)), "invalid_argument"),
            (() => ReplicationFrames.WritePositionQuestion(message, new(new string[ServerLimits.SessionFilterMax + 1], [], null, 1)), "limit_exceeded"),
            (() => ReplicationFrames.WriteRootsQuestion(message, new WirePlace[Limits.PageItemsMax + 1]), "limit_exceeded"),
            (() => ReplicationFrames.WriteEventsQuestion(message, new WirePlace(new("", "x"), 0), 1), "invalid_name"),
            (() => ReplicationFrames.WriteApply(message, 1, [.. Enumerable.Repeat(e, Limits.BatchEventsMax + 1)]), "limit_exceeded"),
            (() => ReplicationFrames.WriteApply(message, 1, [e with { Metadata = "{}"u8.ToArray() }]), "invalid_argument"),
            (() => ReplicationFrames.WriteApply(message, 1, [e with { Metadata = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(e.Metadata.Span).Replace("\"salt\"", "\"sald\"", StringComparison.Ordinal)) }]), "invalid_argument"),
            (() => ReplicationFrames.WriteApply(message, 1, [e with { Metadata = new byte[ServerLimits.SessionMetadataBytesMax + 1] }]), "limit_exceeded"),
            (() => ReplicationFrames.WriteApply(message, 1, [e with { Hash = "r" }]), "invalid_argument"),
            (() => ReplicationFrames.WriteQuestion(message, (ReplicationRequestKind)99), "invalid_argument"),
            (() => ReplicationFrames.WriteMarksQuestion(message, one with { Type = new('x', 257) }), "invalid_name"),
        })
        {
            await peer.SendAsync(frame());
            Assert.Equal(code, ReplicationFrames.ReadRefusal((await peer.ReadAsync())!).Code);
        }

        Assert.Empty(stage.Replica.Asked);
        await peer.SendAsync(ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.ListPositions));
        Assert.Equal(2, ReplicationFrames.ReadPositions((await peer.ReadAsync())!).Positions.Count);
        // What is no message ends it.
        await peer.SendAsync(new byte[] { 255, 255, 255, 255, 0, 0, 0, 0 });
        Assert.Empty(await PeerStage.ReadToEndAsync(peer.Tls));
    }

    [Fact]
    public async Task An_answer_that_does_not_fit_the_question_ends_the_session()
    {
        foreach (var (forge, words) in new (Func<EventRecord, EventRecord>, string)[]
        {
            (static record => record with { Version = record.Version + 1 }, "came where 1 was due"),
            (static record => record with { Aggregate = FakeReplica.Two }, "not asked for"),
        })
        {
            await using var stage = await PeerStage.StartAsync();
            await using var remote = await stage.DialAsync();
            stage.Replica.Forge = forge;

            var lost = await Assert.ThrowsAsync<ReplicaLostException>(() => remote.PullEventsAsync(FakeReplica.One, 0, 2, Cancellation));
            var after = await Assert.ThrowsAsync<ReplicaLostException>(() => remote.IdentifyAsync(Cancellation));

            Assert.Contains(words, lost.Message, StringComparison.Ordinal);
            Assert.Contains("has ended", after.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_stop_ends_waiting_requests_and_quiet_sessions_at_once()
    {
        await using var stage = await PeerStage.StartAsync();
        stage.Replica.LogHasNoMore = true;
        await using var quiet = await stage.DialAsync();
        await using var waiting = await stage.DialAsync();
        var log = waiting.PullLogAsync(0, TimeSpan.FromSeconds(15), Cancellation);
        await stage.Replica.Waiting.Task.WaitAsync(PeerStage.Patience, Cancellation);

        await stage.Server.Host.StopAsync(PeerStage.Patience).WaitAsync(TimeSpan.FromSeconds(30), Cancellation);

        Assert.Equal(RefusalCode.Unavailable, (await Assert.ThrowsAsync<RefusedException>(() => log)).Refusal.Code);
        await Assert.ThrowsAsync<ReplicaLostException>(() => quiet.IdentifyAsync(Cancellation));
    }

    [Fact]
    public async Task A_request_that_is_given_up_ends_the_session_and_not_the_server()
    {
        await using var stage = await PeerStage.StartAsync();
        stage.Replica.LogHasNoMore = true;
        await using var remote = await stage.DialAsync();
        using var given = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var log = remote.PullLogAsync(0, TimeSpan.FromSeconds(15), given.Token);
        await stage.Replica.Waiting.Task.WaitAsync(PeerStage.Patience, Cancellation);

        await given.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => log);
        await Assert.ThrowsAsync<ReplicaLostException>(() => remote.IdentifyAsync(Cancellation));
        await using var another = await stage.DialAsync();
        Assert.Equal(FakeReplica.End, await another.IdentifyAsync(Cancellation));
    }

    [Fact]
    public async Task Who_says_nothing_is_closed_in_time_before_the_handshake_within_it_and_after_it()
    {
        var clock = new SteppedClock();
        await using var stage = await PeerStage.StartAsync(change: options => options with { Clock = clock });
        await using var silent = await stage.ConnectAsync();
        await using var begun = await stage.ConnectAsync();
        await begun.WriteAsync(new byte[] { 0x16, 3, 1 }, Cancellation);
        await using var inClear = await stage.ConnectAsync();
        await inClear.WriteAsync(new byte[] { 0, 0, 0, 0, 9, 0, 0, 0 }, Cancellation);
        await using var secured = await stage.SecureAsync();

        var ends = new[] { silent, begun, inClear, secured.Tls }.Select(PeerStage.ReadToEndAsync).ToArray();
        var handshake = await clock.StepUntilAsync(Task.WhenAll(ends));
        Assert.Empty(await ends[0]);
        Assert.Empty(await ends[2]);
        Assert.Empty(await ends[3]);

        await using var session = await stage.SecureAsync();
        Assert.True((await session.GreetAsync(session.HelloOf(stage.Client, stage.Own.Key))).Accepted);
        // Nothing of the handshake's time is left in a session.
        clock.Advance(ServerLimits.SessionHandshakeTimeout * 2);
        await session.SendAsync(ReplicationFrames.WriteQuestion(new(), ReplicationRequestKind.Identify));
        Assert.Equal(ReplicationResponseKind.Identify, ReplicationFrames.KindOfResponse((await session.ReadAsync())!));
        var idle = await clock.StepUntilAsync(PeerStage.ReadToEndAsync(session.Tls), TimeSpan.FromSeconds(10));

        Assert.True(handshake >= ServerLimits.SessionHandshakeTimeout, $"They were closed after {handshake}.");
        // A peer that pushes may go through all of its own aggregates in between.
        Assert.True(idle >= TimeSpan.FromMinutes(5), $"It was closed after {idle}.");
        Assert.True(idle >= ServerLimits.SessionQuietTimeout, $"It was closed after {idle}.");
    }

    [Fact]
    public async Task A_refusal_of_a_peer_is_cut_and_stays_on_its_line()
    {
        await using var stage = await PeerStage.StartAsync();
        await using var remote = await stage.DialAsync();
        stage.Replica.Refuses = new(RefusalCode.Diverged, $"\u001b[2J\n{new string('x', 1_000_000)}");
        var longer = await Assert.ThrowsAsync<RefusedException>(() => remote.IdentifyAsync(Cancellation));
        stage.Replica.Refuses = new(RefusalCode.Diverged, new string('y', ServerLimits.SessionRefusalCharactersMax));
        var whole = await Assert.ThrowsAsync<RefusedException>(() => remote.IdentifyAsync(Cancellation));

        Assert.Equal($"\\u001b[2J\\n{new string('x', ServerLimits.SessionRefusalCharactersMax - 5)}…", longer.Message);
        Assert.Equal(new string('y', ServerLimits.SessionRefusalCharactersMax), whole.Message);
        Assert.Equal((RefusalCode.Diverged, RefusalCode.Diverged), (longer.Refusal.Code, whole.Refusal.Code));
    }

    [Fact]
    public async Task Status_says_that_others_reach_the_port_of_replication_and_does_not_call_it_clear_text()
    {
        await using var open = await PeerStage.StartAsync(change: static options => options with { PeerEndPoint = new(IPAddress.Any, 0) });
        await using var own = await PeerStage.StartAsync();

        var status = open.Server.Host.Status();

        Assert.Equal(Exposure.Loopback, status.Exposure);
        Assert.Contains(
            $"  exposure=loopback\n  exposure_replication=tcp://0.0.0.0:{open.Port} (other machines; sessions of allowed nodes alone, inside TLS 1.3)\n", StatusCommand.Text(status, null), StringComparison.Ordinal);
        Assert.DoesNotContain("exposure_replication", StatusCommand.Text(own.Server.Host.Status(), null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_crowd_of_strangers_costs_no_session()
    {
        await using var stage = await PeerStage.StartAsync(change: static options => options with { PeerLimits = new(4, 4, TimeSpan.FromSeconds(30)) });
        await using var remote = await stage.DialAsync();
        List<Stream> crowd = [];
        for (var i = 0; i < 12; i++)
            crowd.Add(await stage.ConnectAsync());

        Assert.Equal(FakeReplica.End, await remote.IdentifyAsync(Cancellation));
        await using var another = await stage.DialAsync();
        Assert.Equal(FakeReplica.End, await another.IdentifyAsync(Cancellation));
        // Those that have waited longest were closed for those that came after them.
        Assert.Empty(await PeerStage.ReadToEndAsync(crowd[0]));
        foreach (var one in crowd)
            await one.DisposeAsync();
    }

    [Fact]
    public async Task There_are_only_so_many_sessions_and_one_that_ends_makes_room()
    {
        await using var stage = await PeerStage.StartAsync(change: static options => options with { PeerLimits = new(200, 200, TimeSpan.FromSeconds(30)) });
        List<IReplica> sessions = [];
        for (var i = 0; i < ServerLimits.SessionsMax; i++)
            sessions.Add(await stage.DialAsync());

        var refused = await Assert.ThrowsAsync<RefusedException>(() => stage.DialAsync());
        await sessions[0].DisposeAsync();
        Assert.Contains("as many sessions as it takes", refused.Message, StringComparison.Ordinal);
        for (var until = TimeProvider.System.GetTimestamp(); stage.Server.Host.Peers.Sessions == ServerLimits.SessionsMax;)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(until) < PeerStage.Patience, "The end of a session was not noticed.");
            await Task.Delay(5, Cancellation);
        }

        await using var one = await stage.DialAsync();
        Assert.Equal(FakeReplica.End, await one.IdentifyAsync(Cancellation));
        foreach (var session in sessions)
            await session.DisposeAsync();
    }

    [Fact]
    public async Task A_peer_that_answers_nothing_is_given_up_in_time()
    {
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var stage = await PeerStage.StartAsync();
        var endpoint = $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";

        var clock = new SteppedClock();
        var dialling = stage.DialAsync(endpoint: endpoint, clock: clock);
        // It is taken, and then nothing comes.
        using var taken = await listener.AcceptSocketAsync(Cancellation);
        await clock.StepUntilAsync(dialling);
        var lost = await Assert.ThrowsAsync<ReplicaLostException>(() => dialling);

        Assert.Contains("within 10 s", lost.Message, StringComparison.Ordinal);
        Assert.StartsWith($"There is no session with {endpoint}: ", lost.Message, StringComparison.Ordinal);
        listener.Stop();
        var unreached = await Assert.ThrowsAsync<ReplicaLostException>(() => stage.DialAsync(endpoint: $" tcp://{endpoint}"));
        Assert.Equal($"There is no session with tcp://{endpoint}: {unreached.Why}", unreached.Message);
        Assert.NotEmpty(unreached.Why);
    }

    [Theory]
    [InlineData("tcp://", "")]
    [InlineData("capnp://", "")]
    [InlineData("grpc://", "")]
    [InlineData("grpcs://", "")]
    [InlineData("", "")]
    [InlineData(" GRPC://", "/ ")]
    public async Task An_endpoint_has_one_of_four_schemes_or_none(string before, string behind)
    {
        await using var stage = await PeerStage.StartAsync();

        await using var local = await stage.DialAsync(endpoint: $"{before}localhost:{stage.Port}{behind}");
        await using var all = await stage.DialAsync(endpoint: $"{before}0.0.0.0:{stage.Port}{behind}");

        Assert.Equal((FakeReplica.End, FakeReplica.End), (await local.IdentifyAsync(Cancellation), await all.IdentifyAsync(Cancellation)));
    }

    [Theory]
    [InlineData("", "remote endpoint cannot be empty")]
    [InlineData("  ", "remote endpoint cannot be empty")]
    [InlineData("http://h:1", "unsupported replication endpoint scheme: http://h:1")]
    [InlineData("tcp://", "host cannot be empty")]
    [InlineData("tcp://h:0", "port must be greater than zero")]
    [InlineData("tcp://h:70000", "port is invalid")]
    [InlineData("tcp://[::1", "invalid IPv6 host")]
    [InlineData("2001:db8::7:6363", "port is invalid")]
    public async Task An_endpoint_that_is_none_is_refused(string endpoint, string words)
    {
        var refused = Assert.Throws<RefusedException>(() => PeerDialer.PlaceOf(endpoint));
        Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
        await Task.CompletedTask;
    }

    [Fact]
    public void An_endpoint_of_IPv6_stands_in_brackets_and_the_port_may_be_left_out()
    {
        Assert.Equal(("2001:db8::7", 7000), PeerDialer.PlaceOf("tcp://[2001:db8::7]:7000"));
        Assert.Equal(("::1", 6363), PeerDialer.PlaceOf("[::1]"));
        Assert.Equal(("db.example", 6363), PeerDialer.PlaceOf("db.example"));
    }

    static void Same(IReadOnlyList<EventRecord> expected, IReadOnlyList<EventRecord> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.Equal(expected[i] with { Payload = default, Salt = default, Position = 0 }, actual[i] with { Payload = default, Salt = default, Position = 0 });
            Assert.Equal(expected[i].Payload.ToArray(), actual[i].Payload.ToArray());
            Assert.Equal(expected[i].Salt.ToArray(), actual[i].Salt.ToArray());
        }
    }

    static void Same(AggregateMarks expected, AggregateMarks actual)
    {
        Assert.Equal(expected with { Snapshots = [] }, actual with { Snapshots = [] });
        Assert.Equal(expected.Snapshots, actual.Snapshots);
    }
}
