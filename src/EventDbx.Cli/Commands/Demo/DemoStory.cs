using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;

namespace EventDbx.Cli.Commands.Demo;

/// <summary>The story the demo tells, step by step.</summary>
internal sealed class DemoStory(DemoStage stage) : IDisposable
{
    const string EventId = "01890a5d-ac96-774b-bcce-b302099a8057";

    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false });
    string _token = "";

    public async Task TellAsync()
    {
        var port = FreePort();
        _http.BaseAddress = new($"http://127.0.0.1:{port}");
        await stage.PromptAsync($"cd {stage.Directory}").ConfigureAwait(false);
        await stage.SayAsync("A server, on this machine only. The first start makes a store, and a key that encrypts it.").ConfigureAwait(false);
        await stage.DbxAsync(0, null, "config", "--data-dir", "data", "--bind", "127.0.0.1", "--port", $"{port}").ConfigureAwait(false);
        await stage.DbxAsync(0, null, "start").ConfigureAwait(false);
        await IssueTokenAsync().ConfigureAwait(false);
        await AppendAsync().ConfigureAwait(false);
        await ReadAsync().ConfigureAwait(false);
        await ConflictAsync().ConfigureAwait(false);
        await VerifyAsync().ConfigureAwait(false);
        await TamperAsync().ConfigureAwait(false);
    }

    async Task IssueTokenAsync()
    {
        await stage.SayAsync("A token that may append to orders, and to nothing else.").ConfigureAwait(false);
        string[] arguments = ["token", "generate", "--group", "shop", "--user", "jane", "--action", "aggregate.append", "--resource", "aggregate:order:*"];
        var shown = $"TOKEN=$(dbx {string.Join(' ', arguments.Select(DemoStage.Quoted))} --config config.toml | sed -n 's/^token=//p')";
        var issued = await stage.DbxAsync(0, shown, arguments).ConfigureAwait(false);
        _token = issued.Out.Split('\n').FirstOrDefault(line => line.StartsWith("token=", StringComparison.Ordinal))?[6..]
            ?? throw new IOException("`dbx token generate` printed no token.");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", _token);
    }

    async Task AppendAsync()
    {
        await stage.SayAsync("Events, over REST. Each is answered once it is on disk.").ConfigureAwait(false);
        await PostAsync(HttpStatusCode.OK, """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-placed","payload":{"customer":"Jane Doe","total":42.50}}""").ConfigureAwait(false);
        await PostAsync(HttpStatusCode.OK, $$$"""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-paid","payload":{"method":"card"},"event_id":"{{{EventId}}}"}""").ConfigureAwait(false);
        await PostAsync(HttpStatusCode.OK, """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-shipped","payload":{"status":"shipped"}}""").ConfigureAwait(false);
    }

    async Task ReadAsync()
    {
        await stage.SayAsync("The state now, as it was at version 1, and how it came about.").ConfigureAwait(false);
        await GetAsync("/v1/aggregates/order/o-1?typed=true").ConfigureAwait(false);
        await GetAsync("/v1/aggregates/order/o-1?typed=true&version=1").ConfigureAwait(false);
        await stage.DbxAsync(0, null, "aggregate", "replay", "order", "o-1", "--skip", "1", "--take", "1").ConfigureAwait(false);
    }

    async Task ConflictAsync()
    {
        await stage.SayAsync("Somebody decides on old knowledge: version 1, while the order is at 3. Nothing is written.").ConfigureAwait(false);
        await PostAsync(HttpStatusCode.Conflict, """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-cancelled","payload":{},"expected_version":1}""").ConfigureAwait(false);
        await stage.SayAsync("A client that never got its answer sends the payment again, under the same event_id: the same event, not another.").ConfigureAwait(false);
        await PostAsync(HttpStatusCode.OK, $$$"""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-paid","payload":{"method":"card"},"event_id":"{{{EventId}}}"}""").ConfigureAwait(false);
    }

    async Task VerifyAsync()
    {
        await stage.SayAsync("Every hash and root, computed again: first of this order, then of everything there is.").ConfigureAwait(false);
        await GetAsync("/v1/aggregates/order/o-1/verify").ConfigureAwait(false);
        await stage.DbxAsync(0, null, "verify", "--all").ConfigureAwait(false);
    }

    async Task TamperAsync()
    {
        await stage.SayAsync("The server is stopped, and somebody changes one byte of the store.").ConfigureAwait(false);
        await stage.DbxAsync(0, null, "stop").ConfigureAwait(false);
        var (file, at) = PlaceToTamper();
        var path = Path.GetRelativePath(stage.Directory, file);
        var before = await FlipAsync(file, at).ConfigureAwait(false);
        await stage.PromptAsync($"printf '\\{Convert.ToString(before ^ 1, 8).PadLeft(3, '0')}' | dd of={path} bs=1 seek={at} conv=notrunc status=none").ConfigureAwait(false);
        await stage.DbxAsync(4, null, "verify", "--all").ConfigureAwait(false);

        await stage.SayAsync("The byte is put back, and all is well again.").ConfigureAwait(false);
        await FlipAsync(file, at).ConfigureAwait(false);
        await stage.PromptAsync($"printf '\\{Convert.ToString(before, 8).PadLeft(3, '0')}' | dd of={path} bs=1 seek={at} conv=notrunc status=none").ConfigureAwait(false);
        await stage.DbxAsync(0, null, "verify", "--all").ConfigureAwait(false);
    }

    /// <summary>The middle of the largest file that holds entries: a table, or the write-ahead log.</summary>
    (string File, long At) PlaceToTamper()
    {
        var largest = new DirectoryInfo(Path.Combine(stage.Directory, "data", "event_store")).GetFiles()
            .Where(file => file.Extension is ".sst" or ".log")
            .MaxBy(file => file.Length) ?? throw new IOException("The store has no file that could be changed.");
        return (largest.FullName, largest.Length / 2);
    }

    /// <summary>Flips the lowest bit of a byte; returns what it was.</summary>
    static async Task<byte> FlipAsync(string path, long at)
    {
        var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        await using (file.ConfigureAwait(false))
        {
            file.Position = at;
            var was = (byte)file.ReadByte();
            file.Position = at;
            file.WriteByte((byte)(was ^ 1));
            return was;
        }
    }

    async Task PostAsync(HttpStatusCode expected, string body)
    {
        await stage.PromptAsync($"curl -s {_http.BaseAddress}v1/events -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n    -d '{body}'").ConfigureAwait(false);
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri("/v1/events", UriKind.Relative), content, stage.Cancellation).ConfigureAwait(false);
        await AnsweredAsync(expected, answer).ConfigureAwait(false);
    }

    async Task GetAsync(string path)
    {
        await stage.PromptAsync($"curl -s '{new Uri(_http.BaseAddress!, path)}' -H \"Authorization: Bearer $TOKEN\"").ConfigureAwait(false);
        using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative), stage.Cancellation).ConfigureAwait(false);
        await AnsweredAsync(HttpStatusCode.OK, answer).ConfigureAwait(false);
    }

    async Task AnsweredAsync(HttpStatusCode expected, HttpResponseMessage answer)
    {
        var body = await answer.Content.ReadAsStringAsync(stage.Cancellation).ConfigureAwait(false);
        await stage.ShowAsync(body).ConfigureAwait(false);
        if (answer.StatusCode != expected)
            throw new IOException($"The server answered {(int)answer.StatusCode}, not {(int)expected}.");
        if (expected != HttpStatusCode.OK)
            await stage.ShowAsync($"(status {(int)expected})").ConfigureAwait(false);
    }

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose() => _http.Dispose();
}
