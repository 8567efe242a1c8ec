using EventDbx.Cli.Commands.Server;

namespace EventDbx.Cli.Tests.Commands;

public sealed class StartFlagsTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Theory]
    [InlineData(Restriction.Off, "off", "false", "0", "no", "none", "unrestricted", "dev")]
    [InlineData(Restriction.Default, "default", "true", "1", "yes", "on", "prod", "restricted", "hybrid")]
    [InlineData(Restriction.Strict, "strict", "all", "enforced")]
    public void Every_published_spelling_of_a_restriction_is_taken_in_both_forms(Restriction expected, params string[] spellings)
    {
        var other = new ServerConfig { DataDir = "/d", Restrict = expected == Restriction.Off ? Restriction.Strict : Restriction.Off };
        Assert.All(spellings, spelling =>
        {
            Assert.Equal(expected, Over(other, $"--restrict={spelling}").Restrict);
            Assert.Equal(expected, Over(other, "--restrict", spelling, "--port", "1").Restrict);
        });
    }

    [Fact]
    public void A_bare_restriction_is_the_default_and_none_keeps_what_is_configured()
    {
        var strict = new ServerConfig { DataDir = "/d", Restrict = Restriction.Strict };

        Assert.Equal(Restriction.Default, Over(strict, "--restrict").Restrict);
        Assert.Equal(Restriction.Default, Over(strict, "--restrict", "--port", "1").Restrict);
        Assert.Equal(Restriction.Strict, Over(strict).Restrict);
    }

    [Theory]
    [InlineData("graphql", false, true, false)]
    [InlineData("rest,grpc", true, false, true)]
    [InlineData("all", true, true, true)]
    public void Surfaces_are_exactly_those_that_are_named(string surfaces, bool rest, bool graphQL, bool grpc)
    {
        var config = Over(new ServerConfig { DataDir = "/d" }, "--api", surfaces);
        var repeated = Over(new ServerConfig { DataDir = "/d" }, [.. surfaces.Split(',').SelectMany(one => (string[])["--api", one])]);

        Assert.Equal((rest, graphQL, grpc), (config.ApiRest, config.ApiGraphQL, config.ApiGrpc));
        Assert.Equal(config, repeated with { Remotes = config.Remotes });
    }

    [Fact]
    public void A_switch_changes_one_surface()
    {
        var config = Over(new ServerConfig { DataDir = "/d", ApiGrpc = false }, "--no-rest", "--grpc");

        Assert.Equal((false, true, true), (config.ApiRest, config.ApiGraphQL, config.ApiGrpc));
    }

    [Theory]
    [InlineData("--restrict=lax", "`--restrict` must be \"off\", \"default\" or \"strict\", not `lax`.")]
    [InlineData("--api=soap", "`--api` must be \"rest\", \"graphql\", \"grpc\" or \"all\"; several with commas, not `soap`.")]
    [InlineData("--port=65536", "`--port` must be a whole number from 1 to 65535, or 0 for any free port, not `65536`.")]
    [InlineData("--port=-1", "`--port` must be a whole number from 1 to 65535, or 0 for any free port, not `-1`.")]
    [InlineData("--bind=localhost", "`--bind` must be an IP address, such as \"127.0.0.1\" or \"::1\", not `localhost`.")]
    [InlineData("--rest --no-rest", "`--rest` and `--no-rest` exclude each other.")]
    [InlineData("--api=rest --no-grpc", "`--api` and `--no-grpc` exclude each other.")]
    [InlineData("--no-rest --no-graphql --no-grpc", "No surface is left switched on; a server needs one of REST, GraphQL and gRPC.")]
    [InlineData("--forground", "unknown option `--forground`; did you mean `--foreground`?")]
    public async Task What_makes_no_sense_is_a_usage_error_and_nothing_is_written(string options, string problem)
    {
        foreach (var command in (string[])["start", "restart"])
        {
            if (command == "restart" && options == "--forground")
                continue;
            var outcome = await _line.RunAsync([command, .. options.Split(' ')]);

            Assert.Equal(ExitCode.Usage, outcome.Code);
            Assert.StartsWith($"error: {problem}", outcome.Error, StringComparison.Ordinal);
            Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
        }
    }

    [Theory]
    [InlineData("EVENTDBX_LOG", "loud", "Error: The environment variable EVENTDBX_LOG must be error, warn, info, debug, trace, not `loud`.\n")]
    [InlineData("EVENTDBX_API", "none", "Error: The environment variable EVENTDBX_API must be \"rest\", \"graphql\", \"grpc\" or \"all\"; several with commas, not `none`.\n")]
    public async Task What_the_environment_says_is_checked_before_anything_is_started(string variable, string value, string problem)
    {
        _line.Environment[variable] = value;

        var outcome = await _line.RunAsync("start");

        Assert.Equal((ExitCode.Failed, problem), (outcome.Code, outcome.Error));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Theory]
    [InlineData("[api]\nrest = false\n", "Error: Every surface is off (api.rest, api.graphql, api.grpc)")]
    [InlineData("[log]\nquorum = 1\n", "Error: log.quorum is 1, and log.witnesses names 0")]
    public async Task Settings_that_do_not_go_together_are_refused_at_the_start(string config, string problem)
    {
        _line.Directory.Write(".eventdbx/config.toml", config);

        var outcome = await _line.RunAsync("start", "--port", "0");

        Assert.Equal(ExitCode.Failed, outcome.Code);
        Assert.StartsWith(problem, outcome.Error, StringComparison.Ordinal);
        Assert.Equal(config, _line.ConfigText);
    }

    ServerConfig Over(ServerConfig config, params string[] options)
    {
        ServerConfig? result = null;
        var verb = new Verb("start", "") { Examples = [], Check = StartFlags.Check, Run = (call, _) => Run(call) };
        foreach (var option in StartFlags.All)
            verb.Options.Add(option);
        var outcome = _line.RunAsync(CommandTree.WithGlobals(new("test") { verb }), ["start", .. options]).GetAwaiter().GetResult();
        Assert.True(outcome.Code == ExitCode.Done, outcome.Error);
        return result!;

        Task<ExitCode> Run(Call call)
        {
            result = StartFlags.Over(call, config);
            // What the server process is given says the same once more.
            var again = StartFlags.Arguments(call).ToList();
            Assert.Equal(options.Length > 0, again.Count > 0);
            return Task.FromResult(ExitCode.Done);
        }
    }
}
