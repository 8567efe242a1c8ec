using System.Diagnostics;

namespace EventDbx.Cli.Tests.Commands;

/// <summary>Opening the directory: locks, keys, stores that were not closed, stores that are damaged.</summary>
public sealed class StoreAccessTests : IDisposable
{
    const string OtherKey = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    readonly CommandLine _line = new();

    [Theory]
    [InlineData("aggregate", "list")]
    [InlineData("aggregate", "apply", "order", "o-1", "paid", "--json")]
    public async Task A_store_in_use_is_waited_for_and_then_refused_naming_the_holder(params string[] arguments)
    {
        await GivenAnOrderAsync();
        using var holder = await Program.StartAsync(_line.Directory.Path, "import", "-");

        var started = Stopwatch.GetTimestamp();
        var refused = await _line.RunAsync([.. arguments, "--lock-timeout", "0.3"]);

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Out));
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromSeconds(0.3));
        Assert.Contains($"is in use by process {holder.Id} (dbx import) since ", refused.Error, StringComparison.Ordinal);
        var ended = await holder.EndAsync();
        Assert.Equal(ExitCode.Done, ended.Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync(arguments)).Code);
    }

    [Theory]
    [InlineData("aggregate", "list")]
    [InlineData("aggregate", "get", "order", "o-1")]
    [InlineData("aggregate", "apply", "order", "o-1", "paid")]
    public async Task A_store_without_its_key_is_refused_and_nothing_changes(params string[] arguments)
    {
        await GivenAnOrderAsync();
        await File.WriteAllTextAsync(_line.ConfigPath, "list_page_size = 10\n", TestContext.Current.CancellationToken);
        var before = Image();

        var refused = await _line.RunAsync(arguments);

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Out));
        Assert.Contains("is encrypted, and no key was given.", refused.Error, StringComparison.Ordinal);
        Assert.Equal(before, Image());
    }

    [Theory]
    [InlineData("aggregate", "list")]
    [InlineData("aggregate", "apply", "order", "o-1", "paid")]
    public async Task A_store_with_another_key_is_refused_and_nothing_changes(params string[] arguments)
    {
        await GivenAnOrderAsync();
        await File.WriteAllTextAsync(_line.ConfigPath, "list_page_size = 10\n", TestContext.Current.CancellationToken);
        _line.Environment["EVENTDBX_DEK"] = OtherKey;
        var before = Image();

        var refused = await _line.RunAsync(arguments);

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Out));
        Assert.Contains("The key is not the one", refused.Error, StringComparison.Ordinal);
        Assert.Equal(before, Image());
    }

    [Fact]
    public async Task A_plain_store_is_opened_as_plain_and_takes_no_key()
    {
        await _line.RunAsync("config", "--encryption", "off");
        var applied = await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        await File.WriteAllTextAsync(_line.ConfigPath, "list_page_size = 10\n", TestContext.Current.CancellationToken);

        var encrypted = await _line.RunAsync("aggregate", "list");
        _line.Environment["EVENTDBX_DEK"] = OtherKey;
        var keyed = await _line.RunAsync("aggregate", "list");

        Assert.Equal((ExitCode.Done, ""), (applied.Code, applied.Error));
        Assert.Equal(ExitCode.Refused, encrypted.Code);
        Assert.Contains("was made without encryption", encrypted.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, keyed.Code);
        Assert.Contains("was made without encryption", keyed.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_that_was_not_closed_is_checked_in_a_process_of_its_own_and_opens()
    {
        await GivenAnOrderAsync();
        await KillInTheMiddleAsync();

        var listed = await _line.RunAsync("aggregate", "list");

        Assert.Equal((ExitCode.Done, ""), (listed.Code, listed.Error));
        Assert.StartsWith("aggregate_type=order aggregate_id=o-1 version=1 ", listed.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_check_that_ends_badly_is_a_refusal()
    {
        await GivenAnOrderAsync();
        await KillInTheMiddleAsync();
        _line.Self = [Path.Combine(_line.Directory.Path, "no-such-program")];

        var refused = await _line.RunAsync("aggregate", "list");

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Out));
        Assert.Contains("was not opened: the check failed: ", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_check_says_ok_or_why_not()
    {
        await GivenAnOrderAsync();

        Assert.Equal(new Outcome(ExitCode.Done, "ok\n", ""), await _line.RunAsync(Link.Inspect, ".eventdbx"));
        Directory.Delete(_line.Directory[".eventdbx/event_store"], recursive: true);
        Assert.Equal(ExitCode.Refused, (await _line.RunAsync(Link.Inspect, ".eventdbx")).Code);
    }

    [Theory]
    [InlineData("aggregate", "list")]
    [InlineData("aggregate", "apply", "order", "o-1", "paid")]
    public async Task A_store_whose_folder_is_gone_is_refused_and_gets_no_new_key(params string[] arguments)
    {
        await GivenAnOrderAsync();
        Directory.Delete(_line.Directory[".eventdbx/event_store"], recursive: true);
        var withKey = await _line.RunAsync(arguments);
        await File.WriteAllTextAsync(_line.ConfigPath, "list_page_size = 10\n", TestContext.Current.CancellationToken);

        var withoutKey = await _line.RunAsync(arguments);

        Assert.Equal((ExitCode.Refused, ""), (withKey.Code, withKey.Out));
        Assert.Contains("is gone", withKey.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Refused, ""), (withoutKey.Code, withoutKey.Out));
        Assert.Equal("list_page_size = 10\n", _line.ConfigText);
    }

    [Fact]
    public async Task Recover_looks_at_a_sound_store_and_finds_nothing_to_do()
    {
        await GivenAnOrderAsync();

        Assert.Equal(
            new Outcome(ExitCode.Done, $"The store in {_line.Directory[".eventdbx"]} is sound: there is nothing to recover.\n", ""),
            await _line.RunAsync("recover"));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("recover", "--accept-loss")).Code);
        Assert.Contains("\"damage\": null,", (await _line.RunAsync("recover", "--json")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Recover_says_what_is_left_of_a_damaged_store_and_goes_on_with_it_when_told_to()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        for (var i = 0; i < 9; i++)
            await _line.RunAsync("aggregate", "apply", "order", "o-1", "changed", "--field", $"i={i}");
        CutTheLog();

        var closed = await _line.RunAsync("aggregate", "list");
        var before = Image();
        var looked = await _line.RunAsync("recover");
        var after = Image();
        var json = await _line.RunAsync("recover", "--json");
        var done = await _line.RunAsync("recover", "--accept-loss");
        var listed = await _line.RunAsync("aggregate", "list");

        Assert.Equal((ExitCode.Refused, ""), (closed.Code, closed.Out));
        Assert.Equal(ExitCode.Refused, looked.Code);
        Assert.StartsWith("damage    ", looked.Out, StringComparison.Ordinal);
        Assert.Contains("of 10 that were synced\n", looked.Out, StringComparison.Ordinal);
        Assert.Contains("dbx recover --accept-loss", looked.Error, StringComparison.Ordinal);
        Assert.Equal(before, after);
        Assert.Contains("\"expected\": 10,", json.Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, done.Code);
        Assert.Contains($"moved to  {_line.Directory[".eventdbx/event_store.lost-"]}", done.Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, listed.Code);
    }

    [Fact]
    public async Task Recover_says_it_when_what_is_left_is_not_what_was_synced()
    {
        await GivenAnOrderAsync();
        ChangeTheSyncedRoot();

        var looked = await _line.RunAsync("recover");
        var json = await _line.RunAsync("recover", "--json");
        var done = await _line.RunAsync("recover", "--accept-loss");

        Assert.Equal(ExitCode.Refused, looked.Code);
        Assert.Contains("lost      not known, for HISTORY WAS CHANGED: the root of the first 1 entries is ", looked.Out, StringComparison.Ordinal);
        Assert.Contains("\"lost\": null,", json.Out, StringComparison.Ordinal);
        Assert.Contains("\"history_changed\": \"the root of the first 1 entries is ", json.Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, done.Code);
        Assert.Contains("HISTORY WAS CHANGED", done.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Recover_without_a_store_is_refused_and_makes_nothing()
    {
        var refused = await _line.RunAsync("recover", "--accept-loss");

        Assert.Equal((ExitCode.Refused, ""), (refused.Code, refused.Out));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    public void Dispose() => _line.Dispose();

    async Task GivenAnOrderAsync() =>
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed")).Code);

    async Task KillInTheMiddleAsync()
    {
        using var victim = await Program.StartAsync(_line.Directory.Path, "import", "-");
        await victim.KillAsync();
    }

    /// <summary>Takes the second half from the newest file of RocksDB's log.</summary>
    void CutTheLog()
    {
        var log = Directory.EnumerateFiles(_line.Directory[".eventdbx/event_store"], "*.log").MaxBy(file => new FileInfo(file).Length)!;
        using var file = File.OpenWrite(log);
        file.SetLength(file.Length / 2);
    }

    /// <summary>As if other entries had been synced than those in the store, and the store had not been closed.</summary>
    void ChangeTheSyncedRoot()
    {
        var path = _line.Directory[".eventdbx/watermark"];
        var watermark = File.ReadAllBytes(path);
        for (var slot = 0; slot < watermark.Length; slot += 4096)
        {
            watermark[slot + 32] ^= 1;
            watermark[slot + 87] = 0;
            System.Security.Cryptography.SHA256.HashData(watermark.AsSpan(slot, 96), watermark.AsSpan(slot + 96));
        }

        File.WriteAllBytes(path, watermark);
    }

    /// <summary>Every file of the data directory with its bytes.</summary>
    string Image() => string.Join('\n', Directory
        .EnumerateFiles(_line.Directory[".eventdbx"], "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(file => $"{file} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)))}"));
}
