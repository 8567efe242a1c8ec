using System.Globalization;
using System.Text;

namespace EventDbx.Server.Tests.Rest;

/// <summary>What a large, deep or endless request costs.</summary>
public sealed class BodyTests(RestServer server) : IClassFixture<RestServer>
{
    const long Huge = 100_000_000;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_body_with_a_bad_token_is_refused_and_not_taken(bool announced)
    {
        var (sent, said) = await UploadAsync("Bearer nonsense", announced);
        Assert.StartsWith("HTTP/1.1 401 ", said, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"unauthenticated\"", said, StringComparison.Ordinal);
        Assert.Contains("Connection: close", said, StringComparison.OrdinalIgnoreCase);
        Assert.InRange(sent, 0, 8_000_000);
    }

    [Theory]
    [InlineData(true, 8_000_000)]
    [InlineData(false, 40_000_000)]
    public async Task A_body_beyond_the_limit_is_refused_and_not_taken(bool announced, long most)
    {
        var (sent, said) = await UploadAsync($"Bearer {server.Root}", announced);
        Assert.StartsWith("HTTP/1.1 413 ", said, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"request_too_large\"", said, StringComparison.Ordinal);
        Assert.Contains("Connection: close", said, StringComparison.OrdinalIgnoreCase);
        Assert.InRange(sent, 0, most);
    }

    [Fact]
    public async Task A_body_at_the_limit_is_taken()
    {
        const string Event = """{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{}}""";
        Assert.Equal(200, (await server.PostAsync("/v1/events", Event.PadLeft(Limits.RequestBytesMax))).Status);
    }

    /// <summary>Sends until the server stops taking: what the kernel took as well counts as sent.</summary>
    async Task<(long Sent, string Said)> UploadAsync(string authorization, bool announced)
    {
        await using var stream = await server.ConnectAsync();
        var framing = announced ? $"Content-Length: {Huge}" : "Transfer-Encoding: chunked";
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes($"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"), Cancellation);
        var reading = RestServer.ReadToEndAsync(stream);
        var piece = new byte[64 * 1024];
        piece.AsSpan().Fill((byte)' ');
        byte[] chunk = announced ? piece : [.. Encoding.ASCII.GetBytes(piece.Length.ToString("x", CultureInfo.InvariantCulture) + "\r\n"), .. piece, (byte)'\r', (byte)'\n'];
        var sent = 0L;
        try
        {
            while (sent < Huge && !reading.IsCompleted)
            {
                await stream.WriteAsync(chunk, Cancellation);
                sent += chunk.Length;
            }
        }
        catch (IOException)
        {
            // Closed at the other end.
        }

        return (sent, await reading);
    }
}
