using System.Net;
using System.Net.Http.Headers;
using EventDbx.Protocol;
using EventDbx.Server.Grpc;
using EventDbx.Server.Tests.Rest;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Net.Client;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>Who may call what, over every method of the table.</summary>
public sealed class GrpcAccessTests : IAsyncLifetime
{
    readonly RestServer _server = new();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public void The_table_has_every_method_of_every_service_that_reflection_shows()
    {
        var shown = GrpcServices.Descriptors.SelectMany(service => service.Methods.Select(method => (Path: $"/{service.FullName}/{method.Name}", In: method.IsClientStreaming, Out: method.IsServerStreaming)));
        Assert.Equal(
            shown.Order(),
            _server.Host.GrpcMethods.Select(method => (method.Path, method.Kind is MethodType.ClientStreaming or MethodType.DuplexStreaming, method.Kind is MethodType.ServerStreaming or MethodType.DuplexStreaming)).Order());
        Assert.Equal(
            ["Check", "Health", "Health", "ServerReflectionInfo", "ServerReflectionInfo", "Watch"],
            _server.Host.GrpcMethods.Where(method => method.Access is null).Select(method => method.Name).Order());
        // The two names have the same methods with the same messages.
        Assert.Equal(Signatures(EventService.Descriptor), Signatures(Protocol.Alias.EventService.Descriptor));

        static IEnumerable<string> Signatures(ServiceDescriptor service) =>
            service.Methods.Select(method => $"{method.Name}({(method.IsClientStreaming ? "stream " : "")}{method.InputType.FullName}) {(method.IsServerStreaming ? "stream " : "")}{method.OutputType.FullName}");
    }

    [Fact]
    public async Task Who_may_not_is_told_so_before_a_byte_of_a_message_is_sent()
    {
        var (importer, reader) = (await _server.TokenForAsync("records.import"), await _server.TokenForAsync("aggregate.read"));
        var revoked = await _server.TokenForAsync("aggregate.read");
        await _server.Host.Tokens.RevokeAsync(_server.Owner, revoked, "left", Cancellation);
        foreach (var method in _server.Host.GrpcMethods.Where(method => method.Access is not null))
        {
            foreach (var header in (string?[])[null, "", "Bearer", "Bearer ", $"Basic {_server.Root}", $"Bearer {_server.Root}x", $"Bearer {revoked}"])
                Assert.Equal((StatusCode.Unauthenticated, "unauthenticated"), await AskAsync(method.Path, header));
            var without = method.Access == EventDbx.Access.AccessAction.RecordsImport ? reader : importer;
            Assert.Equal((StatusCode.PermissionDenied, "permission_denied"), await AskAsync(method.Path, $"Bearer {without}"));
        }
    }

    [Fact]
    public async Task Every_method_takes_the_action_that_the_table_says_and_no_other()
    {
        foreach (var method in _server.Host.GrpcMethods.Where(method => method.Access is not null && method.Kind == MethodType.Unary))
        {
            var action = AccessActions.NameOf(method.Access!.Value);
            var other = action == "aggregate.archive" ? "aggregate.read" : "aggregate.archive";
            Assert.Equal(StatusCode.PermissionDenied, (await EmptyAsync(method, await _server.TokenForAsync(other))).Status);
            Assert.NotEqual("permission_denied", (await EmptyAsync(method, await _server.TokenForAsync(action))).Code);
        }
    }

