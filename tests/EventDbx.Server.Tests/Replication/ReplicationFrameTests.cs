using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Tests.Plugins;

namespace EventDbx.Server.Tests.Replication;

/// <summary>The frames of a session and of commands: the published vectors, and Cap'n Proto's own tool.</summary>
public sealed class ReplicationFrameTests
{
    internal static readonly byte[] HelloVector = Frames.Bytes("""
        00 00 00 00 07 00 00 00 00 00 00 00 01 00 01 00 01 00 00 00 00 00 00 00 01 00 00 00 02 01 00 00
        00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f
        """);

    static readonly byte[] ResponseVector = Frames.Bytes("00 00 00 00 04 00 00 00 00 00 00 00 01 00 01 00 01 00 00 00 00 00 00 00 01 00 00 00 1a 00 00 00 6f 6b 00 00 00 00 00 00");

    static readonly byte[] ListVector = Frames.Bytes("00 00 00 00 03 00 00 00 00 00 00 00 01 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");

    static readonly byte[] SchemasVector = Frames.Bytes("00 00 00 00 03 00 00 00 00 00 00 00 01 00 01 00 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00");

    static readonly byte[] PullVector = Frames.Bytes("""
        00 00 00 00 09 00 00 00 00 00 00 00 01 00 01 00 01 00 00 00 00 00 00 00 00 00 00 00 02 00 02 00
        04 00 00 00 00 00 00 00 f4 01 00 00 00 00 00 00 05 00 00 00 32 00 00 00 05 00 00 00 22 00 00 00
        6f 72 64 65 72 00 00 00 6f 2d 31 00 00 00 00 00
        """);

    static readonly byte[] ApplyVector = Frames.Bytes("""
        00 00 00 00 15 00 00 00 00 00 00 00 01 00 01 00 02 00 00 00 00 00 00 00 00 00 00 00 01 00 01 00
        01 00 00 00 00 00 00 00 01 00 00 00 47 00 00 00 04 00 00 00 01 00 07 00 01 00 00 00 00 00 00 00
        19 00 00 00 32 00 00 00 19 00 00 00 22 00 00 00 19 00 00 00 2a 00 00 00 19 00 00 00 3a 00 00 00
        19 00 00 00 12 00 00 00 19 00 00 00 12 00 00 00 19 00 00 00 12 00 00 00 6f 72 64 65 72 00 00 00
        6f 2d 31 00 00 00 00 00 6d 61 64 65 00 00 00 00 7b 22 61 22 3a 31 7d 00 7b 7d 00 00 00 00 00 00
        72 00 00 00 00 00 00 00 68 00 00 00 00 00 00 00
        """);

    static readonly byte[] ErrorVector = Frames.Bytes("""
        00 00 00 00 05 00 00 00 00 00 00 00 01 00 01 00 06 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00
        01 00 00 00 1a 00 00 00 6e 6f 00 00 00 00 00 00
        """);

    static readonly byte[] CommandVector = Frames.Bytes("00 00 00 00 04 00 00 00 00 00 00 00 00 00 01 00 01 00 00 00 0e 00 00 00 01 00 00 00 3a 00 00 00 73 74 61 74 75 73 00 00");

    static readonly byte[] OutcomeVector = Frames.Bytes("""
        00 00 00 00 06 00 00 00 00 00 00 00 01 00 02 00 00 00 00 00 00 00 00 00 05 00 00 00 22 00 00 00
        05 00 00 00 0a 00 00 00 6f 6b 0a 00 00 00 00 00 00 00 00 00 00 00 00 00
        """);

    static readonly WireAggregate One = new("order", "o-1");

    static readonly WireEvent Event = new(One, "made", 1, Frames.Utf8("{\"a\":1}"), Frames.Utf8("{}"), "r", "h");

