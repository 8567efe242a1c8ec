using System.Text;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

/// <summary><c>plugins.json</c>: the documented shape to the byte, and what stands in it beyond that.</summary>
public sealed class PluginJsonTests
{
    const string Documented = """
        [
          {
            "enabled": true,
            "name": "hook",
            "config": {
              "type": "http",
              "endpoint": "hooks.example/e",
              "headers": {
                "X-Key": "k1"
              },
              "https": true
            }
          },
          {
            "enabled": false,
            "name": "bare",
            "config": {
              "type": "http",
              "endpoint": "https://hooks.example/ä?x=<>&'",
              "headers": {},
              "https": false
            }
          },
          {
            "enabled": false,
            "name": "pipe",
            "config": {
              "type": "tcp",
              "host": "10.0.0.9",
              "port": 9100
            }
          },
          {
            "enabled": true,
            "name": "mirror",
            "config": {
              "type": "grpc",
              "endpoint": "grpc://mirror.example:8800"
            }
          },
          {
            "enabled": true,
            "name": "trail",
            "config": {
              "type": "log",
              "level": "warn",
              "template": "{event} on {aggregate}/{id}"
            }
          },
          {
            "enabled": true,
            "name": null,
            "config": {
              "type": "log",
              "level": "info",
              "template": null
            }
          },
          {
            "enabled": true,
            "name": "find",
            "config": {
              "type": "process",
              "name": "dbx_search",
              "version": "1.0.0",
              "args": [
                "--listen=:8081"
              ],
              "env": {
                "A": "b"
              },
              "working_dir": null
            }
          },
          {
            "enabled": true,
            "name": "plain",
            "config": {
              "type": "process",
              "name": "dbx_search",
              "version": "1.0.0",
              "args": [],
              "env": {},
              "working_dir": "/srv"
            }
          }
        ]
        """;

    static string Written(string document) => Encoding.UTF8.GetString(PluginJson.WriteAll(PluginJson.ReadAll(Encoding.UTF8.GetBytes(document))));

    static string Shown(PluginDefinition plugin)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        PluginJson.Write(output, plugin, secrets: false);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    [Fact]
    public void The_documented_document_is_written_as_it_was_read_to_the_byte()
    {
        Assert.Equal(Documented, Written(Documented));
        Assert.Equal(Golden.Expected("plugins/plugins.json", Written(Documented)), Written(Documented));
    }

    [Fact]
    public void What_may_be_left_out_is_written_with_its_default_and_what_is_ours_only_where_it_says_something()
    {
        const string least = """
            [{"enabled":true,"config":{"type":"http","endpoint":"h"},"types":[],"events":null,"hold_on_dead":false},
             {"enabled":true,"name":" a ","config":{"type":"log"},"exact_state":false},
             {"enabled":true,"name":"g","config":{"type":"grpc","endpoint":"grpc://h","headers":{}}},
             {"enabled":true,"name":"p","config":{"type":"process","name":"x","version":"1"}}]
            """;
        const string most = """
            [{"enabled":true,"name":"h","config":{"type":"http","endpoint":"h","headers":{},"https":false,"signing_secret":"canary-1","follow_redirects":true},"types":["order"],"events":["order-paid","order-made"],"hold_on_dead":true,"exact_state":true},
             {"enabled":true,"name":"g","config":{"type":"grpc","endpoint":"grpc://h","headers":{"x-key":"canary-2"}}}]
            """;

        Assert.Equal(
            """[{"enabled":true,"name":null,"config":{"type":"http","endpoint":"h","headers":{},"https":false}},{"enabled":true,"name":"a","config":{"type":"log","level":"info","template":null}},{"enabled":true,"name":"g","config":{"type":"grpc","endpoint":"grpc://h"}},{"enabled":true,"name":"p","config":{"type":"process","name":"x","version":"1","args":[],"env":{},"working_dir":null}}]""",
            Compact(Written(least)));
        Assert.Equal(Compact(most), Compact(Written(most)));
        Assert.Equal(
            [
                """{"enabled":true,"name":"h","config":{"type":"http","endpoint":"h","headers":{},"https":false,"signing_secret":"(hidden)","follow_redirects":true},"types":["order"],"events":["order-paid","order-made"],"hold_on_dead":true,"exact_state":true}""",
                """{"enabled":true,"name":"g","config":{"type":"grpc","endpoint":"grpc://h","headers":{"x-key":"(hidden)"}}}""",
            ],
            PluginJson.ReadAll(Encoding.UTF8.GetBytes(most)).Select(Shown));
    }

