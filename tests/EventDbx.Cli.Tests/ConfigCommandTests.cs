using System.Text.Json;

namespace EventDbx.Cli.Tests;

public sealed class ConfigCommandTests : IDisposable
{
    static readonly string Dek = Convert.ToBase64String([.. Enumerable.Repeat((byte)7, 32)]);
    static readonly string OtherDek = Convert.ToBase64String([.. Enumerable.Repeat((byte)8, 32)]);

    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Fact]
    public async Task Shows_the_defaults_without_writing_anything()
    {
        var outcome = await _line.RunAsync("config");

        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.StartsWith("port = 7070\n", outcome.Out, StringComparison.Ordinal);
        Assert.Contains("these are the defaults", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task Saves_what_is_given_and_shows_it_afterwards()
    {
        var saved = await _line.RunAsync(
            "config", "--port", "8080", "--list-page-size=20", "--page-limit", "200", "--cache-threshold", "0", "--plugin-max-attempts", "0",
            "--snapshot-threshold", "100", "--admin-enabled", "true", "--admin-master-key", "k", "--admin-bind", "127.0.0.2", "--admin-port", "0", "--restrict", "strict",
            "--api", "rest,grpc", "--durability", "relaxed", "--relaxed-interval-ms", "20", "--socket-bind", "127.0.0.1:1", "--grpc-bind", "[::1]:2",
            "--bind", "::1", "--data-dir", "store");
        var shown = JsonDocument.Parse((await _line.RunAsync("config", "--json")).Out).RootElement;

        Assert.Equal((ExitCode.Done, ""), (saved.Code, saved.Out));
        Assert.Equal($"Configuration saved to {_line.ConfigPath}\n", saved.Error);
        Assert.Equal("8080 20 200 0 1 100", string.Join(' ', new[]
        {
            "port", "list_page_size", "page_limit", "cache_threshold", "plugin_max_attempts", "snapshot_threshold",
        }.Select(key => shown.GetProperty(key).GetInt32())));
        Assert.Equal("strict relaxed ::1", $"{shown.GetProperty("restrict")} {shown.GetProperty("durability")} {shown.GetProperty("bind_addr")}");
        Assert.Equal("""{"rest":true,"graphql":false,"grpc":true,"public_docs":true}""", JsonSerializer.Serialize(shown.GetProperty("api")));
        Assert.Equal(0, shown.GetProperty("admin").GetProperty("port").GetInt32());
        Assert.Equal(_line.Directory["store"], shown.GetProperty("data_dir").GetString());
    }

    [Fact]
    public async Task Tls_files_are_kept_as_seen_from_where_they_were_typed_and_cleared_together()
    {
        var saved = await _line.RunAsync("config", "--tls", "true", "--tls-cert", "c.pem", "--tls-key", "/srv/k.pem", "--tls-client-ca", "ca.pem");
        Assert.Equal(ExitCode.Done, saved.Code);
        Assert.Contains("A server does not start like this. There is no file", saved.Error, StringComparison.Ordinal);
        Assert.Contains(
            $"[tls]\nenabled = true\ncert_file = \"{_line.Directory["c.pem"]}\"\nkey_file = \"/srv/k.pem\"\nclient_ca_file = \"{_line.Directory["ca.pem"]}\"\n", _line.ConfigText, StringComparison.Ordinal);

        var cleared = await _line.RunAsync("config", "--clear-tls-cert", "--clear-tls-client-ca");
        Assert.Equal($"Configuration saved to {_line.ConfigPath}\n", cleared.Error);
        Assert.DoesNotContain("_file", _line.ConfigText, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("config", "--tls-key", "k.pem", "--clear-tls-cert")).Code);
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("config", "--tls-client-ca", "k.pem", "--clear-tls-client-ca")).Code);
        Assert.Equal(ExitCode.Usage, (await _line.RunAsync("config", "--tls", "on")).Code);

        // One without the other is told of, and refused at the start.
        Assert.Contains("tls.key_file is not", (await _line.RunAsync("config", "--tls-cert", "c.pem")).Error, StringComparison.Ordinal);
        var refused = await _line.RunAsync("start", "--port=0");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("tls.cert_file is set and tls.key_file is not", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("one\ntwo", "several lines")]
    [InlineData("one\rtwo", "several lines")]
    [InlineData("tab\tin it", "control characters")]
    [InlineData("bell\u0007", "control characters")]
    [InlineData("long", "1025 characters, and a key of more than 1024")]
    public async Task A_master_key_that_no_request_could_carry_is_refused_with_the_reason(string key, string why)
    {
        await File.WriteAllTextAsync(_line.Directory["key"], key == "long" ? new string('k', 1025) : key, TestContext.Current.CancellationToken);
        var refused = await _line.RunAsync("config", "--admin-master-key", "@key");
        await File.WriteAllTextAsync(_line.Directory["key"], new string('k', 1024) + "\n", TestContext.Current.CancellationToken);
        var taken = await _line.RunAsync("config", "--admin-master-key", "@key");

        Assert.Equal((ExitCode.Usage, ExitCode.Done), (refused.Code, taken.Code));
        Assert.Contains(why, refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("two", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clears_what_can_be_cleared()
    {
        await _line.RunAsync("config", "--snapshot-threshold", "5", "--admin-master-key", "rotate-me");
        Assert.Contains("snapshot_threshold = 5\n", _line.ConfigText, StringComparison.Ordinal);
        Assert.Contains("master_key_hash = \"$argon2id$v=19$m=19456,t=2,p=1$", _line.ConfigText, StringComparison.Ordinal);
        Assert.DoesNotContain("rotate-me", _line.ConfigText, StringComparison.Ordinal);

        await _line.RunAsync("config", "--clear-snapshot-threshold", "--clear-admin-master-key");

        Assert.DoesNotContain("snapshot_threshold", _line.ConfigText, StringComparison.Ordinal);
        Assert.DoesNotContain("master_key_hash", _line.ConfigText, StringComparison.Ordinal);
    }

    [Theory, InlineData("-"), InlineData("@key.txt"), InlineData("env:MY_KEY"), InlineData("value")]
    public async Task A_secret_comes_from_standard_input_a_file_the_environment_or_the_command_line(string form)
    {
        _line.Input = Dek + "\n";
        _line.Environment["MY_KEY"] = Dek;
        _line.Directory.Write("key.txt", Dek + "\n");

        var outcome = await _line.RunAsync("config", "--dek", form == "value" ? Dek : form);

        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.Contains($"data_encryption_key = \"{Dek}\"\n", _line.ConfigText, StringComparison.Ordinal);
        Assert.DoesNotContain(Dek, (await _line.RunAsync("config")).Out, StringComparison.Ordinal);
        Assert.DoesNotContain(Dek, (await _line.RunAsync("config", "--json")).Out, StringComparison.Ordinal);
        Assert.Contains(Dek, (await _line.RunAsync("config", "--show-secrets")).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--dek", "AAAA", "`--data-encryption-key` must be 32 bytes in standard base64 (44 characters).")]
    [InlineData("--dek", "env:NOBODY_SETS_THIS", "`--dek` names the environment variable NOBODY_SETS_THIS, which is not set.")]
    [InlineData("--admin-enabled", "yes", "`--admin-enabled` must be true or false, not `yes`.")]
    [InlineData("--admin-bind", "somewhere", "`--admin-bind` must be an IP address")]
    [InlineData("--port", "0", "`--port` must be a whole number from 1 to 65535, not `0`.")]
    [InlineData("--port", "65536", "`--port` must be a whole number from 1 to 65535, not `65536`.")]
    [InlineData("--list-page-size", "0", "`--list-page-size` must be a whole number from 1")]
    [InlineData("--bind", "localhost", "`--bind` must be an IP address")]
    [InlineData("--socket-bind", "7", "`--socket-bind` must be an IP address and a port")]
    [InlineData("--page-limit", "-1", "`--page-limit` must be a whole number from 1")]
    [InlineData("--cache-threshold", "1.5", "`--cache-threshold` must be a whole number from 0")]
    [InlineData("--restrict", "lax", "`--restrict` must be \"off\", \"default\" or \"strict\", not `lax`.")]
    public async Task A_bad_value_is_a_usage_error_and_nothing_is_saved(string option, string value, string problem)
    {
        var outcome = await _line.RunAsync("config", $"{option}={value}");

        Assert.StartsWith($"error: {problem}", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Usage, outcome.Code);
        Assert.False(File.Exists(_line.ConfigPath));
    }

    [Fact]
    public async Task A_blank_value_counts_as_not_given()
    {
        var outcome = await _line.RunAsync("config", "--dek", "", "--admin-bind", " ");

        Assert.StartsWith("port = 7070\n", outcome.Out, StringComparison.Ordinal);
        Assert.False(File.Exists(_line.ConfigPath));
    }

    [Fact]
    public async Task A_file_with_an_unknown_key_is_refused_with_its_line_and_left_alone()
    {
        _line.Directory.Write(".eventdbx/config.toml", "port = 1\nprt = 2\n");

        var outcome = await _line.RunAsync("config", "--port", "3");

        Assert.Equal($"Error: {_line.ConfigPath}, line 2: unknown key `prt`; did you mean `port`?\n", outcome.Error);
        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Equal("port = 1\nprt = 2\n", _line.ConfigText);
    }

    [Fact]
    public async Task The_key_of_a_store_that_exists_is_not_replaced()
    {
        await _line.RunAsync("config", "--dek", Dek);
        _line.Directory.Write(".eventdbx/event_store/CURRENT", "");

        var replaced = await _line.RunAsync("config", "--dek", OtherDek);
        var same = await _line.RunAsync("config", "--dek", Dek);

        Assert.Equal((ExitCode.Failed, ExitCode.Done), (replaced.Code, same.Code));
        Assert.Contains("There is a store in", replaced.Error, StringComparison.Ordinal);
        Assert.Contains(Dek, _line.ConfigText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Encryption_cannot_be_off_beside_a_key()
    {
        await _line.RunAsync("config", "--dek", Dek);

        var outcome = await _line.RunAsync("config", "--encryption", "off");

        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.Contains("encryption cannot be \"off\"", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_Admin_API_is_not_enabled_without_a_master_key_and_one_can_be_withdrawn()
    {
        var without = await _line.RunAsync("config", "--admin-enabled", "true");
        var with = await _line.RunAsync("config", "--admin-enabled", "true", "--admin-master-key", "k");
        var withdrawn = await _line.RunAsync("config", "--clear-admin-master-key");

        Assert.Equal((ExitCode.Failed, ExitCode.Done, ExitCode.Done), (without.Code, with.Code, withdrawn.Code));
        Assert.StartsWith("Error: The Admin API is enabled (admin.enabled) and has no master key: it lets nobody in.", without.Error, StringComparison.Ordinal);
        Assert.Contains("has no master key: it lets nobody in.", withdrawn.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_environment_stands_above_the_file_is_named_and_is_never_saved()
    {
        await _line.RunAsync("config", "--port", "1");
        _line.Environment["EVENTDBX_PORT"] = "2";
        _line.Environment["EVENTDBX_AUTH_SECRET"] = "do-not-show";

        var shown = await _line.RunAsync("config");
        var saved = await _line.RunAsync("config", "--list-page-size", "7", "--json");

        Assert.StartsWith("port = 2\n", shown.Out, StringComparison.Ordinal);
        Assert.Equal("From the environment, above the file: port (EVENTDBX_PORT), auth.secret (EVENTDBX_AUTH_SECRET)\n", shown.Error);
        Assert.DoesNotContain("do-not-show", shown.Out, StringComparison.Ordinal);
        Assert.Equal(2, JsonDocument.Parse(saved.Out).RootElement.GetProperty("port").GetInt32());
        Assert.Contains("port = 1\n", _line.ConfigText, StringComparison.Ordinal);
        Assert.DoesNotContain("do-not-show", _line.ConfigText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_restriction_holds_for_commands_on_the_directory_too()
    {
        await _line.RunAsync("config", "--restrict", "strict");
        var strict = await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed", "--json");
        await _line.RunAsync("config", "--restrict", "default");
        var byDefault = await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");

        Assert.Equal((ExitCode.Failed, ExitCode.Done), (strict.Code, byDefault.Code));
        Assert.Contains("\"schema_violation\"", strict.Error, StringComparison.Ordinal);
    }

    const string Published = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY";

    [Theory]
    [InlineData("rotate-me-please", true)]
    [InlineData(" rotate-me-please\n", true)]
    [InlineData("rotate-me-pleas", false)]
    [InlineData("Rotate-me-please", false)]
    [InlineData("", false)]
    public void A_master_key_is_held_against_its_hash(string key, bool right) => Assert.Equal(right, MasterKeyHash.Verify(Published, key));

    [Fact]
    public void A_hash_of_another_cost_is_checked_at_that_cost() =>
        Assert.True(MasterKeyHash.Verify(MasterKeyHash.Of("key", "0123456789abcdef"u8, memoryKib: 64, passes: 3), "key"));

    [Theory]
    [InlineData("m=65536,t=10,p=1", true)]
    [InlineData("m=65537,t=2,p=1", false)]
    [InlineData("m=19456,t=11,p=1", false)]
    [InlineData("m=19456,t=0,p=1", false)]
    [InlineData("m=7,t=2,p=1", false)]
    [InlineData("m=19456,t=2,p=2", false)]
    [InlineData("t=2,m=19456,p=1", false)]
    [InlineData("m=19456,t=2", false)]
    [InlineData("m=-1,t=2,p=1", false)]
    public void A_hash_that_costs_too_much_or_cannot_be_checked_is_none(string cost, bool taken)
    {
        var hash = Published.Replace("m=19456,t=2,p=1", cost, StringComparison.Ordinal);
        if (taken)
            Assert.Equal(hash, MasterKeyHash.Checked(ConfigValue.OfText(hash)));
        else
            Assert.DoesNotContain("V1loW78P8", Assert.Throws<ConfigValueException>(() => MasterKeyHash.Checked(ConfigValue.OfText(hash))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("$argon2i$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY")]
    [InlineData("$argon2id$v=16$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY")]
    [InlineData("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY=")]
    [InlineData("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2Rl$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY")]
    [InlineData("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$")]
    [InlineData("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY$")]
    public void What_has_another_form_than_such_a_hash_is_none(string text) =>
        Assert.Throws<ConfigValueException>(() => MasterKeyHash.Checked(ConfigValue.OfText(text)));

    [Fact]
    public void The_hash_of_a_master_key_is_the_published_kind()
    {
        // The hash itself comes from another implementation (Konscious.Security.Cryptography 1.3.1).
        Assert.Equal(
            "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY",
            MasterKeyHash.Of("  rotate-me-please ", "0123456789abcdef"u8));
    }
}