    static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(static i => (byte)i)];

    static string PathOf(string name) => Path.Combine(Checkout.Root, "src", "EventDbx.Protocol", "proto", name);

    [Fact]
    public void The_frames_are_the_vectors_byte_for_byte()
    {
        MessageWriter message = new();

        Assert.Equal(HelloVector, ReplicationFrames.WriteHello(message, new(1, Key)).ToArray());
        Assert.Equal(ResponseVector, ReplicationFrames.WriteHelloResponse(message, new(true, "ok")).ToArray());
        Assert.Equal(ListVector, ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.ListPositions).ToArray());
        Assert.Equal(SchemasVector, ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.PullSchemas).ToArray());
        Assert.Equal(PullVector, ReplicationFrames.WriteEventsQuestion(message, new WirePlace(One, 4), 500).ToArray());
        Assert.Equal(ApplyVector, ReplicationFrames.WriteApply(message, 1, [Event]).ToArray());
        Assert.Equal(ErrorVector, ReplicationFrames.WriteRefusal(message, new("no", "", false, null)).ToArray());
        Assert.Equal(CommandVector, ControlFrames.WriteRequest(message, ["status"], "").ToArray());
        Assert.Equal(OutcomeVector, ControlFrames.WriteResponse(message, 0, "ok\n", "").ToArray());
    }

    [Fact]
    public void The_vectors_say_what_was_written()
    {
        var hello = ReplicationFrames.ReadHello(MessageReader.Read(HelloVector));
        var response = ReplicationFrames.ReadHelloResponse(MessageReader.Read(ResponseVector));
        var (from, limit) = ReplicationFrames.ReadEventsQuestion(MessageReader.Read(PullVector));
        var (sequence, events) = ReplicationFrames.ReadApply(MessageReader.Read(ApplyVector));
        var refusal = ReplicationFrames.ReadRefusal(MessageReader.Read(ErrorVector));

        Assert.Equal((1, 0, 0), (hello.ProtocolVersion, hello.PublicKey.Length, hello.Signature.Length));
        Assert.Equal(Key, hello.ExpectedPublicKey.ToArray());
        Assert.Equal((true, "ok", 0), (response.Accepted, response.Message, response.Signature.Length));
        Assert.Equal((One, 4UL, 500U), (from.Aggregate, from.Version, limit));
        Assert.Equal((1UL, Event with { Payload = default, Metadata = default }), (sequence, Assert.Single(events) with { Payload = default, Metadata = default }));
        Assert.Equal(("{\"a\":1}", "{}"), (Encoding.UTF8.GetString(events[0].Payload.Span), Encoding.UTF8.GetString(events[0].Metadata.Span)));
        Assert.Equal(("no", "", false, null), (refusal.Message, refusal.Code, refusal.Final, refusal.ActualVersion));
        Assert.Equal(ReplicationRequestKind.ListPositions, ReplicationFrames.KindOfRequest(MessageReader.Read(ListVector)));
        Assert.Equal(ReplicationRequestKind.PullSchemas, ReplicationFrames.KindOfRequest(MessageReader.Read(SchemasVector)));
        Assert.Equal(ReplicationResponseKind.Error, ReplicationFrames.KindOfResponse(MessageReader.Read(ErrorVector)));
        Assert.Equal(["status"], ControlFrames.ReadArguments(MessageReader.Read(CommandVector)));
        Assert.Equal("", ControlFrames.ReadToken(MessageReader.Read(CommandVector)));
        Assert.Equal((0, "ok\n", ""), ControlFrames.ReadResponse(MessageReader.Read(OutcomeVector)));
    }

    [Fact]
    public void The_first_pointer_tells_a_command_from_a_hello()
    {
        Assert.True(ControlFrames.IsCommand(MessageReader.Read(CommandVector)));
        Assert.False(ControlFrames.IsCommand(MessageReader.Read(HelloVector)));
        // A hello without a key is taken for a command without arguments.
        var nobody = MessageReader.Read(Frames.Of([0x0001_0001_0000_0000, 1, 0]));
        Assert.True(ControlFrames.IsCommand(nobody));
        Assert.Empty(ControlFrames.ReadArguments(nobody));
    }

    [Fact]
    public void A_tag_that_we_do_not_know_is_refused_and_one_that_is_never_sent()
    {
        MessageWriter message = new();
        foreach (var tag in (ushort[])[12, 99, ushort.MaxValue])
            Assert.Throws<MessageException>(() => ReplicationFrames.KindOfRequest(MessageReader.Read(ReplicationFrames.WriteQuestion(message, (ReplicationRequestKind)tag))));
        foreach (var tag in (ushort[])[0, 12, ushort.MaxValue])
            Assert.Throws<MessageException>(() => ReplicationFrames.KindOfResponse(MessageReader.Read(ReplicationFrames.WriteQuestion(message, (ReplicationRequestKind)tag))));
    }

    [Fact]
    public async Task The_tool_decodes_every_request()
    {
        await Prerequisite.RequireAsync("capnp");
        MessageWriter message = new();

        await SameAsync("ReplicationHello", $$"""{"protocolVersion":2,"expectedPublicKey":{{Bytes(Key)}},"publicKey":[1],"signature":[2,3]}""", ReplicationFrames.WriteHello(message, new(2, Key, new byte[] { 1 }, new byte[] { 2, 3 })));
        await SameAsync("ReplicationRequest", """{"identify":null}""", ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.Identify));
        await SameAsync(
            "ReplicationRequest", """{"listPositionPage":{"types":["a","ü"],"aggregates":[{"aggregateType":"order","aggregateId":"o-1"}],"after":{"aggregateType":"x","aggregateId":"y"},"take":1000}}""",
            ReplicationFrames.WritePositionQuestion(message, new(["a", "ü"], [One], new WireAggregate("x", "y"), 1000)));
        await SameAsync("ReplicationRequest", """{"findRoots":{"places":[{"aggregateType":"order","aggregateId":"o-1","version":"7"}]}}""", ReplicationFrames.WriteRootsQuestion(message, [new(One, 7)]));
        await SameAsync("ReplicationRequest", """{"pullEvents":{"aggregateType":"order","aggregateId":"o-1","fromVersion":"4","limit":500}}""", ReplicationFrames.WriteEventsQuestion(message, new WirePlace(One, 4), 500));
        await SameAsync(
            "ReplicationRequest", """{"pullEventsOf":{"places":[{"aggregateType":"order","aggregateId":"o-1","version":"4"}],"limit":500}}""", ReplicationFrames.WriteEventsQuestion(message, [new(One, 4)], 500));
        await SameAsync(
            "ReplicationRequest",
            $$$"""{"applyEvents":{"sequence":"9","events":[{"aggregateType":"order","aggregateId":"o-1","eventType":"made","version":"1","payload":{{{Bytes(Event.Payload.Span)}}},"metadata":{{{Bytes(Event.Metadata.Span)}}},"merkleRoot":"r","hash":"h"}]}}""",
            ReplicationFrames.WriteApply(message, 9, [Event]));
        await SameAsync("ReplicationRequest", """{"findMarks":{"aggregateType":"order","aggregateId":"o-1"}}""", ReplicationFrames.WriteMarksQuestion(message, One));
        await SameAsync("ReplicationRequest", $$"""{"applyMarks":{{MarksJson}}}""", ReplicationFrames.WriteApplyMarks(message, Marks));
        await SameAsync("ReplicationRequest", """{"applySchemas":{"schemasJson":[123,125],"merge":true}}""", ReplicationFrames.WriteApplySchemas(message, "{}"u8, merge: true));
        await SameAsync("ReplicationRequest", """{"pullLog":{"after":"5","waitMilliseconds":15000}}""", ReplicationFrames.WriteLogQuestion(message, 5, 15_000));
    }

    [Fact]
    public async Task The_tool_decodes_every_answer()
    {
        await Prerequisite.RequireAsync("capnp");
        MessageWriter message = new();
        byte[] root = [9, 8];
        const string end = """{"databaseId":[1,2],"epoch":4,"size":"77","root":[9,8],"encrypted":true}""";
        var wireEnd = new WireLogEnd(new byte[] { 1, 2 }, 4, 77, root, true);

        await SameAsync("ReplicationHelloResponse", """{"accepted":true,"message":"ok","publicKey":[1],"signature":[2]}""", ReplicationFrames.WriteHelloResponse(message, new(true, "ok", new byte[] { 1 }, new byte[] { 2 })));
        await SameAsync(
            "ReplicationResponse", """{"listPositions":{"positions":[{"aggregateType":"order","aggregateId":"o-1","version":"7","root":[9,8],"archived":true,"snapshots":3}],"more":true}}""",
            ReplicationFrames.WritePositions(message, [new(new(One, 7), root, true, 3)], more: true));
        await SameAsync("ReplicationResponse", """{"findRoots":{"roots":[[9,8],[]]}}""", ReplicationFrames.WriteRoots(message, [root, default]));
        await SameAsync("ReplicationResponse", """{"applyEvents":{"appliedSequence":"9","appended":4}}""", ReplicationFrames.WriteApplied(message, 9, 4));
        await SameAsync("ReplicationResponse", $$$"""{"findMarks":{"marks":{{{MarksJson}}}}}""", ReplicationFrames.WriteMarks(message, Marks));
        await SameAsync("ReplicationResponse", """{"findMarks":{}}""", ReplicationFrames.WriteMarks(message, null));
        await SameAsync("ReplicationResponse", """{"applyMarks":{"changed":true}}""", ReplicationFrames.WriteMarksApplied(message, true));
        await SameAsync("ReplicationResponse", """{"pullSchemas":{"schemasJson":[123,125]}}""", ReplicationFrames.WriteSchemas(message, "{}"u8));
        await SameAsync("ReplicationResponse", """{"applySchemas":{"aggregateCount":3}}""", ReplicationFrames.WriteSchemasApplied(message, 3));
        await SameAsync("ReplicationResponse", $$"""{"identify":{{end}}}""", ReplicationFrames.WriteLogEnd(message, wireEnd));
        await SameAsync(
            "ReplicationResponse", $$$"""{"pullLog":{"after":"5","entries":[{"row":[1],"aggregateKey":[2]},{"row":[3],"aggregateKey":[]}],"root":[9,8],"end":{{{end}}},"checkpoint":[7],"rootBefore":[6],"checkpointKey":"k"}}""",
            ReplicationFrames.WriteLogPage(message, new(5, [(new byte[] { 1 }, new byte[] { 2 }), (new byte[] { 3 }, default)], root, wireEnd, new byte[] { 7 }, new byte[] { 6 }, "k")));
        await SameAsync(
            "ReplicationResponse", """{"error":{"message":"no","code":"version_conflict","final":true,"actualVersion":"3","hasActualVersion":true}}""",
            ReplicationFrames.WriteRefusal(message, new("no", "version_conflict", true, 3)));
        await SameAsync("CliRequest", """{"args":["a","b c"],"token":"t"}""", ControlFrames.WriteRequest(message, ["a", "b c"], "t"), "control.capnp");
        await SameAsync("CliResponse", """{"exitCode":-1,"stdout":"o","stderr":"e"}""", ControlFrames.WriteResponse(message, -1, "o", "e"), "control.capnp");
    }

    [Fact]
    public async Task The_schemas_have_the_ids_that_others_have()
    {
        await Prerequisite.RequireAsync("capnp");

        var replication = Encoding.UTF8.GetString(await Prerequisite.RunAsync("capnp", default, "compile", "-ocapnp", PathOf("replication.capnp")));
        var control = Encoding.UTF8.GetString(await Prerequisite.RunAsync("capnp", default, "compile", "-ocapnp", PathOf("control.capnp")));

        foreach (var id in new[]
        {
            "@0xdf2749081f1a2e2f", "struct ReplicationHello @0xebd73b2bead3727a", "struct ReplicationRequest @0x9ebc4d2d8eff79ba", "struct ReplicationResponse @0x9430152b4c6345a5", "struct EventRecord @0xc7149e4256ea7409",
        })
            Assert.Contains(id, replication, StringComparison.Ordinal);
        foreach (var id in new[] { "@0xbdbbb6da8dc7b1e8", "struct CliRequest @0xdc857d3d700d25e6", "struct CliResponse @0x8cde290fac3d9e6f" })
            Assert.Contains(id, control, StringComparison.Ordinal);
    }

    static readonly WireMarks Marks = new(new(One, 3), true, "", [new(1, 638_000, "one"), new(3, -1, null)]);

    const string MarksJson =
        """{"aggregateType":"order","aggregateId":"o-1","version":"3","archived":true,"comment":"","snapshots":[{"version":"1","createdAt":"638000","comment":"one"},{"version":"3","createdAt":"-1"}]}""";

    static string Bytes(ReadOnlySpan<byte> bytes) => $"[{string.Join(',', bytes.ToArray())}]";

    static async Task SameAsync(string type, string expected, ReadOnlyMemory<byte> frame, string schema = "replication.capnp")
    {
        var actual = Encoding.UTF8.GetString(await Prerequisite.RunAsync("capnp", frame, "convert", "binary:json", PathOf(schema), type));
        Assert.True(JsonNode.DeepEquals(JsonNode.Parse(expected), JsonNode.Parse(actual)), actual);
    }
}
