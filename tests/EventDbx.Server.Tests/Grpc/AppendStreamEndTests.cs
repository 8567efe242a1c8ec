using EventDbx.Server.Grpc;
using EventDbx.Server.Tests.Rest;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>Streams of appends that go wrong, and what others have of it.</summary>
public sealed class AppendStreamEndTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_fault_of_ours_is_an_answer_too_and_leaves_nothing_behind()
    {
        var troubles = new Troubles();
        await using var server = new RestServer(options => options with { WrapEngine = engine => new Troubled(engine, troubles) });
        await server.InitializeAsync();
        using var client = GrpcClient.Of(server);
        var id = Guid.CreateVersion7();
        await client.AppendAsync(GrpcClient.Append("1", "1", id));
        using var stream = client.Events.AppendStream(client.Headers, cancellationToken: Cancellation);
        await stream.ResponseHeadersAsync;
        troubles.OnView = static () => throw new InvalidOperationException("a secret of ours");
        // What is stored under its id has to be looked at.
        await stream.RequestStream.WriteAsync(new() { Tag = 1, Append = GrpcClient.Append("1", "1", id) }, Cancellation);
        Assert.True(await stream.ResponseStream.MoveNext(Cancellation).WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Cancellation));
        var fault = stream.ResponseStream.Current;
        Assert.Equal((1UL, "internal", (int)StatusCode.Internal), (fault.Tag, fault.Error?.Code, fault.Error?.Status ?? 0));
        Assert.DoesNotContain("secret", fault.Error!.Message, StringComparison.Ordinal);
        troubles.OnView = null;
        await stream.RequestStream.WriteAsync(new() { Tag = 2, Append = GrpcClient.Append("2", "2") }, Cancellation);
        await stream.RequestStream.CompleteAsync();
        Assert.True(await stream.ResponseStream.MoveNext(Cancellation));
        Assert.Equal((2UL, 1UL), (stream.ResponseStream.Current.Tag, stream.ResponseStream.Current.Appended.Event.Version));
        Assert.False(await stream.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(0, await HeldAsync(server));
        lock (server.Lines)
            Assert.Contains(server.Lines, line => line.Level == Microsoft.Extensions.Logging.LogLevel.Error && line.Message.Contains("a secret of ours", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Streams_wait_for_room_in_turn_and_who_gives_up_takes_none()
    {
        var room = new AppendRoom(100);
        // One alone always fits.
        await room.EnterAsync(250, Cancellation);
        using var givenUp = new CancellationTokenSource();
        var first = room.EnterAsync(60, givenUp.Token).AsTask();
        var second = room.EnterAsync(70, Cancellation).AsTask();
        var third = room.EnterAsync(20, Cancellation).AsTask();
        Assert.False(first.IsCompleted || second.IsCompleted || third.IsCompleted);
        await givenUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(250, room.Held);
        room.Give(250);
        await second;
        await third;
        Assert.Equal(90, room.Held);
        // The small one would fit, and waits behind the large one.
        var large = room.EnterAsync(40, Cancellation).AsTask();
        var small = room.EnterAsync(5, Cancellation).AsTask();
        Assert.False(large.IsCompleted || small.IsCompleted);
        room.Give(70);
        await large;
        await small;
        Assert.Equal(65, room.Held);
    }

    /// <summary>Bytes that requests hold.</summary>
    static async Task<long> HeldAsync(RestServer server) => long.Parse(
        (await server.GetAsync("/metrics")).Body.Split('\n').Single(line => line.StartsWith("dbx_request_bodies_held_bytes ", StringComparison.Ordinal)).Split(' ')[1],
        System.Globalization.CultureInfo.InvariantCulture);
}
