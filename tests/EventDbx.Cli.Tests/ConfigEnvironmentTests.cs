namespace EventDbx.Cli.Tests;

public sealed class ConfigEnvironmentTests : IDisposable
{
    static readonly string Dek = Convert.ToBase64String([.. Enumerable.Repeat((byte)7, 32)]);
    static readonly string Hash = MasterKeyHash.Of("k", "0123456789abcdef"u8);

    readonly TemporaryDirectory _directory = new();
    readonly Dictionary<string, string> _variables = [];

    /// <summary>A value for each key that a variable can set, none of them its default.</summary>
    static readonly Dictionary<string, string> Values = new()
    {
        ["port"] = "8080",
        ["bind_addr"] = "127.0.0.1",
        ["data_dir"] = "/srv/dbx",
        ["cache_threshold"] = "5",
        ["snapshot_threshold"] = "6",
        ["data_encryption_key"] = Dek,
        ["data_encryption_key_file"] = "/run/secrets/dek",
        ["data_encryption_key_command"] = "/bin/echo,a key",
        ["encryption"] = "off",
        ["durability"] = "relaxed",
        ["relaxed_interval_ms"] = "7",
        ["restrict"] = "strict",
        ["list_page_size"] = "8",
        ["page_limit"] = "9",
        ["plugin_max_attempts"] = "11",
        ["plugin_allowed_addresses"] = "169.254.10.1,fe80::/10",
        ["replication.identity_key"] = "id.key",
        ["replication.bind_addr"] = "127.0.0.1:1",
        ["grpc.bind_addr"] = "127.0.0.1:2",
        ["socket.bind_addr"] = "127.0.0.1:3",
        ["api"] = "grpc",
        ["api.rest"] = "false",
        ["api.graphql"] = "false",
        ["api.grpc"] = "false",
        ["api.public_docs"] = "false",
        ["grpc.enabled"] = "true",
        ["tls.enabled"] = "true",
        ["tls.cert_file"] = "/srv/chain.pem",
        ["tls.key_file"] = "/srv/key.pem",
        ["tls.client_ca_file"] = "/srv/ca.pem",
        ["admin.enabled"] = "true",
        ["admin.bind_addr"] = "127.0.0.9",
        ["admin.port"] = "0",
        ["admin.master_key_hash"] = Hash,
        ["auth.issuer"] = "i",
        ["auth.audience"] = "a",
        ["auth.secret"] = Dek,
        ["auth.key_id"] = "k",
        ["auth.previous_secret"] = Dek,
        ["auth.previous_key_id"] = "j",
        ["auth.previous_until"] = "2026-01-31T12:00:00Z",
        ["auth.default_ttl_secs"] = "61",
        ["auth.clock_skew_secs"] = "12",
        ["log.origin"] = "example.com/orders",
        ["log.witnesses"] = $"{ConfigWitnessTests.Vkey} https://w.example/a,{ConfigWitnessTests.OtherVkey} http://127.0.0.1:7465",
        ["log.quorum"] = "1",
        ["log.slow_request_ms"] = "250",
        ["metrics.public"] = "true",
        ["telemetry.otlp_endpoint"] = "http://collector.example:4318",
        ["telemetry.otlp_protocol"] = "http/protobuf",
        ["telemetry.otlp_headers"] = "authorization=Basic abc,x-tenant=7",
        ["telemetry.service_name"] = "orders",
        ["telemetry.sample_permille"] = "10",
    };

    public static TheoryData<string> Keys => [.. ConfigKeys.All.Where(key => !key.FileOnly).Select(key => key.Name)];

    public void Dispose() => _directory.Dispose();

    [Theory, MemberData(nameof(Keys))]
    public void Every_setting_has_a_variable_that_stands_above_the_file(string name)
    {
        var key = ConfigKeys.Named(name);
        var file = Load("# by hand\nlist_page_size = 10\n");
        var variable = "EVENTDBX_" + name.Replace('.', '_').ToUpperInvariant();
        _variables[variable] = Values[name];

        var over = Load(null);

        Assert.Equal(variable, Assert.Single(over.Overrides).Variable);
        // Older forms of other keys have no value of their own; `enabled` adds gRPC to what is on by default.
        if (name == "api")
            Assert.Equal((false, false, true), (over.Config.ApiRest, over.Config.ApiGraphQL, over.Config.ApiGrpc));
        else if (name == "grpc.enabled")
            Assert.Equal(file.Config, over.Config with { Remotes = file.Config.Remotes });
        else
            Assert.Equal(Values[name], Text(key.Get(over.Config)!));
    }

    [Theory]
    [InlineData("EVENTDBX_PORT", "0", "must be a whole number from 1 to 65535, not `0`.")]
    [InlineData("EVENTDBX_BIND_ADDR", "localhost", "must be an IP address, such as \"127.0.0.1\" or \"::1\", not `localhost`.")]
    [InlineData("EVENTDBX_PAGE_LIMIT", "0", "must be a whole number from 1 to 1000000, not `0`.")]
    [InlineData("EVENTDBX_RESTRICT", "lax", "must be \"off\", \"default\" or \"strict\", not `lax`.")]
    [InlineData("EVENTDB_RESTRICT", "lax", "must be \"off\", \"default\" or \"strict\", not `lax`.")]
    [InlineData("EVENTDBX_ADMIN_ENABLED", "yes", "must be true or false, not `yes`.")]
    public void A_variable_with_a_bad_value_is_named_and_refused(string variable, string value, string problem)
    {
        _variables[variable] = value;

        var refused = Assert.Throws<ConfigException>(() => Load("# by hand\nlist_page_size = 10\n"));

        Assert.Equal($"The environment variable {variable} {problem}", refused.Message);
    }

