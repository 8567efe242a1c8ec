using System.Buffers;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using EventDbx.Server.Connections;
using EventDbx.Server.Rest;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.GraphQL;

/// <summary>One WebSocket that speaks <c>graphql-transport-ws</c>: many operations over one connection.</summary>
/// <remarks>
/// <code>
/// upgrade            a token in the header Authorization, where there is one, is looked at     401
/// connection_init    within 10 s, once; the token in its payload, or that of the header        4408, 4429, 4403
/// subscribe          after that, ids that are not in use, 32 at once                           4401, 4409
/// anything else      that the protocol does not have                                           4400
/// </code>
/// A message is sent when the one before was taken, and a subscription reads no further until then. The token is looked at each second.
/// Browsers send their origin and no credentials of their own with an upgrade, so a page of another site is nobody here.
/// </remarks>
internal sealed class GraphQLSocket : IAsyncDisposable
{
    public const string Protocol = "graphql-transport-ws";

    /// <summary>How long the other side may take to answer a close.</summary>
    static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    readonly GraphQLSurface _surface;
    readonly HttpContext _http;
    readonly WebSocket _socket;
    readonly string? _headerToken;
    readonly SemaphoreSlim _sending = new(1, 1);
    readonly CancellationTokenSource _gone;
    readonly ConcurrentDictionary<string, SocketOperation> _operations = new(StringComparer.Ordinal);
    readonly ITimer _idle;
    TokenWatch? _watch;
    Func<Session>? _enter;
    Action? _look;
    bool _counted;
    int _ended;

