namespace EventDbx.Server.Tests.Conformance;

/// <summary>The same scenario through every way in: whatever is asked, the answer is that of the engine.</summary>
public sealed class ConformanceTests
{
    /// <summary>What each way in leaves out, step by step. What is missing here and not offered fails the test.</summary>
    static readonly string[] NoSingleEvents = ["one event", "an event that is not there"];

    /// <summary>Whole histories and proofs go by REST.</summary>
    static readonly string[] NoGraphQLField =
    [
        "import with a misspelt member", "import records", "import records again",
        "a receipt", "a receipt in a larger tree", "a receipt in a smaller tree", "a receipt of an archived one", "a receipt of what is not there", "a receipt of nothing",
        "two roots", "the newest root", "a root that is not there", "the roots of nothing", "evidence", "evidence of nothing", "evidence of what has no name", "verify all",
    ];

    [CiTier("It starts servers and commands as processes, for seconds each.")]
    [Fact]
    public async Task The_command_line_on_the_directory_answers_as_the_engine_does()
    {
        var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        // Each command opens the store, so the odd names are lived through in full where there is time.
        await ComparedAsync(new CliDriver(line), NoSingleEvents, thorough: TestTiers.Choose(false, ci: true, demand: true));
    }

    [Fact]
    public async Task The_command_line_through_a_running_server_answers_as_the_engine_does()
    {
        var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        await ComparedAsync(new CliDriver(line, await RunningServer.StartAsync(line)), NoSingleEvents);
    }

    [Fact]
    public async Task The_command_line_of_another_machine_answers_as_the_engine_does_and_leaves_nothing_there()
    {
        var elsewhere = await RemoteCli.StartAsync();
        // The token is an entry of the log.
        await ComparedAsync(new CliDriver(elsewhere.Line, new Checked(elsewhere), entriesBefore: 1), NoSingleEvents);
    }

    [Fact]
    public async Task Rest_answers_as_the_engine_does() => await ComparedAsync(await RestDriver.StartAsync(), []);

    [Fact]
    public async Task Grpc_answers_as_the_engine_does() => await ComparedAsync(await GrpcDriver.StartAsync(), GrpcDriver.LeftOut);

    [Fact]
    public async Task GraphQL_answers_as_the_engine_does() => await ComparedAsync(await GraphQLDriver.StartAsync(), NoGraphQLField);

    sealed class Checked(RemoteCli elsewhere) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            Assert.True(elsewhere.LeftNothing);
            // The driver disposes its own line.
            await elsewhere.Server.DisposeAsync();
            elsewhere.Owner.Dispose();
        }
    }

    static async Task ComparedAsync(IDriver driver, IReadOnlyList<string> leftOut, bool thorough = true)
    {
        await using var engine = new SessionDriver();
        var expected = await Scenario.RunAsync(engine, thorough);
        await using (driver)
        {
            var actual = await Scenario.RunAsync(driver, thorough);
            Assert.Empty(expected.LeftOut);
            Assert.Equal(leftOut, actual.LeftOut);
            Assert.Equal(expected.Lines.Where((_, i) => actual.Lines[i] is not null), actual.Lines.Where(line => line is not null));
        }
    }
}