    [Theory]
    [InlineData("/eventdbx.api.EventService/Nothing")]
    [InlineData("/nothing.Service/AppendEvent")]
    [InlineData("/eventdbx.api.eventservice/AppendEvent")]
    [InlineData("/")]
    public async Task A_method_that_is_not_there_is_unimplemented_and_named(string path)
    {
        Assert.Equal((StatusCode.Unimplemented, "method_not_allowed"), await AskAsync(path, $"Bearer {_server.Root}"));
        Assert.Equal((StatusCode.Unimplemented, "method_not_allowed"), await AskAsync(path, null));
        // What a client makes up is in no line of the log.
        lock (_server.Lines)
            Assert.DoesNotContain(_server.Lines, line => path.Length > 1 && line.Message.Contains(path, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Messages_in_another_format_are_refused()
    {
        Assert.Equal((StatusCode.InvalidArgument, "unsupported_media_type"), await AskAsync("/eventdbx.api.EventService/AppendEvent", $"Bearer {_server.Root}", "application/grpc+json"));
        Assert.Equal((StatusCode.Unauthenticated, "unauthenticated"), await AskAsync("/eventdbx.api.EventService/AppendEvent", null, "application/grpc+proto"));
    }

    [Fact]
    public async Task The_owner_on_the_socket_needs_no_token_and_is_the_owner()
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
                await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(_server.SocketPath), cancellation);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        };
        using var channel = GrpcChannel.ForAddress("http://localhost", new() { HttpHandler = handler, DisposeHttpClient = true });
        var client = new EventService.EventServiceClient(channel);
        var appended = await client.AppendEventAsync(GrpcClient.Append("1", "{}"), cancellationToken: Cancellation);
        Assert.Equal(("cli", Environment.UserName), (appended.Event.Metadata.IssuedBy.Group, appended.Event.Metadata.IssuedBy.User));
        // With a token it is what the token is.
        var token = await _server.TokenForAsync("aggregate.read");
        var refused = await GrpcRefusal.OfAsync(client.AppendEventAsync(GrpcClient.Append("1", "{}"), new Metadata { { "authorization", $"Bearer {token}" } }, cancellationToken: Cancellation));
        Assert.Equal(StatusCode.PermissionDenied, refused.Status);
    }

    [Fact]
    public async Task Switched_off_it_is_unimplemented_with_the_reason_but_for_the_owner()
    {
        await using var server = new RestServer { ChangeOptions = options => options with { Config = options.Config with { ApiGrpc = false } } };
        await server.InitializeAsync();
        using var client = GrpcClient.Of(server);
        foreach (var call in (Func<Task>[])
        [
            () => client.AppendAsync(GrpcClient.Append("1", "{}")),
            async () => _ = await client.Events.HealthAsync(new(), cancellationToken: Cancellation),
        ])
        {
            var refused = await GrpcRefusal.OfAsync(call);
            Assert.Equal(StatusCode.Unimplemented, refused.Status);
            Assert.Contains("api.grpc", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(200, (await server.AppendAsync("t", "1", "e", "{}")).Status);
    }

    /// <summary>Begins a call whose message never comes.</summary>
    async Task<(StatusCode, string)> AskAsync(string path, string? authorization, string contentType = "application/grpc")
    {
        // A connection each: hundreds of streams that are refused and not ended by the client are too many for one.
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        using var content = new Silent();
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{_server.Host.Port}{path}")
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = content,
        };
        content.Headers.ContentType = new MediaTypeHeaderValue(contentType);
        request.Headers.TryAddWithoutValidation("TE", "trailers");
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        using var answer = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("application/grpc", answer.Content.Headers.ContentType!.MediaType);
        var details = Google.Rpc.Status.Parser.ParseFrom(Convert.FromBase64String(answer.Headers.GetValues("grpc-status-details-bin").Single()));
        Assert.Equal(details.Message, Uri.UnescapeDataString(answer.Headers.GetValues("grpc-message").Single()));
        return ((StatusCode)int.Parse(answer.Headers.GetValues("grpc-status").Single(), System.Globalization.CultureInfo.InvariantCulture), details.Details[0].Unpack<Google.Rpc.ErrorInfo>().Reason);
    }

    /// <summary>Calls a method with an empty message.</summary>
    async Task<(StatusCode Status, string? Code)> EmptyAsync(GrpcMethod method, string token)
    {
        using var client = GrpcClient.Of(_server, token);
        var raw = Marshallers.Create(static bytes => bytes, static bytes => bytes);
        try
        {
            await client.Invoker.AsyncUnaryCall(new Method<byte[], byte[]>(MethodType.Unary, method.Service, method.Name, raw, raw), null, new CallOptions(client.Headers, cancellationToken: Cancellation), []);
            return (StatusCode.OK, null);
        }
        catch (RpcException thrown)
        {
            var refusal = GrpcRefusal.Of(thrown);
            return (refusal.Status, refusal.Code);
        }
    }

    sealed class Silent : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, default);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.FlushAsync(cancellationToken);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