    GraphQLSocket(GraphQLSurface surface, HttpContext http, WebSocket socket, string? headerToken)
    {
        (_surface, _http, _socket, _headerToken) = (surface, http, socket, headerToken);
        _gone = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        // The same timer for the first message and for those after it.
        _idle = surface.Clock.CreateTimer(_ => Quiet(), null, ServerLimits.GraphQLInitTimeout, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Takes the connection over, and returns when it has ended.</summary>
    public static async Task AcceptAsync(RestCall call)
    {
        var (http, surface) = (call.Http, call.Host.GraphQL);
        if (!http.WebSockets.WebSocketRequestedProtocols.Contains(Protocol))
            throw new RefusedException(RefusalCode.InvalidArgument, $"This path speaks the subprotocol {Protocol} over WebSockets, and the request does not offer it in Sec-WebSocket-Protocol.");
        var given = http.Request.Headers.Authorization;
        var token = RestSurface.TokenOf(given);
        if (given.Count > 0)
            call.Host.Tokens.Authenticate(token ?? throw new RefusedException(RefusalCode.Unauthenticated, "The header Authorization is not `Bearer TOKEN`, once."));
        surface.EnterSocket();
        try
        {
            using var socket = await http.WebSockets.AcceptWebSocketAsync(Protocol).ConfigureAwait(false);
            var run = new GraphQLSocket(surface, http, socket, token);
            await using var _ = run.ConfigureAwait(false);
            await run.RunAsync().ConfigureAwait(false);
        }
        finally
        {
            surface.LeaveSocket();
        }
    }

    async Task RunAsync()
    {
        using var stopping = _surface.Host.Ending.Register(() => End(1001, "The server is stopping"));
        try
        {
            while (await ReceiveAsync().ConfigureAwait(false) is { } message)
                await TakeAsync(message).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is WebSocketException or OperationCanceledException or IOException)
        {
            // The other side is gone, or did not answer a close in time.
        }

        await EndAsync(1000, "").ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await _gone.CancelAsync().ConfigureAwait(false);
        await _idle.DisposeAsync().ConfigureAwait(false);
        foreach (var operation in _operations.Values)
            await operation.Running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_watch is not null)
            await _watch.DisposeAsync().ConfigureAwait(false);
        if (_counted)
            _http.Features.Get<OpenConnection>()?.End();
        _gone.Dispose();
        // The semaphore has no handle; whoever ends the socket late may still wait for it.
    }

    /// <summary>The next message, whole; null once the other side has closed.</summary>
    async Task<ReceivedMessage?> ReceiveAsync()
    {
        var message = new ReceivedMessage(_surface.Bodies);
        try
        {
            while (true)
            {
                var read = await _socket.ReceiveAsync(message.Free(), _gone.Token).ConfigureAwait(false);
                if (read.MessageType == WebSocketMessageType.Close)
                {
                    message.Dispose();
                    return null;
                }

                // After a close only the answer to it counts.
                if (Volatile.Read(ref _ended) != 0)
                    continue;
                if (read.MessageType == WebSocketMessageType.Binary)
                    await EndAsync(4400, "Messages are text").ConfigureAwait(false);
                else if (!message.Took(read.Count, out var tooLarge))
                    await EndAsync(tooLarge ? 1009 : 1013, tooLarge ? $"A message has at most {ServerLimits.GraphQLMessageBytesMax} bytes" : "Too many large messages at once").ConfigureAwait(false);
                else if (read.EndOfMessage)
                    return message;
            }
        }
        catch
        {
            message.Dispose();
            throw;
        }
    }

    async Task TakeAsync(ReceivedMessage received)
    {
        var kept = false;
        try
        {
            if (Volatile.Read(ref _ended) != 0)
                return;
            var message = SocketMessage.Read(received.Text);
            switch (message.Type)
            {
                case "connection_init":
                    await InitAsync(message).ConfigureAwait(false);
                    break;
                case "ping":
                    await SendTextAsync("{\"type\":\"pong\"}"u8.ToArray()).ConfigureAwait(false);
                    break;
                case "pong":
                    break;
                case "subscribe":
                    kept = await SubscribeAsync(message, received).ConfigureAwait(false);
                    break;
                case "complete" when message.Id is { } id:
                    // From now on the id may be used again.
                    if (_operations.TryRemove(id, out var operation))
                        operation.Stop();
                    break;
                default:
                    await EndAsync(4400, $"No message of {Protocol} is of the type {Shown.Of(message.Type)}").ConfigureAwait(false);
                    break;
            }

            Rest();
        }
        catch (RefusedException refused)
        {
            await EndAsync(refused.Refusal.Code == RefusalCode.Unauthenticated ? 4403 : 4400, refused.Message).ConfigureAwait(false);
        }
        finally
        {
            if (!kept)
                received.Dispose();
        }
    }

    async Task InitAsync(SocketMessage message)
    {
        if (_enter is not null)
        {
            await EndAsync(4429, "Too many initialisation requests").ConfigureAwait(false);
            return;
        }

        var (host, origin) = (_surface.Host, GraphQLRoutes.OriginOf(_http));
        if ((message.Token() ?? _headerToken) is { } token)
        {
            _look = () => host.Tokens.Authenticate(token);
            _enter = () => host.Tokens.Authenticate(token).From(origin);
        }
        else if (_http.Features.Get<Arrival>() is { OwnerOnly: true })
        {
            _enter = () => host.Database.OpenSession(new Actor("cli", Environment.UserName)).From(origin);
        }
        else
        {
            throw new RefusedException(RefusalCode.Unauthenticated, "No token: send it as {\"authorization\":\"Bearer TOKEN\"} in connection_init");
        }

        _enter();
        // Only who proves to be somebody keeps a connection: RestSurface counted it out when it came.
        if (_http.Features.Get<OpenConnection>() is { } connection && !(_counted = connection.TryBegin()))
        {
            await EndAsync(1013, "The connection is being closed in favour of others").ConfigureAwait(false);
            return;
        }

        if (_look is not null)
        {
            _watch = new(_look, _surface.Clock, _gone.Token);
            _watch.Ended.Register(() =>
            {
                if (_watch.Refused is { } refused)
                    End(4403, refused.Message);
            });
        }

        await SendTextAsync("{\"type\":\"connection_ack\"}"u8.ToArray()).ConfigureAwait(false);
    }

    /// <summary>Whether the operation keeps the message.</summary>
    async Task<bool> SubscribeAsync(SocketMessage message, ReceivedMessage received)
    {
        if (_enter is null)
        {
            await EndAsync(4401, "Unauthorized").ConfigureAwait(false);
            return false;
        }

        if (message.Id is not { Length: > 0 } id || message.Payload.IsEmpty)
            throw new RefusedException(RefusalCode.InvalidPayload, "A subscribe has an `id` and a `payload`");
        var request = GraphQLRequest.Read(message.Payload);
        if (_operations.ContainsKey(id))
        {
            await EndAsync(4409, $"Subscriber for {Shown.Of(id)} already exists").ConfigureAwait(false);
            return false;
        }

        if (_operations.Count >= ServerLimits.GraphQLSocketOperationsMax)
        {
            await SendErrorAsync(id, new(RefusalCode.Overloaded, $"{ServerLimits.GraphQLSocketOperationsMax} operations are under way on this connection; wait for one of them, or open another.")).ConfigureAwait(false);
            return false;
        }

        var operation = new SocketOperation(this, _surface, id, request, received, _gone.Token);
        _operations[id] = operation;
        operation.Begin(_enter, _look);
        return true;
    }

    /// <summary>An operation has ended, and its id may be used again.</summary>
    public void Forget(string id, SocketOperation operation)
    {
        // Another may have its id by now.
        _operations.TryRemove(new(id, operation));
        Rest();
    }

    /// <summary>Sends a message, after those before it were taken.</summary>
    public async ValueTask SendTextAsync(ReadOnlyMemory<byte> text)
    {
        await _sending.WaitAsync(_gone.Token).ConfigureAwait(false);
        try
        {
            if (Volatile.Read(ref _ended) == 0)
                await _socket.SendAsync(text, WebSocketMessageType.Text, endOfMessage: true, _gone.Token).ConfigureAwait(false);
        }
        finally
        {
            _sending.Release();
        }
    }

    public async ValueTask SendErrorAsync(string id, Refusal refusal)
    {
        using var output = new PooledBuffer();
        SocketMessage.Begin(output, "error"u8, id);
        GraphQLErrors.WriteOne(output, refusal);
        output.Write("}"u8);
        await SendTextAsync(output.Written).ConfigureAwait(false);
    }

    /// <summary>Nothing is under way: from now on it may be quiet only so long.</summary>
    void Rest() => _idle.Change(_enter is null ? ServerLimits.GraphQLInitTimeout : ServerLimits.IdleTimeout, Timeout.InfiniteTimeSpan);

    void Quiet()
    {
        if (_enter is null)
            End(4408, "Connection initialisation timeout");
        else if (_operations.IsEmpty)
            End(1000, "Idle");
        else
            Rest();
    }

    /// <summary>From where nobody waits.</summary>
    void End(int code, string reason) => _ = EndAsync(code, reason);

    /// <summary>Says why, once; then the other side has a moment to say goodbye.</summary>
    async Task EndAsync(int code, string reason)
    {
        if (Interlocked.Exchange(ref _ended, 1) != 0)
            return;
        try
        {
            using var late = new CancellationTokenSource(CloseTimeout, _surface.Clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, _gone.Token);
            await _sending.WaitAsync(either.Token).ConfigureAwait(false);
            try
            {
                await _socket.CloseOutputAsync((WebSocketCloseStatus)code, Fitting(reason), either.Token).ConfigureAwait(false);
            }
            finally
            {
                _sending.Release();
            }

            _gone.CancelAfter(CloseTimeout);
        }
        catch (Exception gone) when (gone is OperationCanceledException or WebSocketException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // It takes nothing, or is gone.
            _socket.Abort();
        }
    }

    /// <summary>A close frame has room for 123 bytes.</summary>
    static string Fitting(string reason)
    {
        while (Encoding.UTF8.GetByteCount(reason) > 123)
            reason = reason[..(char.IsLowSurrogate(reason[^1]) ? ^2 : ^1)];
        return reason;
    }
}
