using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace EventDbx.Server.Tests.Feed;

/// <summary>One message of an event stream.</summary>
/// <param name="Id">Of its own; null where it has none.</param>
/// <param name="Name">Of the event; empty for a block that only sets <c>retry</c>.</param>
/// <param name="Data">Its lines.</param>
/// <param name="Retry">Milliseconds.</param>
internal sealed record Told(string? Id, string Name, string Data, int? Retry)
{
    public JsonElement Json => JsonDocument.Parse(Data).RootElement;
}

/// <summary>An answer of <c>GET /v1/events</c> as server-sent events, read as the HTML standard says.</summary>
internal sealed class EventStream : IAsyncDisposable
{
    readonly HttpClient _http;

    EventStream(HttpClient http, HttpResponseMessage response) => (_http, Response) = (http, response);

    public HttpResponseMessage Response { get; }

    /// <summary>Asks for it, on a connection of its own; the head has come when this returns.</summary>
    public static async Task<EventStream> OpenAsync(int port, string token, string query, CancellationToken cancellation, string? last = null, Version? version = null)
    {
        var http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = Timeout.InfiniteTimeSpan };
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"http://127.0.0.1:{port}/v1/events{query}")
            {
                Version = version ?? HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            request.Headers.Accept.ParseAdd("text/event-stream");
            if (last is not null)
                request.Headers.Add("Last-Event-ID", last);
            return new(http, await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation));
        }
        catch
        {
            http.Dispose();
            throw;
        }
    }

    /// <summary>Every message until the stream ends.</summary>
    public async IAsyncEnumerable<Told> ReadAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        using var reader = new StreamReader(await Response.Content.ReadAsStreamAsync(cancellation), new UTF8Encoding(false, true), false, 64 * 1024);
        var (id, name, data, retry) = ((string?)null, "", (StringBuilder?)null, (int?)null);
        while (await reader.ReadLineAsync(cancellation) is { } line)
        {
            if (line.Length == 0)
            {
                yield return new(id, name, data?.ToString() ?? "", retry);
                (id, name, data, retry) = (null, "", null, null);
                continue;
            }

            var colon = line.IndexOf(": ", StringComparison.Ordinal);
            var value = line[(colon + 2)..];
            switch (line[..colon])
            {
                case "id":
                    id = value;
                    break;
                case "event":
                    name = value;
                    break;
                case "data":
                    data = (data is null ? new() : data.Append('\n')).Append(value);
                    break;
                case "retry":
                    retry = int.Parse(value, System.Globalization.CultureInfo.InvariantCulture);
                    break;
                case var field:
                    throw new FormatException($"An event stream has no field {field}.");
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        Response.Dispose();
        _http.Dispose();
        return default;
    }
}
