using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Cli.Output;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx log anchor</c> and <c>dbx log mirror</c>, with the server running and stopped: what they write, and what they find.</summary>
public sealed class LogCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Fact]
    public async Task Where_there_is_no_store_there_is_no_log_and_nothing_is_made()
    {
        foreach (var command in (string[][])[["checkpoint"], ["key"], ["consistency", "--from", "1"], ["anchor", "a"], ["mirror", "m"]])
        {
            var outcome = await _line.RunAsync(["log", .. command]);
            Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Out));
            Assert.Contains("There is no log", outcome.Error, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_line.Directory.Path));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task An_anchor_keeps_a_checkpoint_for_each_size_and_checks_all_of_them_every_time(bool served)
    {
        await ApplyAsync(3);
        await using var server = served ? await RunningServer.StartAsync(_line) : null;
        var first = await AnchorAsync(0, isNew: true);
        await ApplyAsync(2);
        await AnchorAsync(1, isNew: true);
        await AnchorAsync(2, isNew: false);
        Assert.Equal(2, Anchors.Length);
        Assert.True(SignedNote.TryParse(await File.ReadAllBytesAsync(first, Cancellation), out var note));
        Assert.True(NoteKey.TryParse((await _line.RunAsync("log", "key")).Out.TrimEnd('\n'), out var key, out _));
        Assert.NotNull(key.GoodOf(note));
    }

    [Theory]
    [InlineData("another root", "was changed")]
    [InlineData("no note", "is not a checkpoint")]
    [InlineData("another key", "is not signed with the key of the log")]
    [InlineData("rolled back", "entries that were signed are gone")]
    [InlineData("a fork", "has root")]
    [InlineData("a longer fork", "does not continue")]
    [InlineData("another log", "of another log")]
    public async Task An_anchor_that_the_log_does_not_continue_is_a_difference_and_nothing_is_written(string kind, string words)
    {
        await ApplyAsync(3);
        await AnchorAsync(0, isNew: true);
        var file = Assert.Single(Anchors);
        var good = await File.ReadAllTextAsync(file, Cancellation);
        Assert.True(SignedNote.TryParse(System.Text.Encoding.UTF8.GetBytes(good), out var note));
        Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
        using var key = KeyFile.OfLog(_line.DataDirectory);
        using var stranger = SigningKey.Parse(SigningKey.NewText("s", NoteAlgorithm.Signature), NoteAlgorithm.Signature)!;
        var root = Integrity.Hash32.Empty;
        await File.WriteAllTextAsync(file, kind switch
        {
            "another root" => good.Replace(Root(note), Root(Signed(key, checkpoint with { Root = root })), StringComparison.Ordinal),
            "no note" => good[..40],
            "another key" => Signed(stranger, checkpoint).ToString(),
            "rolled back" => Signed(key, checkpoint with { Size = checkpoint.Size + 9 }).ToString(),
            "a fork" => Signed(key, checkpoint with { Root = root }).ToString(),
            "a longer fork" => Signed(key, checkpoint with { Size = checkpoint.Size - 1, Root = root }).ToString(),
            _ => Signed(key, checkpoint with { Origin = "example.com/else" }).ToString(),
        }, Cancellation);
        var changed = _line.Directory.Fingerprint("anchors");
        if (kind != "a fork" && kind != "rolled back")
            await ApplyAsync(1);

        var outcome = await _line.RunAsync("log", "anchor", "anchors");

        Assert.Equal((ExitCode.Difference, ""), (outcome.Code, outcome.Out));
        Assert.Contains(words, outcome.Error, StringComparison.Ordinal);
        Assert.Contains(Path.GetFileName(file), outcome.Error, StringComparison.Ordinal);
        Assert.Equal(changed, _line.Directory.Fingerprint("anchors"));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_mirror_is_made_once_and_brought_up_to_date_with_new_tiles_only(bool served)
    {
        await ImportAsync(300);
        await using var server = served ? await RunningServer.StartAsync(_line) : null;
        var made = await MirrorAsync();
        Assert.Equal((made.GetProperty("tiles").GetInt32(), 3), (made.GetProperty("fetched").GetInt32(), made.GetProperty("tiles").GetInt32()));
        Assert.Equal(0, (await MirrorAsync()).GetProperty("fetched").GetInt32());
        await ApplyAsync(1);
        Assert.Equal(1, (await MirrorAsync()).GetProperty("fetched").GetInt32());
        Assert.Contains(" entries in 3 tiles, 0 of them new; root ", (await _line.RunAsync("log", "mirror", "mirror")).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0/000", true, "is not the root of the tile 0/000")]
    [InlineData("1/000.p", true, "is not the root of the tile 0/000")]
    [InlineData("0/001.p", false, "the leaves in")]
    public async Task A_mirror_with_a_changed_tile_is_a_difference(string tile, bool grown, string words)
    {
        await ImportAsync(300);
        await MirrorAsync();
        var path = _line.Directory[$"mirror/tile/{tile}"];
        // A partial one has its width for a name.
        path = Directory.Exists(path) ? Assert.Single(Directory.GetFiles(path)) : path;
        var bytes = await File.ReadAllBytesAsync(path, Cancellation);
        bytes[5] ^= 1;
        await File.WriteAllBytesAsync(path, bytes, Cancellation);
        var before = await File.ReadAllTextAsync(_line.Directory["mirror/checkpoint"], Cancellation);
        await ApplyAsync(grown ? 1 : 0);

        var outcome = await _line.RunAsync("log", "mirror", "mirror");

        Assert.Equal((ExitCode.Difference, ""), (outcome.Code, outcome.Out));
        Assert.Contains(words, outcome.Error, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllTextAsync(_line.Directory["mirror/checkpoint"], Cancellation));
        // What it says to do helps.
        Directory.Delete(_line.Directory["mirror/tile"], recursive: true);
        await MirrorAsync();
    }

    [Theory, InlineData("mirror", " tiles"), InlineData("anchor", " checkpoints checked")]
    public async Task An_interrupt_ends_it_between_two_files(string command, string progress)
    {
        await ImportAsync(300);
        for (var i = 0; i < 2; i++)
        {
            await AnchorAsync(i, isNew: true);
            await ApplyAsync(1);
        }

        (_line.Terminal, _line.InterruptAt) = (true, progress);
        var outcome = await _line.RunAsync("log", command, command == "anchor" ? "anchors" : "mirror");

        Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Out));
        Assert.Contains(progress, outcome.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_line.Directory["mirror/checkpoint"]));
        Assert.Equal(2, Anchors.Length);
        (_line.Terminal, _line.InterruptAt) = (false, null);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("log", command, command == "anchor" ? "anchors" : "mirror")).Code);
    }

    [Fact]
    public async Task A_mirror_of_another_log_is_left_alone()
    {
        await ApplyAsync(1);
        using var other = new CommandLine();
        await other.RunAsync("aggregate", "apply", "order", "o-1", "paid");
        await other.RunAsync("log", "mirror", _line.Directory["mirror"]);
        var before = _line.Directory.Fingerprint("mirror");
        var outcome = await _line.RunAsync("log", "mirror", "mirror");
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Contains("is the mirror of another log", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(before, _line.Directory.Fingerprint("mirror"));
    }

    [Fact]
    public async Task A_receipt_goes_into_a_file_whole_or_not_at_all_and_never_over_a_device()
    {
        await ApplyAsync(2);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "proof", "order", "o-1", "2", "-o", "r.json")).Code);
        var printed = (await _line.RunAsync("aggregate", "proof", "order", "o-1", "2")).Out;
        Assert.Equal(printed, await File.ReadAllTextAsync(_line.Directory["r.json"], Cancellation));
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("aggregate", "proof", "order", "o-1", "9", "-o", "none.json")).Code);
        Assert.False(File.Exists(_line.Directory["none.json"]));
        if (!OperatingSystem.IsWindows())
            Assert.Contains("is no place for a file", (await _line.RunAsync("aggregate", "proof", "order", "o-1", "2", "-o", "/dev/null")).Error, StringComparison.Ordinal);
    }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    string[] Anchors => Directory.GetFiles(_line.Directory["anchors"], "*", SearchOption.AllDirectories);

    static SignedNote Signed(SigningKey key, Checkpoint checkpoint) => SignedNote.Of(checkpoint.Text(), [key.Sign(checkpoint.Origin, checkpoint.Text())]);

    static string Root(SignedNote note) => note.Text.Split('\n')[2];

    async Task<string> AnchorAsync(int before, bool isNew)
    {
        var outcome = await _line.RunAsync("log", "anchor", "anchors", "--json");
        Assert.True(outcome.Code == ExitCode.Done, outcome.Error);
        var json = JsonDocument.Parse(outcome.Out).RootElement;
        Assert.Equal((before, isNew), (json.GetProperty("checked").GetInt32(), json.GetProperty("written").ValueKind == JsonValueKind.String));
        return json.GetProperty("written").GetString() ?? "";
    }

    async Task<JsonElement> MirrorAsync()
    {
        var outcome = await _line.RunAsync("log", "mirror", "mirror", "--json");
        Assert.True(outcome.Code == ExitCode.Done, outcome.Error);
        return JsonDocument.Parse(outcome.Out).RootElement;
    }

    async Task ApplyAsync(int times)
    {
        for (var i = 0; i < times; i++)
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid")).Code);
    }

    async Task ImportAsync(int events)
    {
        _line.Input = string.Join('\n', Enumerable.Range(0, events).Select(i => $$$"""{"aggregate_type":"order","aggregate_id":"o-{{{i}}}","event_type":"made","payload":{}}"""));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("import", "-")).Code);
    }
}
