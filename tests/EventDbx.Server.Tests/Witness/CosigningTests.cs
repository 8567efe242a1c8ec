using System.Net;
using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tests.Rest;
using EventDbx.Server.Witness;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Witness;

/// <summary>A server and its witnesses, all real.</summary>
[CiTier("It waits for witnesses that are away.")]
public sealed class CosigningTests : IAsyncLifetime
{
    readonly TemporaryDirectory _directory = new();
    readonly List<WitnessHost> _witnesses = [];
    readonly List<LogLine> _lines = [];
    ServerHost? _server;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var witness in _witnesses)
            await witness.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_checkpoint_that_is_waited_for_has_the_cosignatures_of_the_quorum()
    {
        await StartAsync(witnesses: 2, quorum: 2);
        for (var i = 0; i < 5; i++)
        {
            var position = await AppendAsync();
            var reply = await GetAsync("/v1/log/checkpoint?wait=checkpoint");
            Assert.Equal(HttpStatusCode.OK, reply.Status);
            Assert.True(SignedNote.TryParse(Encoding.UTF8.GetBytes(reply.Body), out var note));
            Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint) && checkpoint.Size >= position);
            Assert.All(_witnesses, witness => Assert.NotNull(witness.Key.GoodOf(note)));
            // A witness may have cosigned it once more since, at a later time.
            var stored = _server!.Database.FindCheckpoint()!.Value.Note;
            Assert.Equal(note.Text, stored.Text);
            Assert.All(_witnesses, witness => Assert.NotNull(witness.Key.GoodOf(stored)));
        }

        Assert.Equal((2, 2), (_server!.Status().Checkpoint!.Cosigned, _server.Status().Checkpoint!.Witnesses));
    }

    [Fact]
    public async Task Without_a_quorum_nobody_waits_and_cosignatures_come_all_the_same()
    {
        await StartAsync(witnesses: 1, quorum: 0);
        await AppendAsync();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
        await UntilAsync(() => _server!.Status().Checkpoint is { Cosigned: 1 });
    }

    [Fact]
    public async Task A_witness_that_is_away_is_named_and_is_asked_again_when_it_is_back()
    {
        await StartAsync(witnesses: 2, quorum: 2, impatient: true);
        var (away, port) = (_witnesses[1], _witnesses[1].Port);
        await away.DisposeAsync();
        _witnesses.RemoveAt(1);
        await AppendAsync();
        var reply = await GetAsync("/v1/log/checkpoint?wait=checkpoint");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, reply.Status);
        Assert.Contains("\"code\":\"unavailable\"", reply.Body, StringComparison.Ordinal);
        Assert.Contains(away.Key.Name, reply.Body, StringComparison.Ordinal);
        Assert.DoesNotContain(_witnesses[0].Key.Name, reply.Body, StringComparison.Ordinal);
        // Appends and checkpoints that are not waited for go on.
        await AppendAsync();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/v1/log/checkpoint")).Status);

        await AddWitnessAsync(1, port);
        var waited = await GetAsync("/v1/log/checkpoint?wait=checkpoint");
        Assert.Equal(HttpStatusCode.OK, waited.Status);
        Assert.Contains(away.Key.Name, waited.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_starts_again_learns_what_its_witnesses_know()
    {
        await StartAsync(witnesses: 1, quorum: 1);
        await AppendAsync();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
        await StopAsync();
        await StartServerAsync(quorum: 1, impatient: false);
        await AppendAsync();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
    }

    [Fact]
    public async Task A_data_directory_that_was_rolled_back_is_found_by_the_witness()
    {
        await StartAsync(witnesses: 1, quorum: 1);
        await AppendAsync();
        await StopAsync();
        Copy(_directory["data"], _directory["old"]);
        await StartServerAsync(quorum: 1, impatient: true);
        await AppendAsync();
        await AppendAsync();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
        await StopAsync();
        Directory.Delete(_directory["data"], recursive: true);
        Copy(_directory["old"], _directory["data"]);

        await StartServerAsync(quorum: 1, impatient: true);
        var reply = await GetAsync("/v1/log/checkpoint?wait=checkpoint");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, reply.Status);
        Assert.Contains("the log was rolled back", reply.Body, StringComparison.Ordinal);
        // It goes on from there, as long as it was and longer: another history, which the witness does not cosign either.
        for (var i = 0; i < 4; i++)
            await AppendAsync();
        Assert.Contains("does not accept that the log", (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Body, StringComparison.Ordinal);
        lock (_lines)
            Assert.Contains(_lines, line => line is { Level: LogLevel.Critical, Source: "witness" });
        // Status tells, as it is sent and as it is read; the server goes on.
        var sent = new System.Buffers.ArrayBufferWriter<byte>();
        _server!.Status().Write(sent);
        using var json = System.Text.Json.JsonDocument.Parse(sent.WrittenMemory);
        var trouble = Assert.Single(ServerStatus.Read(json.RootElement).Checkpoint!.Troubles);
        Assert.Equal((_witnesses[0].Key.Name, true), (trouble.Name, trouble.Contradicts));
        Assert.StartsWith($"{trouble.Name} contradicts this log: ", trouble.ToString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("/ready")).Status);
    }

    [Fact]
    public async Task A_witness_that_does_not_know_the_log_is_told_of()
    {
        await StartAsync(witnesses: 1, quorum: 1, impatient: true, known: false);
        await AppendAsync();
        Assert.Contains("does not know this log", (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a character set that nobody knows")]
    [InlineData("cut short")]
    [InlineData("another key's cosignature")]
    [InlineData("a status that is none")]
    public async Task Whatever_one_witness_answers_the_others_go_on(string what)
    {
        await StartAsync(witnesses: 1, quorum: 1);
        await StopAsync();
        await using var hostile = new HostileWitness(what switch
        {
            "a character set that nobody knows" => _ => "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=nosuch\r\nContent-Length: 3\r\nConnection: close\r\n\r\nxyz",
            "cut short" => _ => "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nxyz",
            "another key's cosignature" => _ => "HTTP/1.1 200 OK\r\nContent-Length: 22\r\nConnection: close\r\n\r\n\u2014 hostile.example AAAA\n",
            _ => _ => "HTTP/1.1 99999 What\r\n\r\n",
        });
        _addresses = new([.. _addresses, hostile.Address]);
        await StartServerAsync(quorum: 1, impatient: false);
        for (var i = 0; i < 3; i++)
        {
            await AppendAsync();
            Assert.Equal(HttpStatusCode.OK, (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
        }

        await UntilAsync(() => _server!.Status().Checkpoint!.Troubles is [{ Name: "hostile.example", Contradicts: false }]);
    }

    [Fact]
    public async Task A_quorum_is_there_as_soon_as_enough_have_cosigned_however_slow_the_others_are()
    {
        await StartAsync(witnesses: 1, quorum: 1);
        await StopAsync();
        // It takes requests and never answers; the server gives it 5 s each time.
        await using var silent = new HostileWitness(_ => null);
        _addresses = new([.. _addresses, silent.Address]);
        await StartServerAsync(quorum: 1, impatient: false);
        var began = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 5; i++)
        {
            await AppendAsync();
            Assert.Equal(HttpStatusCode.OK, (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
        }

        await UntilAsync(() => silent.Asked > 0);
        // Five rounds that waited for it would take five times its 5 s.
        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, 3 * WitnessLimits.AnswerTimeout);
    }

    [Fact]
    public async Task A_witness_that_is_away_is_not_asked_without_a_pause_while_somebody_waits()
    {
        await StartAsync(witnesses: 1, quorum: 1);
        await StopAsync();
        await using var refusing = new HostileWitness(_ => "HTTP/1.1 503 Not now\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        _addresses = new([.. _addresses, refusing.Address]);
        await StartServerAsync(quorum: 2, impatient: true);
        await AppendAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await GetAsync("/v1/log/checkpoint?wait=checkpoint")).Status);
        Assert.InRange(refusing.Asked, 1, 12);
    }

    [Fact]
    public async Task Who_waits_for_a_quorum_with_a_token_that_is_revoked_waits_no_longer()
    {
        await StartAsync(witnesses: 1, quorum: 1);
        await _witnesses[0].DisposeAsync();
        _witnesses.Clear();
        await AppendAsync();
        var owner = _server!.Database.OpenSession(new("cli", "test"));
        var issued = await _server.Tokens.IssueAsync(owner, new() { Group = "g", User = "u", Root = true, TtlSeconds = 3600, KeepAlive = true }, Cancellation);
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = new("Bearer", issued.Token);

        var waiting = client.GetAsync($"http://127.0.0.1:{_server.Port}/v1/log/checkpoint?wait=checkpoint", Cancellation);
        // Each use moves its end: so the request has come in.
        await UntilAsync(() => _server.Tokens.List(owner).Single(token => token.Jti == issued.Listing.Jti).ExpiresAt!.Value.CompareTo(issued.Listing.ExpiresAt!.Value) > 0);
        await _server.Tokens.RevokeAsync(owner, issued.Token, "left", Cancellation);

        using var response = await waiting;
        // Otherwise it would have waited for a minute, and said that the witness is missing.
        Assert.Equal(HttpStatusCode.Unauthorized, response.StatusCode);
        Assert.Contains("The token has been revoked.", await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The server makes its key first: its witnesses are started with it.</summary>
    async Task StartAsync(int witnesses, int quorum, bool impatient = false, bool known = true)
    {
        await StartServerAsync(quorum: 0, impatient: false);
        await AppendAsync();
        await _server!.Database.ReadCheckpointAsync(1, handOut: false, Cancellation);
        _origin = known ? _server!.Database.ReadLogKey() : StrangerKey();
        await StopAsync();
        for (var i = 0; i < witnesses; i++)
            await AddWitnessAsync(i, 0);
        _addresses = new([.. _witnesses.Select(witness => $"{witness.Key} http://127.0.0.1:{witness.Port}")]);
        await StartServerAsync(quorum, impatient);
    }

    string _origin = "";
    ConfigList _addresses = ConfigList.Empty;

    static string StrangerKey()
    {
        using var key = SigningKey.Of("nobody", NoteAlgorithm.Signature, new byte[32]);
        return key.Public.ToString();
    }

    async Task AddWitnessAsync(int number, int port)
    {
        Assert.True(NoteKey.TryParse(_origin, out var log, out _));
        _witnesses.Insert(number, await WitnessHost.StartAsync(
            new() { Directory = _directory[$"w{number}"], Logs = [log], Listen = new(IPAddress.Loopback, port) }, $"w{number}.example", Cancellation));
    }

    async Task StartServerAsync(int quorum, bool impatient)
    {
        _server = await ServerHost.StartAsync(
            new()
            {
                Config = new() { DataDir = _directory["data"], LogWitnesses = _addresses, LogQuorum = quorum },
                Auth = RestServer.Auth, Bind = IPAddress.Loopback, Port = 0, Version = "test", SocketPath = _directory["s"],
                Database = new() { Directory = _directory["data"], Encrypted = false },
                QuorumTimeout = impatient ? TimeSpan.FromSeconds(4) : TimeSpan.FromSeconds(60),
                Log = line =>
                {
                    lock (_lines)
                        _lines.Add(line);
                },
            },
            Cancellation);
    }

    async Task StopAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
        _server = null;
    }

    async Task<ulong> AppendAsync() => (await _server!.Database.OpenSession().AppendAsync(
        new() { Aggregate = AggregateKey.Create("order", "o-1"), EventType = "paid", Payload = "{}"u8.ToArray() }, Cancellation)).Record.Position;

    async Task<(HttpStatusCode Status, string Body)> GetAsync(string target)
    {
        var token = await _server!.Tokens.IssueAsync(_server.Database.OpenSession(new("cli", "test")), new() { Group = "g", User = "u", Root = true, TtlSeconds = 0 }, Cancellation);
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Authorization = new("Bearer", token.Token);
        using var response = await client.GetAsync($"http://127.0.0.1:{_server.Port}{target}", Cancellation);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancellation));
    }

    static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancellation);
    }

    static void Copy(string from, string to)
    {
        foreach (var directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories).Prepend(from))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(Path.Combine(to, Path.GetRelativePath(from, file)), File.GetUnixFileMode(file));
        }
    }
}
