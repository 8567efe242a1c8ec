using System.CommandLine;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text.Json;
using EventDbx.Cli;
using EventDbx.Cli.Commands.Server;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Tests.Plugins;

namespace EventDbx.Server.Tests.Replication;

/// <summary>Commands by the port of replication: from this machine, with a root token, those that are listed, and as that token.</summary>
public sealed class PortCommandTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static Task<PeerStage> StartAsync(Func<ServerOptions, ServerOptions>? change = null) => PeerStage.StartAsync(change: options =>
    {
        options = options with
        {
            RunCommand = new PortCommands(options.ConfigFile!, options.Database.Directory, new()
            {
                In = TextReader.Null, OpenIn = static () => Stream.Null, Out = TextWriter.Null, Error = TextWriter.Null, Environment = static _ => throw new InvalidOperationException("The environment of the server is looked at."),
                WorkingDirectory = options.Database.Directory, Self = [CommandLine.Program],
            }).RunAsync,
        };
        return change?.Invoke(options) ?? options;
    });

    static async Task<(int Code, string Out, string Error)> AskAsync(Stream stream, string token, params string[] arguments)
    {
        await stream.WriteAsync(ControlFrames.WriteRequest(new(), arguments, token), Cancellation);
        return ControlFrames.ReadResponse((await new FrameReader(stream).ReadAsync(Cancellation).AsTask().WaitAsync(PeerStage.Patience, Cancellation))!);
    }

    static async Task<(int Code, string Out, string Error)> OnceAsync(PeerStage stage, string token, params string[] arguments)
    {
        await using var stream = await stage.ConnectAsync();
        return await AskAsync(stream, token, arguments);
    }

    [Fact]
    public async Task A_command_is_carried_out_on_this_server_as_its_token_one_after_the_other()
    {
        await using var stage = await StartAsync();
        await using var stream = await stage.ConnectAsync();
        var token = stage.Server.Root;

        var applied = await AskAsync(stream, token, "aggregate", "apply", "order", "o-1", "made", "--payload", "{\"a\":1}", "--note", "@not a file");
        var listed = await AskAsync(stream, token, "aggregate", "list", "--json");
        var absent = await AskAsync(stream, token, "aggregate", "get", "order", "o-2");
        var misspelt = await AskAsync(stream, token, "aggregate", "get", "order");
        var nothing = await AskAsync(stream, token);
        var help = await AskAsync(stream, token, "aggregate", "get", "--help");

        Assert.Equal((0, ""), (applied.Code, applied.Error));
        var record = Assert.Single(stage.Server.Owner.GetEvents(AggregateKey.Create("order", "o-1"), 1, 10).Items);
        Assert.Equal((new Actor("ops", "root"), "@not a file"), (record.Actor, record.Note));
        Assert.Equal("o-1", JsonDocument.Parse(listed.Out).RootElement[0].GetProperty("aggregate_id").GetString());
        Assert.Equal((1, ""), (absent.Code, absent.Out));
        Assert.Contains("o-2", absent.Error, StringComparison.Ordinal);
        Assert.Equal(2, misspelt.Code);
        Assert.Equal((2, ""), (nothing.Code, nothing.Out));
        Assert.Contains("Usage", nothing.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(0, help.Code);
        Assert.Contains("aggregate get", help.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_root_token_nothing_is_carried_out_and_the_arguments_are_not_looked_at()
    {
        var ran = 0;
        await using var stage = await PeerStage.StartAsync(change: options => options with
        {
            RunCommand = (_, _) =>
            {
                ran++;
                return Task.FromResult(new CommandOutcome(0, "done", ""));
            },
        });
        var limited = await stage.Server.TokenForAsync("aggregate.read", "aggregate:*:*");

        var none = await OnceAsync(stage, "", "aggregate", "list");
        var unknown = await OnceAsync(stage, "a.b.c", "aggregate", "list");
        var little = await OnceAsync(stage, limited, "aggregate", "list");
        var malformed = await RawAsync(stage, ReadOnlyMemory<byte>.Empty);
        var good = await OnceAsync(stage, stage.Server.Root, "aggregate", "list");

        Assert.Equal((-1, "", "A command needs a root token, in the field `token` of the request.\n"), none);
        Assert.Equal((-1, ""), (unknown.Code, unknown.Out));
        Assert.Equal((-1, "", "Only a root token may have commands carried out by the port of replication.\n"), little);
        Assert.Equal(none, malformed);
        Assert.Equal((0, "done", ""), good);
        Assert.Equal(1, ran);

        // The arguments are no texts, and there is no token: it is the token that is missed.
        static async Task<(int, string, string)> RawAsync(PeerStage stage, ReadOnlyMemory<byte> token)
        {
            await using var stream = await stage.ConnectAsync();
            await stream.WriteAsync(Frames.Of([0x0002_0000_0000_0000, 5 | ((6UL | (1UL << 3)) << 32), 0, 3]), Cancellation);
            _ = token;
            return ControlFrames.ReadResponse((await new FrameReader(stream).ReadAsync(Cancellation).AsTask().WaitAsync(PeerStage.Patience, Cancellation))!);
        }
    }

    [Fact]
    public async Task Whose_command_is_refused_for_its_token_is_logged_without_it_and_not_without_end()
    {
        await using var stage = await StartAsync();
        var limited = await stage.Server.TokenForAsync("aggregate.read", "aggregate:*:*");
        var unknown = $"{limited[..^4]}AAAA";
        await using var stream = await stage.ConnectAsync();

        Assert.Equal(0, (await AskAsync(stream, stage.Server.Root, "aggregate", "list")).Code);
        foreach (var token in new[] { "", "not-a-token", unknown, limited })
            Assert.Equal(-1, (await AskAsync(stream, token, "aggregate", "list")).Code);
        var lines = Refusals();
        for (var i = 0; i < ServerLimits.SessionRefusalLinesMax; i++)
            Assert.Equal(-1, (await AskAsync(stream, "", "aggregate", "list")).Code);

        Assert.Equal(4, lines.Length);
        Assert.EndsWith("A connection from 127.0.0.1 was refused: its command has no token. ", lines[0], StringComparison.Ordinal);
        Assert.Contains("has no root token that is taken: The token is malformed", lines[1], StringComparison.Ordinal);
        Assert.Contains("Only a root token may have commands carried out", lines[3], StringComparison.Ordinal);
        Assert.All(new[] { "not-a-token", unknown, limited, stage.Server.Root }, token => Assert.DoesNotContain(token, stage.LogText, StringComparison.Ordinal));
        Assert.Equal(ServerLimits.SessionRefusalLinesMax, Refusals().Length);

        string[] Refusals() => [.. stage.LogText.Split('\n').Where(static line => line.Contains("was refused: ", StringComparison.Ordinal))];
    }

    [Theory]
    [InlineData("destroy", "--yes")]
    [InlineData("start")]
    [InlineData("stop")]
    [InlineData("restart")]
    [InlineData("config", "--port", "1")]
    [InlineData("token", "generate", "--root")]
    [InlineData("token", "list")]
    [InlineData("plugin", "list")]
    [InlineData("remote", "allow", "x", "--both")]
    [InlineData("key", "rotate")]
    [InlineData("import", "/etc/passwd")]
    [InlineData("recover")]
    [InlineData("verify", "--all")]
    [InlineData("log", "mirror", "/tmp/x")]
    [InlineData("schema", "apply", "/etc/passwd")]
    [InlineData("schema", "drop", "t")]
    [InlineData("aggregate", "export", "--all", "--output", "/tmp/x")]
    [InlineData("aggregate", "remove", "order", "o-1")]
    [InlineData("audit", "export", "--output", "/tmp/x")]
    [InlineData("__inspect", "/tmp")]
    [InlineData("no-such-command")]
    [InlineData("[suggest]", "aggregate")]
    [InlineData("--version")]
    [InlineData("--config", "/tmp/other.toml", "aggregate", "list")]
    [InlineData("aggregate", "list", "--config=/tmp/other.toml")]
    [InlineData("aggregate", "list", "--data-dir", "/tmp/other")]
    [InlineData("aggregate", "list", "--server", "http://192.0.2.1")]
    [InlineData("aggregate", "list", "--token", "x")]
    [InlineData("--token=x", "aggregate", "list")]
    [InlineData("aggregate", "list", "--lock-timeout", "600")]
    [InlineData("aggregate", "replay", "order", "o-1", "--follow")]
    [InlineData("aggregate", "proof", "order", "o-1", "1", "--output", "/tmp/x")]
    [InlineData("aggregate", "proof", "order", "o-1", "1", "-o", "/tmp/x")]
    [InlineData("aggregate", "apply", "order", "o-1", "made", "--payload", "@/etc/passwd")]
    [InlineData("aggregate", "apply", "order", "o-1", "made", "--payload=@/etc/passwd")]
    [InlineData("aggregate", "apply", "order", "o-1", "made", "--payload", "-")]
    [InlineData("aggregate", "apply", "order", "o-1", "made", "--patch", "@/etc/passwd")]
    [InlineData("schema", "validate", "t", "e", "--payload", "@/etc/passwd")]
    [InlineData("aggregate", "get", "order", "o\01")]
    public void What_destroys_installs_configures_starts_or_touches_files_is_not_carried_out(params string[] arguments) =>
        Assert.NotNull(PortCommands.WhyNot(arguments));

    [Theory]
    [InlineData("aggregate", "list", "--json")]
    [InlineData("aggregate", "apply", "order", "o-1", "made", "--payload", "{}")]
    [InlineData("aggregate", "apply", "--", "order", "@x", "-made")]
    [InlineData("aggregate", "apply", "order", "o-1", "made", "--field", "a=@b")]
    [InlineData("schema", "show", "t")]
    public void What_reads_or_appends_is(params string[] arguments) => Assert.Null(PortCommands.WhyNot(arguments));

    [Fact]
    public void What_is_listed_is_there_and_acts_as_a_token()
    {
        foreach (var path in PortCommands.Allowed)
        {
            Command command = CommandTree.Root;
            foreach (var name in path.Split(' '))
                command = Assert.Single(command.Subcommands, one => one.Name == name);
            Assert.True(Assert.IsType<Verb>(command).Options.Contains(AccessToken.Option), path);
        }

        Assert.Equal(PortCommands.Allowed.Order(StringComparer.Ordinal), PortCommands.Allowed);
    }

    [Fact]
    public async Task A_refused_command_is_answered_with_its_reason()
    {
        await using var stage = await StartAsync();

        var (code, output, error) = await OnceAsync(stage, stage.Server.Root, "destroy", "--yes");

        Assert.Equal((-1, ""), (code, output));
        Assert.StartsWith("`dbx destroy` is not carried out by the port of replication. Carried out are: aggregate apply, ", error, StringComparison.Ordinal);
        Assert.True(Database.ExistsIn(stage.Server.DataDir));
    }

    [Fact]
    public async Task A_command_that_takes_too_long_is_given_up()
    {
        var clock = new SteppedClock();
        var runs = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var stage = await PeerStage.StartAsync(change: options => options with
        {
            Clock = clock,
            RunCommand = async (_, cancellation) =>
            {
                runs.SetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellation);
                return new(0, "", "");
            },
        });

        var asked = OnceAsync(stage, stage.Server.Root, "aggregate", "list");
        await runs.Task.WaitAsync(PeerStage.Patience, Cancellation);
        var took = await clock.StepUntilAsync(asked);
        var (code, output, error) = await asked;

        Assert.Equal((-1, ""), (code, output));
        Assert.Contains("took longer than 60 s", error, StringComparison.Ordinal);
        Assert.True(took >= ServerLimits.SessionCommandTimeout, $"It was given up after {took}.");
    }

    [Fact]
    public async Task Commands_beyond_two_at_once_wait_their_turn()
    {
        var (running, most) = (0, 0);
        var two = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var gate = new Lock();
        await using var stage = await PeerStage.StartAsync(change: options => options with
        {
            RunCommand = async (_, _) =>
            {
                lock (gate)
                {
                    most = Math.Max(most, ++running);
                    if (running == ServerLimits.SessionCommandsMax)
                        two.TrySetResult();
                }

                await release.Task;
                lock (gate)
                    running--;
                return new(0, "done", "");
            },
        });

        var asked = Enumerable.Range(0, 5).Select(_ => OnceAsync(stage, stage.Server.Root, "aggregate", "list")).ToArray();
        await two.Task.WaitAsync(PeerStage.Patience, Cancellation);
        release.SetResult();
        var answers = await Task.WhenAll(asked).WaitAsync(PeerStage.Patience, Cancellation);

        Assert.All(answers, static answer => Assert.Equal((0, "done", ""), answer));
        Assert.Equal(ServerLimits.SessionCommandsMax, most);
    }

    [Fact]
    public async Task Output_is_bounded()
    {
        await using var stage = await StartAsync();
        var payload = $"{{\"text\":\"{new string('x', 1_000_000)}\"}}";
        for (var i = 0; i < 9; i++)
            await stage.Server.AppendAsync("order", "large", "made", payload);

        var (code, output, error) = await OnceAsync(stage, stage.Server.Root, "aggregate", "replay", "order", "large");
        var less = await OnceAsync(stage, stage.Server.Root, "aggregate", "replay", "order", "large", "--take", "6");

        Assert.Equal((-1, ""), (code, output));
        Assert.Contains("more than 8 MiB", error, StringComparison.Ordinal);
        // Characters are counted as the bytes that they are.
        Assert.Equal((0, ""), (less.Code, less.Error));
        Assert.InRange(less.Out.Length, 6_000_000, ServerLimits.SessionCommandOutputBytesMax);
    }

    [Fact]
    public async Task A_command_from_another_address_is_refused_and_its_token_not_looked_at()
    {
        var here = NetworkInterface.GetAllNetworkInterfaces().SelectMany(static one => one.GetIPProperties().UnicastAddresses)
            .Select(static one => one.Address).FirstOrDefault(static address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        Assert.SkipWhen(here is null, "This machine has no address but its loopback.");
        await using var stage = await StartAsync(static options => options with { PeerEndPoint = new(IPAddress.Any, 0) });
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(here!, stage.Port, Cancellation);
        await using var stream = new NetworkStream(socket);

        var (code, output, error) = await AskAsync(stream, stage.Server.Root, "aggregate", "list");

        Assert.Equal((-1, ""), (code, output));
        Assert.Contains("from this machine alone", error, StringComparison.Ordinal);
        Assert.Contains($"A connection from {here} was refused: it has a command, and comes from another machine.", stage.LogText, StringComparison.Ordinal);
        Assert.Empty(await PeerStage.ReadToEndAsync(stream));
        await using var remote = await stage.DialAsync(endpoint: $"{here}:{stage.Port}");
        Assert.Equal(FakeReplica.End, await remote.IdentifyAsync(Cancellation));
    }
}
