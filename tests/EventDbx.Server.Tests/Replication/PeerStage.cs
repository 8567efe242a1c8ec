using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Replication;
using EventDbx.Server.Tests.Plugins;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Replication;

/// <summary>A server with a port of replication, and a node that goes to it.</summary>
internal sealed class PeerStage : IAsyncDisposable
{
    /// <summary>How long what has to come may take: then the test fails, and says what did not.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly TemporaryDirectory _home = new();

    PeerStage(RestServer server, FakeReplica replica) => (Server, Replica) = (server, replica);

    public RestServer Server { get; }

    public FakeReplica Replica { get; }

    public List<Actor> Actors { get; } = [];

    public int Port => Server.Host.PeerPort!.Value;

    public string Endpoint => $"tcp://127.0.0.1:{Port}";

    public NodeIdentity Client => NodeIdentity.ReadOrCreate(_home["client/replication.key"]);

    public NodeIdentity Stranger => NodeIdentity.ReadOrCreate(_home["stranger/replication.key"]);

    public NodeIdentity Own => NodeIdentity.ReadOrCreate(Path.Combine(Server.DataDir, "replication.key"));

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<PeerStage> StartAsync(bool push = true, bool pull = true, Func<ServerOptions, ServerOptions>? change = null)
    {
        var replica = new FakeReplica();
        PeerStage? stage = null;
        var server = new RestServer
        {
            ChangeOptions = options =>
            {
                options = options with
                {
                    PeerEndPoint = new(IPAddress.Loopback, 0),
                    OpenReplica = (_, actor) =>
                    {
                        lock (stage!.Actors)
                            stage.Actors.Add(actor);
                        return replica;
                    },
                };
                return change?.Invoke(options) ?? options;
            },
        };
        stage = new(server, replica);
        await server.InitializeAsync();
        await stage.AllowAsync(push, pull);
        return stage;
    }

    /// <summary>Makes the client's key that of the peer <c>east</c>; with neither right nobody may come.</summary>
    public Task AllowAsync(bool push, bool pull) => File.WriteAllTextAsync(
        Server.ConfigPath,
        push || pull ? $"page_limit = 50\n\n[replication.allow.east]\npublic_key = \"{Client.Key}\"\npush = {(push ? "true" : "false")}\npull = {(pull ? "true" : "false")}\n" : "page_limit = 50\n",
        Cancellation);

    public Task<IReplica> DialAsync(NodeIdentity? by = null, PeerKey? pinned = null, string? endpoint = null, TimeProvider? clock = null) =>
        new PeerDialer(() => by ?? Client, clock ?? TimeProvider.System).DialAsync(endpoint ?? Endpoint, pinned ?? Own.Key, Cancellation).WaitAsync(Patience, Cancellation);

    public async Task<NetworkStream> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, Port, Cancellation);
        return new(socket, ownsSocket: true);
    }

    /// <summary>TLS as a peer speaks it, and nothing said yet.</summary>
    public async Task<RawPeer> SecureAsync() => await RawPeer.ConnectAsync(await ConnectAsync());

    /// <summary>What comes until the other end closes; with a bound.</summary>
    public static async Task<byte[]> ReadToEndAsync(Stream stream)
    {
        using MemoryStream all = new();
        try
        {
            await stream.CopyToAsync(all, Cancellation).WaitAsync(Patience, Cancellation);
        }
        catch (IOException)
        {
            // Cut off; what came before it came.
        }

        return all.ToArray();
    }

    public string LogText
    {
        get
        {
            lock (Server.Lines)
                return string.Join('\n', Server.Lines.Select(static line => $"{line.Source}: {line.Message} {line.Failure}"));
        }
    }

    /// <summary>Until the log says something; with a bound.</summary>
    public async Task LoggedAsync(string words)
    {
        for (var began = TimeProvider.System.GetTimestamp(); !LogText.Contains(words, StringComparison.Ordinal);)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < Patience, $"The log does not say \"{words}\": {LogText}");
            await Task.Delay(5, Cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        _home.Dispose();
    }
}

/// <summary>The TLS of a session by hand: what a peer says in it is the test's.</summary>
internal sealed class RawPeer : IAsyncDisposable
{
    readonly SslStream _tls;
    readonly SessionCertificate _own;
    readonly MessageWriter _writer = new();

    RawPeer(SslStream tls, SessionCertificate own) => (_tls, _own, Frames) = (tls, own, new(tls));

    public FrameReader Frames { get; }

    public SessionCertificate Own => _own;

    public Stream Tls => _tls;

    public System.Security.Cryptography.X509Certificates.X509Certificate2 Shown => (System.Security.Cryptography.X509Certificates.X509Certificate2)_tls.RemoteCertificate!;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<RawPeer> ConnectAsync(Stream stream)
    {
        var own = SessionCertificate.Make();
        var tls = new SslStream(stream, leaveInnerStreamOpen: false);
        await tls.AuthenticateAsClientAsync(own.ClientOptions(), Cancellation).WaitAsync(PeerStage.Patience, Cancellation);
        return new(tls, own);
    }

    /// <summary>The other side of it, by who was dialled.</summary>
    public static async Task<RawPeer> AcceptAsync(Stream stream)
    {
        var own = SessionCertificate.Make();
        var tls = new SslStream(stream, leaveInnerStreamOpen: false);
        await tls.AuthenticateAsServerAsync(own.ServerOptions(), Cancellation).WaitAsync(PeerStage.Patience, Cancellation);
        return new(tls, own);
    }

    /// <summary>The hello of a node, as the dialler would send it.</summary>
    public ReplicationHello HelloOf(NodeIdentity identity, PeerKey pinned) => new(
        SessionHandshake.Version, pinned.Bytes.ToArray(), identity.Key.Bytes.ToArray(),
        identity.Sign(SessionTranscript.Of(SessionRole.Client, Shown.RawData, _own.Certificate.RawData, SessionCertificate.NonceOf(Shown)!, _own.Nonce)));

    public async Task<ReplicationHelloResponse> GreetAsync(ReplicationHello hello)
    {
        await SendAsync(ReplicationFrames.WriteHello(_writer, hello));
        return ReplicationFrames.ReadHelloResponse((await ReadAsync())!);
    }

    public async Task SendAsync(ReadOnlyMemory<byte> frame)
    {
        await _tls.WriteAsync(frame, Cancellation);
        await _tls.FlushAsync(Cancellation);
    }

    public Task<MessageReader?> ReadAsync() => Frames.ReadAsync(Cancellation).AsTask().WaitAsync(PeerStage.Patience, Cancellation);

    public async ValueTask DisposeAsync()
    {
        await _tls.DisposeAsync();
        _own.Dispose();
    }
}

internal static class Stepping
{
    /// <summary>Moves the clock step by step, a second or as long as is said, until something has ended, well or badly; with a bound.</summary>
    /// <returns>How far it was moved.</returns>
    public static async Task<TimeSpan> StepUntilAsync(this SteppedClock clock, Task ended, TimeSpan? step = null)
    {
        var (began, really) = (clock.Now, TimeProvider.System.GetTimestamp());
        while (!ended.IsCompleted)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(really) < PeerStage.Patience, $"It has not ended after {clock.Now - began}.");
            clock.Advance(step ?? TimeSpan.FromSeconds(1));
            await Task.WhenAny(ended, Task.Delay(2, TestContext.Current.CancellationToken));
        }

        return clock.Now - began;
    }
}