    static string Compact(string json)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        using (var parsed = System.Text.Json.JsonDocument.Parse(json))
        using (var writer = new System.Text.Json.Utf8JsonWriter(output, new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            parsed.WriteTo(writer);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    [Fact]
    public void Members_that_nobody_knows_are_kept_and_shown_to_nobody()
    {
        const string document = """[{"enabled":true,"name":"x","config":{"type":"tcp","host":"h","port":1,"tls":{"key":"canary"}},"later":[1.50,null]}]""";

        var plugin = Assert.Single(PluginJson.ReadAll(Encoding.UTF8.GetBytes(document)));

        Assert.Equal(document, Compact(Written(document)));
        Assert.Equal(Written(document), Written(Written(document)));
        Assert.Equal("""{"enabled":true,"name":"x","config":{"type":"tcp","host":"h","port":1}}""", Shown(plugin));
    }

    [Fact]
    public void One_without_a_name_goes_by_its_kind_and_no_two_go_by_the_same()
    {
        var plugins = PluginJson.ReadAll(
            """
            [{"enabled":true,"config":{"type":"tcp","host":"a","port":1}},{"enabled":true,"name":" ","config":{"type":"tcp","host":"b","port":1}},{"enabled":true,"name":"tcp-2","config":{"type":"log"}},
             {"enabled":true,"name":"log","config":{"type":"tcp","host":"c","port":1}},{"enabled":true,"name":null,"config":{"type":"log"}}]
            """u8.ToArray());

        Assert.Equal(["tcp", "tcp-3", "tcp-2", "log", "log-2"], plugins.Select(plugin => plugin.Label));
        Assert.Null(plugins[0].Name);
    }

    [Theory]
    [InlineData("h:1/x", false, "http://h:1/x")]
    [InlineData("h:1/x", true, "https://h:1/x")]
    [InlineData("http://h/x", true, "http://h/x")]
    [InlineData("HTTPS://h/x", false, "https://h/x")]
    [InlineData("ftp://h/x", false, null)]
    [InlineData("", false, null)]
    public void An_endpoint_without_a_scheme_has_the_one_that_is_configured(string endpoint, bool https, string? url) =>
        Assert.Equal(url, new PluginConfig { Kind = PluginKind.Http, Endpoint = endpoint, Https = https }.Uri?.AbsoluteUri);

    [Theory]
    [InlineData("grpc://h:1", "http://h:1/")]
    [InlineData("grpcs://h", "https://h/")]
    [InlineData("GRPCS://h", "https://h/")]
    [InlineData("https://h", "https://h/")]
    [InlineData("h:1", null)]
    [InlineData("tcp://h:1", null)]
    public void An_endpoint_of_gRPC_is_one_of_HTTP(string endpoint, string? url) =>
        Assert.Equal(url, new PluginConfig { Kind = PluginKind.Grpc, Endpoint = endpoint }.Uri?.AbsoluteUri);

    [Theory]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1","args":["a"],"env":{"A":"b"},"working_dir":"/srv"}}""", null)]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1","args":["a\u0000"]}}""", "`config.args`")]
    [InlineData("""{"config":{"type":"process","name":"../../x","version":"1"}}""", "the name of a directory")]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1/2"}}""", "the name of a directory")]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1","env":{"A":"b\u0000"}}}""", "`config.env`")]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1","env":{"A=B":"b"}}}""", "no name of a variable")]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1","env":{"":"b"}}}""", "no name of a variable")]
    [InlineData("""{"config":{"type":"process","name":" ","version":"1"}}""", "plugin identifier cannot be empty")]
    [InlineData("""{"config":{"type":"process","name":"x","version":" "}}""", "plugin version cannot be empty")]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1","working_dir":"/s\nv"}}""", "`config.working_dir`")]
    [InlineData("""{"config":{"type":"process","name":"x","version":"1","env":{"A":"(hidden)"}}}""", "there is none")]
    [InlineData("""{"config":{"type":"http","endpoint":"h","signing_secret":"12345678","headers":{"X-A":"b"}}}""", null)]
    [InlineData("""{"config":{"type":"http","endpoint":"h","signing_secret":"1234567"}}""", "at least 8")]
    [InlineData("""{"config":{"type":"http","endpoint":"h","signing_secret":"(hidden)"}}""", "there is none")]
    [InlineData("""{"config":{"type":"http","endpoint":"h","headers":{"idempotency-key":"b"}}}""", "set by EventDBX")]
    [InlineData("""{"config":{"type":"http","endpoint":"h","headers":{"Content-Length":"1"}}}""", "set by EventDBX")]
    [InlineData("""{"config":{"type":"http","endpoint":"169.254.169.254/latest"}}""", "is blocked")]
    [InlineData("""{"config":{"type":"http","endpoint":"10.0.0.1/latest"}}""", null)]
    [InlineData("""{"config":{"type":"grpc","endpoint":"grpc://[fe80::1]:1"}}""", "is blocked")]
    [InlineData("""{"config":{"type":"grpc","endpoint":"grpc://h","headers":{"x-key":"b"}}}""", null)]
    [InlineData("""{"config":{"type":"grpc","endpoint":"grpc://h","headers":{"grpc-timeout":"1S"}}}""", "keeps for itself")]
    [InlineData("""{"config":{"type":"grpc","endpoint":"grpc://h","headers":{"x-bin":"b"}}}""", "keeps for itself")]
    [InlineData("""{"config":{"type":"grpc","endpoint":"grpc://h","headers":{"x-key":"ü"}}}""", "beyond ASCII")]
    [InlineData("""{"config":{"type":"tcp","host":"169.254.1.1","port":1}}""", "is blocked")]
    [InlineData("""{"config":{"type":"tcp","host":"10.1.1.1","port":1}}""", null)]
    [InlineData("""{"config":{"type":"log","level":"WARN"}}""", null)]
    [InlineData("""{"config":{"type":"log","level":"loud"}}""", "not \"loud\"")]
    public void A_config_is_taken_and_its_neighbour_refused(string body, string? why)
    {
        var upsert = PluginJson.ReadUpsert(Encoding.UTF8.GetBytes(body), allowProcess: true);

        if (why is null)
            PluginRules.Checked(upsert.Config, null, new(Configuration.ConfigList.Empty));
        else
            Assert.Contains(why, Assert.Throws<RefusedException>(() => PluginRules.Checked(upsert.Config, null, new(Configuration.ConfigList.Empty))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_of_types_has_names_each_once_and_not_too_many()
    {
        Assert.Null(PluginRules.CheckedNames("types", null));
        Assert.Equal(["a", "b"], PluginRules.CheckedNames("types", ["a", "b", "a"]));
        Assert.Throws<RefusedException>(() => PluginRules.CheckedNames("types", ["a", ""]));
        Assert.Throws<RefusedException>(() => PluginRules.CheckedNames("types", ["a\n"]));
        Assert.Equal(256, PluginRules.CheckedNames("types", [.. Enumerable.Range(0, 256).Select(i => $"t{i}")])!.Value.Length);
        Assert.Equal(RefusalCode.LimitExceeded, Assert.Throws<RefusedException>(() => PluginRules.CheckedNames("types", [.. Enumerable.Range(0, 257).Select(i => $"t{i}")])).Refusal.Code);
    }

    [Fact]
    public void Hidden_secrets_of_a_program_stay_with_that_program()
    {
        static PluginConfig Config(string name, string[] args, string value) => new()
        {
            Kind = PluginKind.Process, Program = new() { Plugin = name, Version = "1", Args = [.. args], Env = System.Collections.Immutable.ImmutableSortedDictionary<string, string>.Empty.Add("KEY", value) },
        };
        var rules = new AddressRules(Configuration.ConfigList.Empty);
        var before = Config("x", ["--key=canary", "-v"], "canary");

        var kept = PluginRules.Checked(Config("x", ["(hidden)", "-q"], "(hidden)"), before, rules).Program!;

        Assert.Equal(["--key=canary", "-q"], kept.Args);
        Assert.Equal("canary", kept.Env["KEY"]);
        Assert.Throws<RefusedException>(() => PluginRules.Checked(Config("x", ["(hidden)"], "new"), before, rules));
        Assert.Throws<RefusedException>(() => PluginRules.Checked(Config("y", ["-v"], "(hidden)"), before, rules));
    }
}
