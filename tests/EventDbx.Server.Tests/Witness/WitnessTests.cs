using System.Globalization;
using System.Net;
using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Witness;

namespace EventDbx.Server.Tests.Witness;

public sealed class WitnessTests : IAsyncLifetime
{
    const string Origin = "example.com/log";

    readonly TemporaryDirectory _directory = new();
    readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false });
    readonly GrowingLog _log = new(Origin);
    WitnessHost? _witness;

    public async ValueTask InitializeAsync() => await StartAsync();

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _log.Dispose();
        _client.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_log_that_grows_is_cosigned_step_by_step()
    {
        foreach (var (from, to) in new[] { (0, 1), (1, 2), (2, 7), (7, 8), (8, 8), (8, 64), (64, 65), (65, 100) })
            Cosigned(await AddAsync(from, to), _log.Checkpoint(to));
    }

    [Fact]
    public async Task The_first_checkpoint_may_be_of_any_size_even_of_none()
    {
        Cosigned(await AddAsync(0, 0), _log.Checkpoint(0));
        Cosigned(await AddAsync(0, 77), _log.Checkpoint(77));
    }

    [Fact]
    public async Task A_size_that_is_not_the_one_cosigned_last_is_a_conflict_that_tells_it()
    {
        await AddAsync(0, 10);
        foreach (var old in (int[])[0, 9, 11])
        {
            var refused = await AddAsync(old, 12);
            Assert.Equal((409, "10\n", "text/x.tlog.size"), (refused.Status, refused.Body, refused["Content-Type"]));
        }

        Cosigned(await AddAsync(10, 12), _log.Checkpoint(12));
    }

    [Fact]
    public async Task A_rolled_back_log_is_a_conflict()
    {
        await AddAsync(0, 10);
        var refused = await AddAsync(5, 5);
        Assert.Equal((409, "10\n"), (refused.Status, refused.Body));
        Assert.Equal(400, (await AddAsync(10, 5)).Status);
    }

    [Fact]
    public async Task A_fork_of_the_same_size_is_a_conflict_and_kept_as_proof()
    {
        await AddAsync(0, 10);
        using var fork = new GrowingLog(Origin, forkedAt: 4);
        var refused = await SendAsync(10, [], fork.Checkpoint(10));
        Assert.Equal((409, "10\n", "text/x.tlog.size"), (refused.Status, refused.Body, refused["Content-Type"]));
        Assert.Equal(fork.Checkpoint(10).ToString(), File.ReadAllText(Assert.Single(Directory.GetFiles(_directory["w"], "*.fork"))));
        Cosigned(await AddAsync(10, 10), _log.Checkpoint(10));
    }

    [Fact]
    public async Task A_fork_that_has_grown_has_no_proof()
    {
        await AddAsync(0, 10);
        using var fork = new GrowingLog(Origin, forkedAt: 4);
        Assert.Equal(422, (await SendAsync(10, fork.Proof(10, 20), fork.Checkpoint(20))).Status);
        Assert.Equal(422, (await SendAsync(10, _log.Proof(10, 20), fork.Checkpoint(20))).Status);
        Cosigned(await AddAsync(10, 20), _log.Checkpoint(20));
    }

    [Fact]
    public async Task A_proof_that_is_changed_missing_or_too_much_is_refused_and_nothing_is_remembered()
    {
        await AddAsync(0, 10);
        var proof = _log.Proof(10, 21).ToList();
        Assert.Equal(422, (await SendAsync(10, [.. proof.Skip(1)], _log.Checkpoint(21))).Status);
        Assert.Equal(422, (await SendAsync(10, [.. proof, proof[0]], _log.Checkpoint(21))).Status);
        Assert.Equal(422, (await SendAsync(10, [Hash32.Empty, .. proof.Skip(1)], _log.Checkpoint(21))).Status);
        Assert.Equal(422, (await SendAsync(10, [], _log.Checkpoint(21))).Status);
        Assert.Equal(422, (await SendAsync(10, [proof[0]], _log.Checkpoint(10))).Status);
        Cosigned(await AddAsync(10, 21), _log.Checkpoint(21));
    }

    [Fact]
    public async Task A_proof_from_nothing_is_empty() =>
        Assert.Equal(422, (await SendAsync(0, [Hash32.Empty], _log.Checkpoint(3))).Status);

    [Fact]
    public async Task An_unknown_origin_is_not_found()
    {
        using var other = new GrowingLog("example.com/other");
        Assert.Equal(404, (await SendAsync(0, [], other.Checkpoint(3))).Status);
    }

    [Fact]
    public async Task A_checkpoint_without_a_good_signature_of_the_log_is_forbidden()
    {
        var good = _log.Checkpoint(3);
        using var stranger = SigningKey.Parse(SigningKey.NewText("s", NoteAlgorithm.Signature), NoteAlgorithm.Signature)!;
        Assert.Equal(403, (await SendAsync(0, [], SignedNote.Of(good.Text, [stranger.Sign(Origin, good.Text)]))).Status);
        Assert.Equal(403, (await SendAsync(0, [], SignedNote.Of(_log.Checkpoint(4).Text, good.Signatures))).Status);
        // Signatures of others beside a good one do not matter.
        Cosigned(await SendAsync(0, [], good.With([stranger.Sign("else", good.Text)])), good);
    }

    [Fact]
    public async Task Extension_lines_of_another_log_are_cosigned_with_the_rest() =>
        Cosigned(await SendAsync(0, [], _log.Checkpoint(3, "more\nof it\n")), _log.Checkpoint(3, "more\nof it\n"));

    [Theory]
    [InlineData("")]
    [InlineData("old 0\n")]
    [InlineData("old 0\n\n")]
    [InlineData("old 00\n\nNOTE")]
    [InlineData("old 0\0\n\nNOTE")]
    [InlineData("old -1\n\nNOTE")]
    [InlineData("old\n\nNOTE")]
    [InlineData("Old 0\n\nNOTE")]
    [InlineData("old 18446744073709551616\n\nNOTE")]
    [InlineData("old 0\nAAAA\n\nNOTE")]
    [InlineData("old 0\nnot base64 at all, not even nearly, no no no\n\nNOTE")]
    [InlineData("old 0\nNOTE")]
    [InlineData("old 0\r\n\r\nNOTE")]
    [InlineData("old 0\n\nexample.com/log\n03\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— example.com/log AAAAAAAA\n")]
    [InlineData("old 0\n\nexample.com/log\n3\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuF==\n\n— example.com/log AAAAAAAA\n")]
    [InlineData("64 HASHES")]
    public async Task What_is_no_request_is_a_bad_request(string body)
    {
        var hash = Convert.ToBase64String(new byte[32]) + "\n";
        body = body == "64 HASHES" ? "old 3\n" + string.Concat(Enumerable.Repeat(hash, 64)) + "\nNOTE" : body;
        Assert.Equal(400, (await SendAsync(Encoding.UTF8.GetBytes(body.Replace("NOTE", _log.Checkpoint(3).ToString(), StringComparison.Ordinal)))).Status);
        Cosigned(await AddAsync(0, 3), _log.Checkpoint(3));
    }

    [Fact]
    public async Task More_than_a_request_may_have_is_refused_and_so_is_any_other_path_or_method()
    {
        Assert.Equal(413, (await SendAsync(new byte[WitnessLimits.RequestBytesMax + 1])).Status);
        using var get = await _client.GetAsync(Url("/add-checkpoint"), Cancellation);
        Assert.Equal((HttpStatusCode.MethodNotAllowed, "POST"), (get.StatusCode, get.Content.Headers.Allow.Single()));
        using var capital = await _client.GetAsync(Url("/Add-Checkpoint"), Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, capital.StatusCode);
        using var other = await _client.GetAsync(Url("/"), Cancellation);
        Assert.Equal(HttpStatusCode.NotFound, other.StatusCode);
    }

    [Fact]
    public async Task A_witness_that_starts_again_remembers_and_keeps_its_key()
    {
        await AddAsync(0, 10);
        var key = _witness!.Key.ToString();
        await StopAsync();
        await StartAsync();
        Assert.Equal(key, _witness!.Key.ToString());
        Assert.Equal((409, "10\n"), ((await AddAsync(0, 12)).Status, (await AddAsync(0, 12)).Body));
        using var fork = new GrowingLog(Origin, forkedAt: 4);
        Assert.Equal(409, (await SendAsync(10, [], fork.Checkpoint(10))).Status);
        Cosigned(await AddAsync(10, 12), _log.Checkpoint(12));
    }

    [Fact]
    public async Task A_checkpoint_that_could_not_be_read_again_with_our_cosignature_is_refused_and_the_witness_starts_again()
    {
        var bare = WitnessRequest.Write(0, [], _log.Checkpoint(10, "x\n")).Length;
        var extension = new string('x', WitnessLimits.RequestBytesMax - bare + 1) + "\n";
        Assert.Equal(400, (await SendAsync(0, [], _log.Checkpoint(10, extension))).Status);
        // The one that just fits with the cosignature is kept.
        Assert.Equal(200, (await SendAsync(0, [], _log.Checkpoint(10, extension[300..]))).Status);
        await StopAsync();
        await StartAsync();
        Cosigned(await AddAsync(10, 12), _log.Checkpoint(12));
    }

    [Fact]
    public async Task A_fork_is_a_conflict_even_where_there_is_no_room_to_keep_it()
    {
        await AddAsync(0, 10);
        var place = Path.ChangeExtension(Assert.Single(Directory.GetFiles(_directory["w"], "*.checkpoint")), ".fork.tmp");
        Directory.CreateDirectory(Path.Combine(place, "x"));
        using var fork = new GrowingLog(Origin, forkedAt: 4);
        Assert.Equal(409, (await SendAsync(10, [], fork.Checkpoint(10))).Status);
    }

    [Theory]
    [InlineData("SHORTER")]
    [InlineData("CHANGED")]
    [InlineData("OTHER WITNESS")]
    public async Task A_memory_that_was_changed_stops_the_start(string kind)
    {
        await AddAsync(0, 10);
        await StopAsync();
        var file = Assert.Single(Directory.GetFiles(_directory["w"], "*.checkpoint"));
        var good = await File.ReadAllTextAsync(file, Cancellation);
        using var other = SigningKey.Parse(SigningKey.NewText("w", NoteAlgorithm.Cosignature), NoteAlgorithm.Cosignature)!;
        var changed = kind switch
        {
            "SHORTER" => good[..^20],
            "CHANGED" => good.Replace("\n10\n", "\n5\n", StringComparison.Ordinal),
            _ => SignedNote.Of(_log.Checkpoint(5).Text, [other.Cosign(_log.Checkpoint(5).Text, DateTimeOffset.UnixEpoch)]).ToString(),
        };
        await File.WriteAllTextAsync(file, changed, Cancellation);
        var refused = await Assert.ThrowsAsync<StoreRefusedException>(StartAsync);
        Assert.Contains(Path.GetFileName(file), refused.Message, StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, good, Cancellation);
        await StartAsync();
    }

    [Fact]
    public async Task Two_witnesses_do_not_share_a_directory()
    {
        var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => WitnessHost.StartAsync(Options, null, Cancellation));
        Assert.True(refused.InUse);
    }

    [Fact]
    public async Task A_witness_that_cannot_remember_does_not_cosign()
    {
        await AddAsync(0, 10);
        // Where the new file would be written is something that is no file, and not empty.
        var place = Assert.Single(Directory.GetFiles(_directory["w"], "*.checkpoint")) + ".tmp";
        Directory.CreateDirectory(Path.Combine(place, "x"));
        Assert.Equal(500, (await AddAsync(10, 12)).Status);
        Directory.Delete(place, recursive: true);
        Cosigned(await AddAsync(10, 12), _log.Checkpoint(12));
    }

    [Fact]
    public async Task Many_at_once_are_answered_one_after_the_other_and_no_two_contradict_each_other()
    {
        using var fork = new GrowingLog(Origin, forkedAt: 4);
        await AddAsync(0, 4);
        var asked = Enumerable.Range(5, 20).SelectMany(size => ((GrowingLog[])[_log, fork]).Select(async log =>
        {
            var reply = await SendAsync(4, log.Proof(4, size), log.Checkpoint(size));
            return (log, size, reply);
        }));
        var answers = await Task.WhenAll(asked);
        var (winner, length, first) = Assert.Single(answers, answer => answer.reply.Status == 200);
        Cosigned(first, winner.Checkpoint(length));
        Assert.All(answers.Where(answer => answer.reply.Status != 200), answer => Assert.Equal(
            (409, $"{length.ToString(CultureInfo.InvariantCulture)}\n"), (answer.reply.Status, answer.reply.Body)));
    }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    WitnessOptions Options => new() { Directory = _directory["w"], Logs = [_log.Key], Listen = new(IPAddress.Loopback, 0) };

    async Task StartAsync() => _witness = await WitnessHost.StartAsync(Options, null, Cancellation);

    async Task StopAsync()
    {
        if (_witness is not null)
            await _witness.DisposeAsync();
        _witness = null;
    }

    Uri Url(string path) => new($"http://127.0.0.1:{_witness!.Port}{path}");

    Task<Rest.Reply> AddAsync(int from, int to) => SendAsync(from, from > to ? [] : _log.Proof(from, to), _log.Checkpoint(to));

    Task<Rest.Reply> SendAsync(int oldSize, IReadOnlyList<Hash32> proof, SignedNote note) => SendAsync(WitnessRequest.Write((ulong)oldSize, proof, note));

    async Task<Rest.Reply> SendAsync(byte[] body)
    {
        using var content = new ByteArrayContent(body);
        using var response = await _client.PostAsync(Url("/add-checkpoint"), content, Cancellation);
        return await Rest.Reply.OfAsync(response);
    }

    void Cosigned(Rest.Reply reply, SignedNote checkpoint)
    {
        Assert.Equal(200, reply.Status);
        Assert.True(SignedNote.TryParseLines(reply.Body, out var lines), reply.Body);
        Assert.NotNull(_witness!.Key.GoodOf(checkpoint.Text, lines));
    }
}
