using System.Text;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Replication;
using EventDbx.Server.Tests.Plugins;

namespace EventDbx.Server.Tests.Replication;

/// <summary>Whatever is changed in a message of a session: it is carried out or refused, and costs little.</summary>
public sealed class SessionFuzzTests
{
    static readonly WireAggregate One = new("order", "o-1");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task What_a_server_reads_may_be_anything() => Seeded.RunAsync(async random =>
    {
        var replica = new FakeReplica();
        var frames = Requests();
        var (done, refused) = (0, 0);
        for (var i = 0; i < TestTiers.Choose(5_000, 100_000, 1_000_000); i++)
        {
            var frame = CapnProtoTests.Mutate(frames[random.Next(frames.Length)].ToArray(), random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                var message = await ReadAsync(frame);
                switch (random.Next(16))
                {
                    case 0:
                        _ = ReplicationFrames.ReadHello(message);
                        break;
                    case 1 when ControlFrames.IsCommand(message):
                        _ = ControlFrames.ReadToken(message);
                        _ = ControlFrames.ReadArguments(message);
                        break;
                    default:
                        _ = await ReplicaAnswers.ToAsync(ReplicationFrames.KindOfRequest(message), message, replica, Cancellation);
                        break;
                }

                done++;
            }
            catch (Exception no) when (no is MessageException or RefusedException)
            {
                refused++;
            }

            var cost = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(cost <= (64L * frame.Length) + (1024 * 1024), $"{cost} bytes for {Convert.ToHexString(frame)}");
            replica.Asked.Clear();
        }

        Assert.True(done > 100 && refused > 100, $"{done} were carried out, {refused} refused");
    });

    [Fact]
    public Task What_a_client_reads_may_be_anything() => Seeded.RunAsync(async random =>
    {
        var frames = Answers();
        var (read, refused) = (0, 0);
        for (var i = 0; i < TestTiers.Choose(5_000, 100_000, 1_000_000); i++)
        {
            var frame = CapnProtoTests.Mutate(frames[random.Next(frames.Length)].ToArray(), random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Read(await ReadAsync(frame), random.Next(16) == 0);
                read++;
            }
            catch (Exception no) when (no is MessageException or RefusedException)
            {
                refused++;
            }

            var cost = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(cost <= (64L * frame.Length) + (1024 * 1024), $"{cost} bytes for {Convert.ToHexString(frame)}");
        }

        Assert.True(read > 100 && refused > 100, $"{read} were read, {refused} refused");
    });

    [Theory]
    [InlineData("elements of no size")]
    [InlineData("texts that share their bytes")]
    public async Task A_message_that_shares_what_it_points_to_costs_no_more(string what)
    {
        // A list of structs without a size: four for each word of the message is what may be gone through.
        const int words = 20_000;
        var body = new ulong[words];
        body[0] = 0x0001_0001_0000_0000;
        body[1] = what == "elements of no size" ? 2UL : 6UL;
        if (what == "elements of no size")
        {
            body[2] = 0x0001_0001_0000_0000; // applyEvents 1/1
            body[3] = 1;
            body[4] = 1 | (7UL << 32); // a composite list of no words
            body[5] = (4UL * words / 2) << 2; // and so many elements
        }
        else
        {
            body[2] = 0x0003_0001_0000_0000; // listPositionPage 1/3
            body[3] = 1;
            const int texts = words / 2;
            body[4] = (2UL << 2) | 1 | ((6UL | ((ulong)texts << 3)) << 32);
            for (var i = 0; i < texts; i++)
                body[7 + i] = ((ulong)(words - 1 - (7 + i) - 1) << 2) | 1 | ((2UL | (8UL << 3)) << 32);
            body[words - 1] = 0x0061_6161_6161_6161;
        }

        var frame = Frames.Of(body);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var failure = await Record.ExceptionAsync(async () =>
        {
            var message = await ReadAsync(frame);
            _ = await ReplicaAnswers.ToAsync(ReplicationFrames.KindOfRequest(message), message, new FakeReplica(), Cancellation);
        });

        var cost = GC.GetAllocatedBytesForCurrentThread() - before;
        // Ten thousand names are as many as there may be.
        Assert.True(what == "elements of no size" ? failure is MessageException or RefusedException : failure is null, $"{failure}");
        Assert.True(cost <= (64L * frame.Length) + (1024 * 1024), $"{cost} bytes for {frame.Length}");
    }

