using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace EventDbx.Server.Tests;

/// <summary>Sends a request again and again, under the same ids, until it has an answer: whatever happens to the server.</summary>
/// <remarks>
/// A machine with much else to do may take minutes for a sync of its disk, so an answer that is late is no failure: the request is sent
/// once more, beside the first. But once that one was answered, by a server that nobody has killed since, the first has to have its end
/// as well: an answer that a living server has lost is found here, and is not mistaken for a slow one.
/// </remarks>
/// <param name="port">The server's.</param>
/// <param name="token">With which it comes.</param>
internal sealed class StubbornClient(int port, string token) : IDisposable
{
    /// <summary>What an answer may take before the request is sent once more, and what a late one has left once that was answered.</summary>
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    static readonly TimeSpan BeforeAskingAgain = TimeSpan.FromMilliseconds(20);

    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false })
    {
        BaseAddress = new($"http://127.0.0.1:{port}"),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
        // How long is too long is said below, where it is known whether the server has been killed.
        Timeout = Timeout.InfiniteTimeSpan,
    };

    int _lost;

    /// <summary>Answers that never came, or too late.</summary>
    public int Lost => Volatile.Read(ref _lost);

    /// <summary>Posts a JSON text until there is an answer that does not say to ask again.</summary>
    public async Task<Answered> PostAsync(string route, string body, CancellationToken cancellation)
    {
        (Task<Answered> Asked, int Kills)? late = null;
        while (true)
        {
            var kills = ServerProcess.KillsOf(port);
            var asked = SendAsync(route, body, cancellation);
            try
            {
                var answered = await asked.WaitAsync(Soon, cancellation);
                if (late is { } before)
                    await EndsAsync(before.Asked, before.Kills, route);
                if (!answered.Retryable)
                    return answered;
            }
            catch (TimeoutException)
            {
                Interlocked.Increment(ref _lost);
                late ??= (asked, kills);
                continue;
            }
            catch (Exception lost) when (lost is HttpRequestException or IOException)
            {
                // Killed, or not there yet: nobody knows whether it was done.
                Interlocked.Increment(ref _lost);
            }

            await Task.Delay(BeforeAskingAgain, TimeProvider.System, cancellation);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Of a late one, now that the same request was answered. Which end is all the same: an answer, or a connection that broke.</summary>
    async Task EndsAsync(Task<Answered> late, int kills, string route)
    {
        try
        {
            await late.WaitAsync(Soon);
        }
        catch (TimeoutException)
        {
            Assert.True(kills != ServerProcess.KillsOf(port), $"The answer to POST {route} was lost: it has not come within {2 * Soon}, though the same was answered when it was sent again, and nobody has killed the server meanwhile.");
        }
        catch (Exception gone) when (gone is HttpRequestException or IOException or OperationCanceledException)
        {
            // Its connection broke, and that told the client.
        }
    }

    async Task<Answered> SendAsync(string route, string body, CancellationToken cancellation)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(route, content, cancellation);
        var bytes = await response.Content.ReadAsByteArrayAsync(cancellation);
        // Only what the listener says by itself has no body: that the rest of the request came too late.
        if (bytes.Length == 0)
            return new((int)response.StatusCode, default, Replayed: false, Retryable: true);
        using var json = JsonDocument.Parse(bytes);
        return new(
            (int)response.StatusCode, json.RootElement.Clone(), response.Headers.Contains("Idempotent-Replayed"),
            json.RootElement.TryGetProperty("retryable", out var retryable) && retryable.GetBoolean());
    }

    /// <summary>An answer that came.</summary>
    /// <param name="Status">Of HTTP.</param>
    /// <param name="Json">Its body.</param>
    /// <param name="Replayed">Whether it is that of an append that had been done before.</param>
    /// <param name="Retryable">Whether it says to ask again.</param>
    public sealed record Answered(int Status, JsonElement Json, bool Replayed, bool Retryable);
}
