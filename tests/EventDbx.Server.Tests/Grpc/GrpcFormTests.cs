using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using EventDbx.Protocol;
using EventDbx.Server.Tests.Rest;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Reflection.V1;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>The published form, taken from the README as it stands there, by clients that know nothing of us but what reflection tells.</summary>
public sealed partial class GrpcFormTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The line of the published description.</summary>
    static (string Header, string Data, string Address, string Service, string Method) Published
    {
        get
        {
            var line = Grpcurl().Match(File.ReadAllText(Path.Combine(Checkout.Root, "README.md")));
            Assert.True(line.Success, "README.md has no grpcurl line.");
            return (line.Groups[1].Value, line.Groups[2].Value, line.Groups[3].Value, line.Groups[4].Value, line.Groups[5].Value);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_published_line_works_through_reflection_in_clear_text_and_over_TLS(bool tls)
    {
        await using var server = tls ? new RestServer { ChangeOptions = options => options with { Config = options.Config with { TlsEnabled = true } } } : new RestServer();
        await server.InitializeAsync();
        var published = Published;
        Assert.Equal(("authorization: Bearer TOKEN", "127.0.0.1:7070"), (published.Header, published.Address));
        using var client = GrpcClient.Of(server);

        // As grpcurl does: the file of the symbol, the message of the method, the numbers of its fields.
        var service = (await DescribeAsync(client, published.Service)).Single(file => file.Services.Any(found => found.FullName == published.Service))
            .Services.Single(found => found.FullName == published.Service);
        var method = service.FindMethodByName(published.Method);
        var raw = Marshallers.Create(static bytes => bytes, static bytes => bytes);
        var answer = await client.Invoker.AsyncUnaryCall(
            new Method<byte[], byte[]>(MethodType.Unary, published.Service, published.Method, raw, raw), null, new CallOptions(client.Headers, cancellationToken: Cancellation),
            Encode(method.InputType, published.Data));

        Assert.Equal("eventdbx.api.AppendEventResponse", method.OutputType.FullName);
        var appended = AppendEventResponse.Parser.ParseFrom(answer).Event;
        Assert.Equal(("patient", "p-001", "patient-updated", """{"status":"inactive"}"""), (appended.AggregateType, appended.AggregateId, appended.EventType, appended.PayloadJson));
        Assert.Equal("inactive", (await server.GetAsync("/v1/aggregates/patient/p-001")).Json.GetProperty("state").GetProperty("status").GetString());
    }

    [Fact]
    public async Task Reflection_shows_every_service_in_both_of_its_versions_to_everybody()
    {
        await using var server = new RestServer();
        await server.InitializeAsync();
        using var client = new GrpcClient(server.Host.Port, token: null);
        using var now = new ServerReflection.ServerReflectionClient(client.Channel).ServerReflectionInfo(cancellationToken: Cancellation);
        await now.RequestStream.WriteAsync(new() { ListServices = "" }, Cancellation);
        Assert.True(await now.ResponseStream.MoveNext(Cancellation));
        string[] expected = ["dbx.api.EventService", "eventdbx.api.EventService", "eventdbx.replication.Replication", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
        Assert.Equal(expected, now.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name).Order(StringComparer.Ordinal));
        using var before = new global::Grpc.Reflection.V1Alpha.ServerReflection.ServerReflectionClient(client.Channel).ServerReflectionInfo(cancellationToken: Cancellation);
        await before.RequestStream.WriteAsync(new() { ListServices = "" }, Cancellation);
        Assert.True(await before.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(expected, before.ResponseStream.Current.ListServicesResponse.Service.Select(service => service.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_published_line_works_by_buf()
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "buf comes from npm: ./test --slow tries it");
        using var tools = new TemporaryDirectory();
        if (!await RunAsync("npm", "install", "--no-audit", "--no-fund", "--prefix", tools.Path, "@bufbuild/buf@1.75.0"))
            Assert.Skip("npm cannot install @bufbuild/buf here.");
        var published = Published;
        foreach (var tls in (bool[])[false, true])
        {
            await using var server = tls ? new RestServer { ChangeOptions = options => options with { Config = options.Config with { TlsEnabled = true } } } : new RestServer();
            await server.InitializeAsync();
            string[] transport = tls ? ["--cacert", Path.Combine(server.DataDir, "tls.crt")] : ["--http2-prior-knowledge"];
            Assert.True(await RunAsync(
                Path.Combine(tools.Path, "node_modules", ".bin", "buf"),
                ["curl", "--protocol", "grpc", .. transport, "-H", published.Header.Replace("TOKEN", server.Root, StringComparison.Ordinal), "-d", published.Data,
                    $"{(tls ? "https" : "http")}://localhost:{server.Host.Port}/{published.Service}/{published.Method}"]));
            Assert.Equal("inactive", (await server.GetAsync("/v1/aggregates/patient/p-001")).Json.GetProperty("state").GetProperty("status").GetString());
        }
    }

    static async Task<IReadOnlyList<FileDescriptor>> DescribeAsync(GrpcClient client, string symbol)
    {
        using var call = new ServerReflection.ServerReflectionClient(client.Channel).ServerReflectionInfo(cancellationToken: Cancellation);
        await call.RequestStream.WriteAsync(new() { FileContainingSymbol = symbol }, Cancellation);
        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        var files = call.ResponseStream.Current.FileDescriptorResponse.FileDescriptorProto.ToDictionary(bytes => FileDescriptorProto.Parser.ParseFrom(bytes).Name, bytes => bytes);
        // Those that others build on come first.
        var ordered = new List<ByteString>();
        var seen = new HashSet<string>();
        foreach (var name in files.Keys)
            Visit(name);
        return FileDescriptor.BuildFromByteStrings(ordered);

        void Visit(string name)
        {
            if (!seen.Add(name))
                return;
            foreach (var dependency in FileDescriptorProto.Parser.ParseFrom(files[name]).Dependency)
                Visit(dependency);
            ordered.Add(files[name]);
        }
    }

    /// <summary>JSON with strings as a message. C# has no dynamic messages, so the bytes are written by the numbers that the descriptor has.</summary>
    static byte[] Encode(MessageDescriptor message, string json)
    {
        using var output = new MemoryStream();
        using (var coded = new CodedOutputStream(output, leaveOpen: true))
        {
            foreach (var member in JsonDocument.Parse(json).RootElement.EnumerateObject())
            {
                var field = message.FindFieldByName(member.Name);
                Assert.True(field is { FieldType: FieldType.String }, member.Name);
                coded.WriteTag(field.FieldNumber, WireFormat.WireType.LengthDelimited);
                coded.WriteString(member.Value.GetString());
            }
        }

        return output.ToArray();
    }

    static async Task<bool> RunAsync(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var (output, error) = (process.StandardOutput.ReadToEndAsync(Cancellation), process.StandardError.ReadToEndAsync(Cancellation));
            await process.WaitForExitAsync(Cancellation);
            TestContext.Current.SendDiagnosticMessage("{0}: {1} {2}", program, await output, await error);
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    [GeneratedRegex("""grpcurl -H "([^"]+)" -plaintext -d '([^']+)' (\S+) (\S+)/(\S+)""")]
    private static partial Regex Grpcurl();
}
