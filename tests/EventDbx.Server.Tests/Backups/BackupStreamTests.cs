using System.Net;
using System.Text;
using EventDbx.Backups;
using EventDbx.Cli.Commands.Backup;
using EventDbx.Server.Backups;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Backups;

/// <summary>An archive on its way from a server: who does not take it is cut off, and what does not come whole is none.</summary>
[CiTier("It waits for limits of time, one after the other.")]
public sealed class BackupStreamTests : IAsyncLifetime
{
    /// <summary>More than lies between server and client when nobody reads.</summary>
    const int Events = 40, EventBytes = 600_000;

    readonly RestServer _server = new() { ChangeOptions = static options => options with { BackupPatience = TimeSpan.FromMilliseconds(500) } };

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Who_does_not_take_it_is_cut_off_and_the_next_one_gets_its_turn(int version)
    {
        await FillAsync();
        using (var stalled = await AskAsync(new(version, version == 1 ? 1 : 0)))
        {
            Assert.Equal(HttpStatusCode.OK, stalled.StatusCode);
            await UntilNoneIsUnderWayAsync();
            Assert.Null(BackupRecord.Find(_server.DataDir, out _));
            await Assert.ThrowsAnyAsync<Exception>(async () => BackupReader.Read(new MemoryStream(await stalled.Content.ReadAsByteArrayAsync(Cancellation)), new(), Cancellation));
        }

        using var next = await AskAsync(HttpVersion.Version11);
        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
    }

    [Fact]
    public async Task Who_takes_a_little_now_and_then_is_cut_off_as_well()
    {
        await FillAsync();
        using var crawling = await AskAsync(HttpVersion.Version20);
        await using var body = await crawling.Content.ReadAsStreamAsync(Cancellation);
        var piece = new byte[4096];
        while (Directory.GetDirectories(_server.DataDir, "event_store.stage-*").Length > 0)
        {
            try
            {
                _ = await body.ReadAsync(piece, Cancellation);
            }
            catch (Exception cause) when (cause is IOException or HttpRequestException)
            {
                break;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancellation);
        }

        await UntilNoneIsUnderWayAsync();
    }

    [Fact]
    public async Task A_token_that_is_revoked_meanwhile_ends_it_within_the_answer()
    {
        await FillAsync();
        var token = await _server.IssueAsync(new() { Group = "ops", User = "eve", Root = true, TtlSeconds = 3600 });
        await using var stream = await _server.ConnectAsync();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /admin/backup HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), Cancellation);
        var first = new byte[1000];
        await stream.ReadExactlyAsync(first, Cancellation);
        Assert.StartsWith("HTTP/1.1 200 ", Encoding.ASCII.GetString(first), StringComparison.Ordinal);

        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, "left", Cancellation);

        await UntilNoneIsUnderWayAsync();
        Assert.False((await RestServer.ReadToEndAsync(stream)).EndsWith("\r\n0\r\n\r\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_ends_too_early_or_goes_on_is_no_backup_however_its_body_has_ended()
    {
        await FillAsync(events: 3);
        using var response = await AskAsync(HttpVersion.Version11);
        var whole = await response.Content.ReadAsByteArrayAsync(Cancellation);
        Assert.Equal(_server.Host.Database.LogSize, Pass(whole).LogSize);
        Assert.Equal((BackupRecord.Streamed, _server.Host.Database.LogSize), (BackupRecord.Find(_server.DataDir, out _)!.To, BackupRecord.Find(_server.DataDir, out _)!.LogSize));
        foreach (var length in (int[])[0, 1, 1000, whole.Length / 2, whole.Length - 5, whole.Length - 1])
            Refused(whole[..length]);
        Refused([.. whole, 0]);
        Refused([.. whole, .. whole]);
        var flipped = (byte[])whole.Clone();
        flipped[whole.Length / 2] ^= 1;
        Refused(flipped);
        Refused("<html>503</html>"u8.ToArray());

        static void Refused(byte[] content)
        {
            var refused = Assert.Throws<RefusedException>(() => Pass(content));
            Assert.Equal(RefusalCode.Unavailable, refused.Refusal.Code);
            Assert.Contains("no whole backup", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void One_that_is_given_up_leaves_nobody_waiting()
    {
        using var output = new MemoryStream();
        using var archive = new CheckedArchive(output);
        archive.Write(new byte[10]);
    }

    static BackupManifest Pass(byte[] content)
    {
        using var output = new MemoryStream();
        using var archive = new CheckedArchive(output);
        foreach (var piece in content.Chunk(100_000))
            archive.Write(piece);
        var manifest = archive.Finish();
        Assert.Equal((content.Length, true), ((int)archive.Bytes, output.ToArray().AsSpan().SequenceEqual(content)));
        return manifest;
    }

    async Task FillAsync(int events = Events)
    {
        var payload = new byte[EventBytes];
        new Random(1).NextBytes(payload);
        for (var i = 0; i < events; i++)
            await _server.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("large", $"{i}"), EventType = "made", Payload = Encoding.UTF8.GetBytes($$"""{"n":{{i}},"x":"{{Convert.ToBase64String(payload)}}"}""") }, Cancellation);
    }

    async Task UntilNoneIsUnderWayAsync()
    {
        while (Directory.GetDirectories(_server.DataDir, "event_store.stage-*").Length > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancellation);
    }

    async Task<HttpResponseMessage> AskAsync(Version version)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/backup") { Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        return await _server.ClientOf(version).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
    }
}