    [Fact]
    public async Task A_message_beyond_the_bound_is_refused_before_it_is_read()
    {
        var table = new byte[8];
        BitConverter.TryWriteBytes(table.AsSpan(4), ServerLimits.SessionMessageBytesMax / 8);
        using MemoryStream stream = new([.. table, .. new byte[1000]]);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var refused = await Assert.ThrowsAsync<MessageException>(async () => await new FrameReader(stream) { BytesMax = ServerLimits.SessionMessageBytesMax }.ReadAsync(Cancellation));

        Assert.Contains("at most 33554432 bytes", refused.Message, StringComparison.Ordinal);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1_000_000);
    }

    static async Task<MessageReader> ReadAsync(byte[] frame)
    {
        using MemoryStream stream = new(frame);
        return await new FrameReader(stream) { BytesMax = ServerLimits.SessionMessageBytesMax }.ReadAsync(Cancellation) ?? throw new MessageException("It is empty.");
    }

    static void Read(MessageReader message, bool asHello)
    {
        if (asHello)
        {
            _ = ReplicationFrames.ReadHelloResponse(message);
            return;
        }

        switch (ReplicationFrames.KindOfResponse(message))
        {
            case ReplicationResponseKind.ListPositions:
                foreach (var position in ReplicationFrames.ReadPositions(message).Positions)
                    _ = WireRecords.Read(position);
                break;
            case ReplicationResponseKind.PullEvents:
                _ = WireRecords.Read(ReplicationFrames.ReadEvents(message));
                break;
            case ReplicationResponseKind.ApplyEvents:
                _ = ReplicationFrames.ReadApplied(message);
                break;
            case ReplicationResponseKind.PullSchemas:
                _ = ReplicationFrames.ReadSchemas(message);
                break;
            case ReplicationResponseKind.ApplySchemas:
                _ = ReplicationFrames.ReadSchemasApplied(message);
                break;
            case ReplicationResponseKind.Error:
                _ = WireRecords.Read(ReplicationFrames.ReadRefusal(message));
                break;
            case ReplicationResponseKind.Identify:
                _ = WireRecords.Read(ReplicationFrames.ReadLogEnd(message));
                break;
            case ReplicationResponseKind.FindRoots:
                foreach (var root in ReplicationFrames.ReadRoots(message))
                    _ = root.IsEmpty ? default : WireRecords.ReadHash(root.Span);
                break;
            case ReplicationResponseKind.FindMarks:
                if (ReplicationFrames.ReadMarks(message) is { } marks)
                    _ = WireRecords.Read(marks);
                break;
            case ReplicationResponseKind.ApplyMarks:
                _ = ReplicationFrames.ReadMarksApplied(message);
                break;
            case ReplicationResponseKind.PullLog:
                _ = WireRecords.Read(ReplicationFrames.ReadLogPage(message));
                break;
        }
    }

    static ReadOnlyMemory<byte>[] Requests()
    {
        var events = WireRecords.Of([FakeReplica.EventOf(FakeReplica.One, 1, "note", new("g", "u")), FakeReplica.EventOf(FakeReplica.Two, 2)]);
        return
        [
            ReplicationFrameTests.HelloVector,
            Frame(message => ReplicationFrames.WriteHello(message, new(2, new byte[32], new byte[32], new byte[64]))),
            Frame(message => ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.ListPositions)),
            Frame(message => ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.PullSchemas)),
            Frame(message => ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.Identify)),
            Frame(message => ReplicationFrames.WritePositionQuestion(message, new(["a", "b"], [One, new("x", "y")], One, 100))),
            Frame(message => ReplicationFrames.WriteRootsQuestion(message, [new(One, 7), new(One, 8)])),
            Frame(message => ReplicationFrames.WriteEventsQuestion(message, new WirePlace(One, 4), 500)),
            Frame(message => ReplicationFrames.WriteEventsQuestion(message, [new(One, 4), new(new("x", "y"), 0)], 500)),
            Frame(message => ReplicationFrames.WriteApply(message, 9, events)),
            Frame(message => ReplicationFrames.WriteApply(message, 9, [.. Enumerable.Repeat(events[1], 40)])),
            Frame(message => ReplicationFrames.WriteMarksQuestion(message, One)),
            Frame(message => ReplicationFrames.WriteApplyMarks(message, WireRecords.Of(FakeReplica.MarksOf(FakeReplica.One)))),
            Frame(message => ReplicationFrames.WriteApplySchemas(message, "{}"u8, merge: true)),
            Frame(message => ReplicationFrames.WriteLogQuestion(message, 5, 100)),
            Frame(message => ControlFrames.WriteRequest(message, ["aggregate", "list", "--json"], "a.token")),
        ];
    }

    static ReadOnlyMemory<byte>[] Answers()
    {
        var events = WireRecords.Of([FakeReplica.EventOf(FakeReplica.One, 1, "note", new("g", "u")), FakeReplica.EventOf(FakeReplica.One, 2)]);
        return
        [
            Frame(message => ReplicationFrames.WriteHelloResponse(message, new(true, "ok", new byte[32], new byte[64]))),
            Frame(message => ReplicationFrames.WritePositions(message, [.. FakeReplica.Positions.Select(WireRecords.Of)], more: true)),
            Frame(message => ReplicationFrames.WriteRoots(message, [WireRecords.Of(FakeReplica.HashOf(1)), default])),
            Frame(message => ReplicationFrames.WriteEvents(message, events)),
            Frame(message => ReplicationFrames.WriteApplied(message, 9, 4)),
            Frame(message => ReplicationFrames.WriteMarks(message, WireRecords.Of(FakeReplica.MarksOf(FakeReplica.One)))),
            Frame(message => ReplicationFrames.WriteMarks(message, null)),
            Frame(message => ReplicationFrames.WriteMarksApplied(message, true)),
            Frame(message => ReplicationFrames.WriteSchemas(message, "{\"a\":{}}"u8)),
            Frame(message => ReplicationFrames.WriteSchemasApplied(message, 3)),
            Frame(message => ReplicationFrames.WriteLogEnd(message, WireRecords.Of(FakeReplica.End))),
            Frame(message => ReplicationFrames.WriteLogPage(message, WireRecords.Of(FakeReplica.PageOf(5)))),
            Frame(message => ReplicationFrames.WriteRefusal(message, new("no", "version_conflict", true, 3))),
        ];
    }

    static ReadOnlyMemory<byte> Frame(Func<MessageWriter, ReadOnlyMemory<byte>> write) => write(new()).ToArray();
}
