using System.Buffers;
using EventDbx.Server.Rest;
using GraphQL;

namespace EventDbx.Server.GraphQL;

/// <summary>One operation on a WebSocket, from its <c>subscribe</c> to its <c>complete</c> or <c>error</c>.</summary>
internal sealed class SocketOperation(GraphQLSocket socket, GraphQLSurface surface, string id, GraphQLRequest request, ReceivedMessage message, CancellationToken gone)
{
    readonly CancellationTokenSource _stopped = CancellationTokenSource.CreateLinkedTokenSource(gone);

    public Task Running { get; private set; } = Task.CompletedTask;

    /// <param name="enter">Looks at the token and makes a session.</param>
    /// <param name="look">Looks at the token; null for the owner.</param>
    public void Begin(Func<Session> enter, Action? look) => Running = Task.Run(() => RunAsync(enter, look), CancellationToken.None);

    /// <summary>The client wants no more of it.</summary>
    public void Stop()
    {
        try
        {
            _stopped.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just ended by itself.
        }
    }

    async Task RunAsync(Func<Session> enter, Action? look)
    {
        try
        {
            await AnswerAsync(enter, look).ConfigureAwait(false);
        }
        catch (Exception) when (_stopped.IsCancellationRequested)
        {
            // Nobody waits for it any more.
        }
        catch (Exception thrown)
        {
            socket.Forget(id, this);
            var refusal = surface.RefusalOf(thrown);
            try
            {
                await socket.SendErrorAsync(id, refusal).ConfigureAwait(false);
            }
            catch (Exception away) when (away is OperationCanceledException or System.Net.WebSockets.WebSocketException or IOException or ObjectDisposedException)
            {
                // The connection ended meanwhile, and whoever reads it knows.
            }
        }
        finally
        {
            socket.Forget(id, this);
            message.Dispose();
            _stopped.Dispose();
        }
    }

    async Task AnswerAsync(Func<Session> enter, Action? look)
    {
        var query = surface.Prepare(request);
        var call = surface.Begin(enter(), look, _stopped.Token);
        await using var _ = call.ConfigureAwait(false);
        if (query.IsSubscription)
        {
            await SubscribeAsync(query, call).ConfigureAwait(false);
            return;
        }

        var result = await GraphQLSurface.RunAsync(query, call).ConfigureAwait(false);
        if (call.Withdrawn is { } withdrawn)
            throw withdrawn;
        if (!result.Executed)
        {
            await RefuseAsync(result, call).ConfigureAwait(false);
            return;
        }

        using var output = new PooledBuffer();
        await NextAsync(output, result, call).ConfigureAwait(false);
        await CompleteAsync(output).ConfigureAwait(false);
    }

    async Task SubscribeAsync(PreparedQuery query, GraphQLCall call)
    {
        var (feed, result) = await surface.SubscribeAsync(query, call).ConfigureAwait(false);
        if (feed is null)
        {
            await RefuseAsync(result, call).ConfigureAwait(false);
            return;
        }

        await using var _ = feed.ConfigureAwait(false);
        using var output = new PooledBuffer();
        // It may stay for days, and what it was asked with is read.
        message.Dispose();
        await foreach (var batch in feed.ReadAsync(_stopped.Token).ConfigureAwait(false))
        {
            await foreach (var shown in GraphQLSurface.ShowAsync(query, call, feed.Epoch, batch).ConfigureAwait(false))
            {
                await NextAsync(output, shown, call).ConfigureAwait(false);
                call.Release();
            }

            if (batch.Items.Count == 0 && !call.Start!.Heartbeats)
                await socket.SendTextAsync("{\"type\":\"ping\"}"u8.ToArray()).ConfigureAwait(false);
        }
    }

    async Task NextAsync(PooledBuffer output, ExecutionResult result, GraphQLCall call)
    {
        output.Clear();
        SocketMessage.Begin(output, "next"u8, id);
        surface.Write(output, result, call);
        output.Write("}"u8);
        await socket.SendTextAsync(output.Written).ConfigureAwait(false);
    }

    async Task CompleteAsync(PooledBuffer output)
    {
        output.Clear();
        SocketMessage.WriteComplete(output, id);
        socket.Forget(id, this);
        await socket.SendTextAsync(output.Written).ConfigureAwait(false);
    }

    /// <summary>Nothing was run.</summary>
    async Task RefuseAsync(ExecutionResult result, GraphQLCall call)
    {
        using var output = new PooledBuffer();
        SocketMessage.Begin(output, "error"u8, id);
        if (result.Errors is { Count: > 0 } errors)
            surface.WriteErrors(output, errors, call);
        else
            GraphQLErrors.WriteOne(output, new(RefusalCode.InvalidArgument, "The operation subscribes to nothing: its field is left out by a directive."));
        output.Write("}"u8);
        socket.Forget(id, this);
        await socket.SendTextAsync(output.Written).ConfigureAwait(false);
    }
}
