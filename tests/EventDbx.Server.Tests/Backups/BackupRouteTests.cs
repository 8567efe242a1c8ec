using System.Net;
using System.Text;
using EventDbx.Backups;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Backups;

/// <summary><c>POST /admin/backup</c>.</summary>
public sealed class BackupRouteTests : IAsyncLifetime
{
    readonly RestServer _server = new();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Theory]
    [InlineData(null, "included")]
    [InlineData("""{"keys":true}""", "included")]
    [InlineData("""{"keys":false}""", "left_out")]
    public async Task It_is_an_archive_with_keys_or_without(string? body, string keys)
    {
        await AppendAsync(3);
        using var response = await AskAsync(body);
        Assert.Equal((HttpStatusCode.OK, "application/zstd"), (response.StatusCode, response.Content.Headers.ContentType!.MediaType));
        var archive = await response.Content.ReadAsByteArrayAsync(Cancellation);
        using var directory = new TemporaryDirectory();
        var contents = BackupReader.Unpack(new MemoryStream(archive), directory["unpacked"], new(), Cancellation);
        Assert.Equal((keys, _server.Host.Database.LogSize), (contents.Manifest.Keys, contents.Manifest.LogSize));
        Assert.Equal(3UL, BackupAudit.Run(contents, null, [], TimeProvider.System, null, null, Cancellation).Events);
        Assert.Contains("page_limit", await File.ReadAllTextAsync(contents.ConfigFile!, Cancellation), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"key":true}""")]
    [InlineData("""{"keys":"no"}""")]
    [InlineData("""{"since":{}}""")]
    [InlineData("""{"since":{"database_id":"01900000-0000-7000-8000-00000000000a","base":{"backup_id":"01900000-0000-7000-8000-00000000000b","file":"../x","log_size":1,"log_root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"files":[]}}""")]
    [InlineData("""{"since":{"database_id":"01900000-0000-7000-8000-00000000000a","base":{"backup_id":"01900000-0000-7000-8000-00000000000b","file":"x","log_size":1,"log_root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"files":[{"path":"data/../x","size":1,"sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}}""")]
    [InlineData("""{"since":{"database_id":"01900000-0000-7000-8000-00000000000a","base":{"backup_id":"01900000-0000-7000-8000-00000000000b","file":"x","log_size":1,"log_root":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","manifest_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"files":[]}}""")]
    public async Task A_request_that_is_none_is_refused(string body)
    {
        var refused = await _server.SendAsync("POST", "/admin/backup", body);
        Assert.Equal((400, "invalid_argument"), (refused.Status, refused.Code));
    }

    [Fact]
    public async Task Who_goes_away_leaves_nothing_behind_and_the_next_one_waits_its_turn()
    {
        await AppendAsync(3);
        var payload = new byte[600_000];
        new Random(1).NextBytes(payload);
        for (var i = 0; i < 40; i++)
            await _server.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("large", $"{i}"), EventType = "made", Payload = Encoding.UTF8.GetBytes($$"""{"n":{{i}},"x":"{{Convert.ToBase64String(payload)}}"}""") }, Cancellation);

        using (await AskAsync(null))
        {
            Assert.Single(Directory.GetDirectories(_server.DataDir, "event_store.stage-*"));
            var waits = await _server.SendAsync("POST", "/admin/backup", null);
            Assert.Equal((503, "overloaded"), (waits.Status, waits.Code));
        }

        while (Directory.GetDirectories(_server.DataDir, "event_store.stage-*").Length > 0)
            await Task.Delay(10, Cancellation);
        using var again = await AskAsync(null);
        Assert.Equal(_server.Host.Database.LogSize, BackupReader.Read(await again.Content.ReadAsStreamAsync(Cancellation), new(), Cancellation).Manifest.LogSize);
    }

    async Task AppendAsync(int count)
    {
        for (var i = 0; i < count; i++)
            await _server.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("m", "1"), EventType = "made", Payload = "{}"u8.ToArray() }, Cancellation);
    }

    /// <summary>The beginning of the answer; the rest is taken by whoever reads it.</summary>
    async Task<HttpResponseMessage> AskAsync(string? body)
    {
        var client = _server.ClientOf(HttpVersion.Version11);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/admin/backup");
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
    }
}
