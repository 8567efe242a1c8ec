using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>A client of <c>graphql-transport-ws</c>, message by message.</summary>
internal sealed class TransportSocket : IAsyncDisposable
{
    readonly ClientWebSocket _socket = new();

    /// <summary>The code and the reason with which the server closed it.</summary>
    public (int? Code, string? Reason) Closed => ((int?)_socket.CloseStatus, _socket.CloseStatusDescription);

    /// <summary>Connects, and says nothing.</summary>
    public static async Task<TransportSocket> OpenAsync(Uri address, string? headerToken, CancellationToken cancellation, string protocol = "graphql-transport-ws")
    {
        var socket = new TransportSocket();
        socket._socket.Options.AddSubProtocol(protocol);
        socket._socket.Options.CollectHttpResponseDetails = true;
        socket._socket.Options.Proxy = null;
        if (headerToken is not null)
            socket._socket.Options.SetRequestHeader("Authorization", $"Bearer {headerToken}");
        await socket._socket.ConnectAsync(address, cancellation);
        return socket;
    }

    /// <summary>Connects with a token in <c>connection_init</c>.</summary>
    public static async Task<TransportSocket> ConnectAsync(Uri address, string token, CancellationToken cancellation)
    {
        var socket = await OpenAsync(address, null, cancellation);
        await socket.SendAsync($$$"""{"type":"connection_init","payload":{"authorization":"Bearer {{{token}}}"}}""", cancellation);
        var ack = await socket.ReceiveAsync(cancellation) ?? throw new IOException($"The socket was closed: {socket.Closed}");
        return ack.GetProperty("type").GetString() == "connection_ack" ? socket : throw new IOException($"No connection_ack: {ack.GetRawText()}");
    }

    public Task SendAsync(string text, CancellationToken cancellation) => _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, true, cancellation);

    public Task SendAsync(byte[] bytes, WebSocketMessageType type, bool end, CancellationToken cancellation) => _socket.SendAsync(bytes, type, end, cancellation);

    public Task SubscribeAsync(string id, string query, string? variables, CancellationToken cancellation) =>
        SendAsync($"{{\"id\":\"{id}\",\"type\":\"subscribe\",\"payload\":{GraphQLCalls.Body(query, variables)}}}", cancellation);

    /// <summary>The next message; null once the server has closed.</summary>
    public async Task<JsonElement?> ReceiveAsync(CancellationToken cancellation)
    {
        using var text = new MemoryStream();
        var piece = new byte[16 * 1024];
        while (true)
        {
            var read = await _socket.ReceiveAsync(piece, cancellation);
            if (read.MessageType == WebSocketMessageType.Close)
                return null;
            text.Write(piece, 0, read.Count);
            if (read.EndOfMessage)
                return JsonDocument.Parse(text.ToArray()).RootElement;
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return default;
    }
}