    [Theory]
    [InlineData("EVENTDBX_DATA_ENCRYPTION_KEY")]
    [InlineData("EVENTDBX_ADMIN_MASTER_KEY_HASH")]
    public void A_secret_in_a_variable_is_never_quoted(string variable)
    {
        _variables[variable] = "c2VjcmV0";

        var refused = Assert.Throws<ConfigException>(() => Load("# by hand\nlist_page_size = 10\n"));

        Assert.Contains(variable, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("c2VjcmV0", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("EVENTDBX_RESTRICT=off EVENTDB_RESTRICT=strict EVENTFUL_RESTRICT=default", Restriction.Off)]
    [InlineData("EVENTDB_RESTRICT=strict EVENTFUL_RESTRICT=off", Restriction.Strict)]
    [InlineData("EVENTFUL_RESTRICT=off", Restriction.Off)]
    [InlineData("EVENTDBX_RESTRICT= EVENTFUL_RESTRICT=strict", Restriction.Strict)]
    [InlineData("EVENTDBX_RESTRICT=", Restriction.Default)]
    public void The_newest_name_of_the_restriction_counts_and_an_empty_variable_is_none(string variables, Restriction expected)
    {
        foreach (var pair in variables.Split(' '))
            _variables[pair.Split('=')[0]] = pair.Split('=')[1];

        Assert.Equal(expected, Load("# by hand\nlist_page_size = 10\n").Config.Restrict);
    }

    [Theory]
    [InlineData(Restriction.Off, "off", "false", "0", "no", "none", "unrestricted", "dev", " OFF ")]
    [InlineData(Restriction.Default, "default", "true", "1", "yes", "on", "prod", "restricted", "hybrid", "Default")]
    [InlineData(Restriction.Strict, "strict", "all", "enforced")]
    public void Every_published_spelling_of_a_restriction_is_read(Restriction expected, params string[] spellings)
    {
        Assert.All(spellings, spelling =>
        {
            _variables["EVENTDBX_RESTRICT"] = spelling;
            Assert.Equal(expected, Load("# by hand\nlist_page_size = 10\n").Config.Restrict);
        });
    }

    [Fact]
    public void The_data_directory_of_the_command_line_stands_above_the_environment_above_the_file()
    {
        _directory.Write("config.toml", "data_dir = \"/file\"\n");
        Assert.Equal("/file", Load(null).Config.DataDir);

        _variables["EVENTDBX_DATA_DIR"] = "beside";
        Assert.Equal(_directory["beside"], Load(null).Config.DataDir);
        Assert.Equal("/given", Load(null, "/given").Config.DataDir);
    }

    [Fact]
    public async Task A_data_key_of_the_environment_beside_another_one_of_the_file_is_refused()
    {
        _variables["EVENTDBX_DATA_ENCRYPTION_KEY"] = Dek;
        var other = Convert.ToBase64String(new byte[32]);

        using var same = (await StoreKey.ChooseAsync(Load($"data_encryption_key = \"{Dek}\"\n"), null, TestContext.Current.CancellationToken)).Key;
        var refused = await Assert.ThrowsAsync<ConfigException>(
            () => StoreKey.ChooseAsync(Load($"data_encryption_key = \"{other}\"\n"), null, TestContext.Current.CancellationToken));

        Assert.Equal(Dek, same!.ToBase64());
        Assert.StartsWith("EVENTDBX_DATA_ENCRYPTION_KEY and the data_encryption_key in ", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_save_writes_what_was_changed_and_nothing_of_the_environment()
    {
        foreach (var (name, value) in Values)
            _variables[ConfigEnvironment.VariableOf(ConfigKeys.Named(name))] = value;
        _variables["EVENTDBX_ENCRYPTION"] = "on";

        await Load("port = 1\n").UpdateAsync(config => config with { PageLimit = 3 }, TestContext.Current.CancellationToken);

        var text = await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken);
        Assert.Matches("^# [^\n]+\nport = 1\ncreated_at = \"[^\"]+\"\nupdated_at = \"[^\"]+\"\npage_limit = 3\n# [^\n]+\n$", text);
    }

    static string Text(object value) => value switch
    {
        bool truth => truth ? "true" : "false",
        Server.Configuration.ConfigList texts => string.Join(',', texts),
        _ => FormattableString.Invariant($"{value}"),
    };

    /// <param name="text">Null reads what is there.</param>
    ConfigFile Load(string? text, string? dataDir = null)
    {
        if (text is not null)
            _directory.Write("config.toml", text);
        return ConfigFile.Load(
            _directory["config.toml"], _directory[".eventdbx"], dataDir, TimeProvider.System,
            new ConfigEnvironment(name => _variables.GetValueOrDefault(name), _directory.Path));
    }
}
