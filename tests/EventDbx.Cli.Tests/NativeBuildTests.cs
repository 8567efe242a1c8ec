using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using EventDbx.Protocol;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Reflection.V1;

namespace EventDbx.Cli.Tests;

/// <summary>The form that ships: one native program and its libraries.</summary>
public sealed class NativeBuildTests
{
    [Fact]
    public async Task The_release_builds_without_warnings_into_three_files_that_work()
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "the native build takes a minute: ./test --slow runs it");
        Assert.SkipWhen(!OnPath("clang") && !OnPath("gcc"), "there is no C compiler: tools/install-aot-prerequisites.sh installs one");
        Assert.SkipWhen(OperatingSystem.IsWindows(), "tools/publish-aot.sh is for a shell");
        using var home = new TemporaryDirectory();

        var built = await Program.RunAsync(
            "env", home.Path, home: null, $"ARTIFACTS={home["artifacts"]}", Path.Combine(Checkout.Root, "tools", "publish-aot.sh"), "release");

        Assert.True(built.Code == ExitCode.Done, built.Out + built.Error);
        Assert.DoesNotContain("warning", built.Out + built.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(3, Directory.EnumerateFileSystemEntries(home["release"]).Count());
        await ImportsAsync(home);
        await ServesAsync(home);
    }

    /// <summary>The same as <see cref="ReceiptsTests"/>, with this program; and its own check of a store that was not closed.</summary>
    static async Task ImportsAsync(TemporaryDirectory home)
    {
        var program = home["release/dbx"];
        var file = new ReceiptGenerator(1, 1434, 8577).WriteFile(home["receipts.ndjson"]);

        var first = await Program.RunAsync(program, home.Path, home.Path, "import", file);
        var second = await Program.RunAsync(program, home.Path, home.Path, "import", file);
        using (var victim = await Program.StartAsync(home.Path, "import", "-"))
            await victim.KillAsync();
        var verified = await Program.RunAsync(program, home.Path, home.Path, "verify", "--all");
        var saved = await Program.RunAsync(program, home.Path, home.Path, "config", "--port", "1", "--json");

        Assert.StartsWith("imported 8,577 lines: 8,577 events appended, 0 known, 1,434 aggregates in ", first.Out, StringComparison.Ordinal);
        Assert.StartsWith("imported 8,577 lines: 0 events appended, 8,577 known, 0 aggregates in ", second.Out, StringComparison.Ordinal);
        Assert.StartsWith("verified 8,577 events and 1 other entries in 1,434 aggregates ", verified.Out, StringComparison.Ordinal);
        Assert.Contains("\"port\": 1,", saved.Out, StringComparison.Ordinal);
    }

    /// <summary>A web server loses more to trimming than a command line: it appends, reads, and says no.</summary>
    static async Task ServesAsync(TemporaryDirectory home)
    {
        var (program, served) = (home["release/dbx"], Directory.CreateDirectory(home["h"]).FullName);
        var started = await Program.RunAsync(program, served, served, "start", "--port=0", "--bind=127.0.0.1");
        try
        {
            Assert.True(started.Code == ExitCode.Done, started.Error);
            using HttpClient owner = new(new SocketsHttpHandler
            {
                ConnectCallback = async (_, cancellation) =>
                {
                    Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(home["h/.eventdbx/dbx.sock"]), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                },
            });
            using StringContent append = new(
                """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-paid","payload":{"total":42.50}}""", Encoding.UTF8, "application/json");
            using StringContent misspelt = new("""{"aggregate":"order"}""", Encoding.UTF8, "application/json");

            using var appended = await owner.PostAsync(new Uri("http://dbx/v1/events"), append, TestContext.Current.CancellationToken);
            using var refused = await owner.PostAsync(new Uri("http://dbx/v1/events"), misspelt, TestContext.Current.CancellationToken);
            var state = await owner.GetStringAsync(new Uri("http://dbx/v1/aggregates/order/o-1"), TestContext.Current.CancellationToken);

            Assert.Equal(HttpStatusCode.OK, appended.StatusCode);
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Contains("\"state\":{\"total\":\"42.50\"}", state, StringComparison.Ordinal);

            await SpeaksGrpcAsync(home["h/.eventdbx/dbx.sock"]);
            var restarted = await Program.RunAsync(program, served, served, "restart", "--port=0", "--tls");
            Assert.True(restarted.Code == ExitCode.Done, restarted.Error);
            var status = JsonDocument.Parse((await Program.RunAsync(program, served, served, "status", "--json")).Out).RootElement;
            using var made = X509CertificateLoader.LoadCertificateFromFile(home["h/.eventdbx/tls.crt"]);
            using HttpClient stranger = new(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, shown, _, _) => made.Equals(shown) });
            Assert.Equal(
                """{"status":"ok"}""", await stranger.GetStringAsync(new Uri($"https://localhost:{status.GetProperty("port")}/health"), TestContext.Current.CancellationToken));
        }
        finally
        {
            var stopped = await Program.RunAsync(program, served, served, "stop");
            Assert.True(stopped.Code == ExitCode.Done, stopped.Error);
        }
    }

    /// <summary>What gRPC is made of looks for things at run time elsewhere: messages, details of errors, descriptors, streams.</summary>
    static async Task SpeaksGrpcAsync(string path)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        using var channel = GrpcChannel.ForAddress("http://dbx", new() { HttpHandler = handler, DisposeHttpClient = true });
        var events = new EventService.EventServiceClient(channel);
        var append = new AppendEventRequest { AggregateType = "order", AggregateId = "o-2", EventType = "order-paid", PayloadJson = """{"total":42.50}""", ExpectedVersion = 0 };
        var appended = await events.AppendEventAsync(append, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal("""{"total":42.50}""", appended.Event.PayloadJson);
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await events.AppendEventAsync(append, cancellationToken: TestContext.Current.CancellationToken));
        Assert.Equal(StatusCode.Aborted, refused.StatusCode);
        Assert.Contains("version_conflict", Encoding.UTF8.GetString(refused.Trailers.GetValueBytes("grpc-status-details-bin")!), StringComparison.Ordinal);
        using var stream = events.AppendStream(cancellationToken: TestContext.Current.CancellationToken);
        append.ExpectedVersion = 1;
        await stream.RequestStream.WriteAsync(new() { Tag = 7, Append = append }, TestContext.Current.CancellationToken);
        await stream.RequestStream.CompleteAsync();
        Assert.True(await stream.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.Equal(2UL, stream.ResponseStream.Current.Appended.Event.Version);
        using var feed = events.Subscribe(new() { After = $"{appended.Event.Position}" }, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(await feed.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.Equal(2UL, feed.ResponseStream.Current.Event.Version);
        using var reflection = new ServerReflection.ServerReflectionClient(channel).ServerReflectionInfo(cancellationToken: TestContext.Current.CancellationToken);
        await reflection.RequestStream.WriteAsync(new() { FileContainingSymbol = "dbx.api.EventService" }, TestContext.Current.CancellationToken);
        Assert.True(await reflection.ResponseStream.MoveNext(TestContext.Current.CancellationToken));
        Assert.NotEmpty(reflection.ResponseStream.Current.FileDescriptorResponse.FileDescriptorProto);
    }

    static bool OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(directory => File.Exists(Path.Combine(directory, program)));
}
