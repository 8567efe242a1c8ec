using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Tests.Crash;

/// <summary>An outsider who fetches checkpoints as often as they can, whatever happens to the server, keeps all of them, and compares them in the end.</summary>
/// <param name="port">The server's.</param>
/// <param name="token">With which they come.</param>
internal sealed class CheckpointWatch(int port, string token) : IDisposable
{
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(5);

    /// <summary>All pairs of more would take longer than the kills.</summary>
    const int PairsMax = 3000;

    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = TimeSpan.FromSeconds(5) })
    {
        BaseAddress = new($"http://127.0.0.1:{port}"),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
        Timeout = TimeSpan.FromSeconds(60),
    };

    readonly ConcurrentDictionary<string, SignedNote> _seen = [];

    /// <summary>Every second one is asked for at once, so that kills meet signings.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            try
            {
                var bytes = await _http.GetByteArrayAsync(i % 2 == 0 ? "/v1/log/checkpoint?wait=checkpoint" : "/v1/log/checkpoint", stop);
                Assert.True(SignedNote.TryParse(bytes, out var note), Encoding.UTF8.GetString(bytes));
                _seen[note.Text] = note;
                await Task.Delay(Between, TimeProvider.System, stop);
            }
            catch (Exception gone) when (gone is HttpRequestException or IOException or OperationCanceledException)
            {
                // Killed just now, not there yet, or told to stop.
            }
        }
    }

    /// <summary>No two checkpoints of one size differ, and each is the beginning of every later one.</summary>
    /// <returns>How many there were.</returns>
    public async Task<int> CheckAsync()
    {
        var cancellation = TestContext.Current.CancellationToken;
        Assert.True(NoteKey.TryParse((await _http.GetStringAsync("/v1/log/key", cancellation)).TrimEnd('\n'), out var key, out var why), why);
        Assert.All(_seen.Values, note => Assert.NotNull(key.GoodOf(note)));
        var known = _seen.Values.Select(note => Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint : throw new FormatException(note.Text))
            .OrderBy(checkpoint => checkpoint.Size).ToList();
        Assert.Equal(known.Count, known.Select(checkpoint => checkpoint.Size).Distinct().Count());
        Assert.Single(known.Select(checkpoint => checkpoint.Origin).Distinct());
        var pairs = known.SelectMany((from, i) => known.Skip(i + 1).Select(to => (From: from, To: to))).ToList();
        if (pairs.Count > PairsMax)
            pairs = [.. known.Zip(known.Skip(1)), .. known.SkipLast(1).Select(from => (from, known[^1]))];
        foreach (var (from, to) in pairs)
        {
            using var json = JsonDocument.Parse(await _http.GetByteArrayAsync($"/v1/log/consistency?from={from.Size}&to={to.Size}", cancellation));
            var proof = ProofJson.ReadLogConsistency(json.RootElement);
            Assert.True(MerkleProof.Extends(from.Size, to.Size, from.Root, to.Root, [.. proof.Path]), $"{from} is not the beginning of {to}");
        }

        return known.Count;
    }

    public void Dispose() => _http.Dispose();
}
