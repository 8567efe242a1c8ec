using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Replication;
using EventDbx.Server.Tests.Plugins;

namespace EventDbx.Server.Tests.Replication;

/// <summary>Who is not who they should be: refused, and told nothing else.</summary>
public sealed class SessionAttackTests
{
    const string NotAllowed = "the key of this node is not allowed here, or did not sign this connection";

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_client_that_pins_another_key_is_refused_and_says_what_it_pins()
    {
        await using var stage = await PeerStage.StartAsync();

        var refused = await Assert.ThrowsAsync<RefusedException>(() => stage.DialAsync(pinned: stage.Stranger.Key));

        Assert.Equal((RefusalCode.PermissionDenied, "replication handshake rejected: pinned public key mismatch"), (refused.Refusal.Code, refused.Message));
        Assert.Empty(stage.Actors);
    }

    [Fact]
    public async Task A_key_that_is_not_listed_and_a_listed_one_that_did_not_sign_get_the_same_answer_and_nothing_else()
    {
        await using var stage = await PeerStage.StartAsync();
        var own = stage.Own.Key;
        List<ReplicationHelloResponse> answers = [];
        async Task TryAsync(Func<RawPeer, ReplicationHello> hello)
        {
            await using var peer = await stage.SecureAsync();
            answers.Add(await peer.GreetAsync(hello(peer)));
            Assert.Empty(await PeerStage.ReadToEndAsync(peer.Tls));
        }

        await TryAsync(peer => peer.HelloOf(stage.Stranger, own));
        await TryAsync(peer => peer.HelloOf(stage.Stranger, own) with { PublicKey = stage.Client.Key.Bytes.ToArray() });
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with { Signature = default });
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with { Signature = new byte[64] });
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with { Signature = new byte[65] });
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with { PublicKey = default });
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with { PublicKey = new byte[32] });
        // What the server would have signed.
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with
        {
            Signature = stage.Client.Sign(SessionTranscript.Of(SessionRole.Server, peer.Shown.RawData, peer.Own.Certificate.RawData, SessionCertificate.NonceOf(peer.Shown)!, peer.Own.Nonce)),
        });
        // Certificates the wrong way round, and the nonces.
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with
        {
            Signature = stage.Client.Sign(SessionTranscript.Of(SessionRole.Client, peer.Own.Certificate.RawData, peer.Shown.RawData, SessionCertificate.NonceOf(peer.Shown)!, peer.Own.Nonce)),
        });
        await TryAsync(peer => peer.HelloOf(stage.Client, own) with
        {
            Signature = stage.Client.Sign(SessionTranscript.Of(SessionRole.Client, peer.Shown.RawData, peer.Own.Certificate.RawData, peer.Own.Nonce, SessionCertificate.NonceOf(peer.Shown)!)),
        });

        Assert.All(answers, static answer => Assert.Equal((false, NotAllowed, 0, 0), (answer.Accepted, answer.Message, answer.PublicKey.Length, answer.Signature.Length)));
        Assert.Empty(stage.Actors);
        Assert.Contains(stage.Stranger.Key.Fingerprint, stage.LogText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_version_and_a_hello_without_a_pin_are_refused_each_for_its_reason()
    {
        await using var stage = await PeerStage.StartAsync();
        foreach (var (change, message) in new (Func<ReplicationHello, ReplicationHello>, string)[]
        {
            (static hello => hello with { ProtocolVersion = 1 }, "unsupported replication protocol version 1: this node speaks version 2"),
            (static hello => hello with { ProtocolVersion = 3 }, "unsupported replication protocol version 3: this node speaks version 2"),
            (static hello => hello with { ExpectedPublicKey = default }, "missing expected public key in replication handshake"),
            (static hello => hello with { ExpectedPublicKey = hello.PublicKey }, "pinned public key mismatch"),
        })
        {
            await using var peer = await stage.SecureAsync();
            var answer = await peer.GreetAsync(change(peer.HelloOf(stage.Client, stage.Own.Key)));
            Assert.Equal((false, message), (answer.Accepted, answer.Message));
            Assert.Empty(await PeerStage.ReadToEndAsync(peer.Tls));
        }
    }

    [Fact]
    public async Task A_hello_that_was_recorded_opens_no_second_session()
    {
        await using var stage = await PeerStage.StartAsync();
        ReplicationHello recorded;
        await using (var first = await stage.SecureAsync())
        {
            recorded = first.HelloOf(stage.Client, stage.Own.Key);
            Assert.True((await first.GreetAsync(recorded)).Accepted);
        }

        await using var again = await stage.SecureAsync();
        var answer = await again.GreetAsync(recorded);

        Assert.Equal((false, NotAllowed), (answer.Accepted, answer.Message));
    }

    [Fact]
    public async Task The_bytes_of_a_session_that_were_recorded_open_none()
    {
        await using var stage = await PeerStage.StartAsync();
        // All that the client ever sent, as the network saw it.
        using MemoryStream sent = new();
        await using (var relay = Relay.Start(stage.Port, sent))
        await using (var remote = await stage.DialAsync(endpoint: relay.Endpoint))
            Assert.Equal(FakeReplica.End, await remote.IdentifyAsync(Cancellation));
        var asked = stage.Replica.Asked.Count;

        await using var replay = await stage.ConnectAsync();
        await replay.WriteAsync(sent.ToArray(), Cancellation);
        replay.Socket.Shutdown(SocketShutdown.Send);
        await PeerStage.ReadToEndAsync(replay);

        Assert.True(sent.Length > 500, "nothing was recorded");
        Assert.Equal((1, asked), (stage.Actors.Count, stage.Replica.Asked.Count));
    }

    [Theory]
    [InlineData("passes everything on")]
    [InlineData("answers yes with the pinned key and no signature")]
    [InlineData("answers yes with the pinned key and a signature of its own")]
    [InlineData("answers yes with the pinned key and a signature of the real node for another connection")]
    [InlineData("answers yes with its own key")]
    [InlineData("answers yes with no key")]
    public async Task Who_stands_between_is_found_out(string what)
    {
        await using var stage = await PeerStage.StartAsync();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var between = BetweenAsync();
        var refused = await Assert.ThrowsAsync<RefusedException>(() => stage.DialAsync(endpoint: $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"));
        await between.WaitAsync(PeerStage.Patience, Cancellation);

        Assert.Equal(what == "passes everything on" ? RefusalCode.PermissionDenied : RefusalCode.Unauthenticated, refused.Refusal.Code);
        Assert.Contains(
            what switch
            {
                "passes everything on" => NotAllowed,
                "answers yes with its own key" => $"it has the key {stage.Stranger.Key.Fingerprint}, and pinned is {stage.Own.Key.Fingerprint}",
                "answers yes with no key" => "it shows no key",
                _ => "somebody may stand between",
            }, refused.Message, StringComparison.Ordinal);
        Assert.Equal(what.EndsWith("another connection", StringComparison.Ordinal) ? 1 : 0, stage.Actors.Count);
        Assert.Empty(stage.Replica.Asked);

        async Task BetweenAsync()
        {
            using var accepted = await listener.AcceptTcpClientAsync(Cancellation);
            await using var towardsClient = await RawPeer.AcceptAsync(accepted.GetStream());
            var hello = ReplicationFrames.ReadHello((await towardsClient.ReadAsync())!);
            var own = stage.Own.Key.Bytes.ToArray();
            var transcript = SessionTranscript.Of(
                SessionRole.Server, towardsClient.Own.Certificate.RawData, towardsClient.Shown.RawData, towardsClient.Own.Nonce, SessionCertificate.NonceOf(towardsClient.Shown)!);
            ReplicationHelloResponse answer;
            switch (what)
            {
                case "passes everything on":
                {
                    await using var towardsServer = await stage.SecureAsync();
                    answer = await towardsServer.GreetAsync(hello);
                    break;
                }

                case "answers yes with the pinned key and a signature of the real node for another connection":
                {
                    await using var towardsServer = await stage.SecureAsync();
                    answer = await towardsServer.GreetAsync(towardsServer.HelloOf(stage.Client, stage.Own.Key));
                    Assert.True(answer.Accepted);
                    break;
                }

                default:
                    answer = new(true, "ok", what.EndsWith("own key", StringComparison.Ordinal) ? stage.Stranger.Key.Bytes.ToArray() : what.EndsWith("no key", StringComparison.Ordinal) ? default : own,
                        what.EndsWith("no signature", StringComparison.Ordinal) ? default : stage.Stranger.Sign(transcript));
                    break;
            }

            await towardsClient.SendAsync(ReplicationFrames.WriteHelloResponse(new(), answer));
            await PeerStage.ReadToEndAsync(towardsClient.Tls);
        }
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("SSH-2.0-OpenSSH_9.6\r\n")]
    [InlineData("\0\0\0\0\u0001\0\0\0\0\0\0\0\0\0")]
    [InlineData("\u0003\0\0\0\u00ff\u00ff\u00ff\u00ff")]
    [InlineData("\u0016\u0003\u0001\0\u0005hello")]
    [InlineData("{\"args\":[\"status\"]}\n")]
    public async Task Bytes_of_another_language_are_answered_with_nothing(string said)
    {
        await using var stage = await PeerStage.StartAsync();
        await using var stream = await stage.ConnectAsync();

        await stream.WriteAsync(Encoding.Latin1.GetBytes(said), Cancellation);
        stream.Socket.Shutdown(SocketShutdown.Send);
        var answer = await PeerStage.ReadToEndAsync(stream);

        // An alert of TLS is seven bytes, and says nothing but that it was none.
        Assert.True(answer.Length == 0 || (answer.Length == 7 && answer[0] == 0x15), Convert.ToHexString(answer));
        Assert.Empty(stage.Actors);
    }

    [Fact]
    public async Task A_key_that_has_gone_missing_is_told_and_not_replaced_whoever_comes()
    {
        await using var stage = await PeerStage.StartAsync();
        var own = stage.Own;
        var (seed, half) = (own.Path, NodeIdentity.PublicPathOf(own.Path));
        File.Move(seed, seed + ".away");
        File.Move(half, half + ".away");

        foreach (var who in new[] { stage.Stranger, stage.Client })
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => stage.DialAsync(who, own.Key));
            Assert.Contains("this node has no key to show; its log says why", refused.Message, StringComparison.Ordinal);
            Assert.False(File.Exists(seed) || File.Exists(half));
            await stage.LoggedAsync($"with the key {who.Key.Fingerprint} was refused: this node has no key to show: {seed} is not there any more.");
        }

        File.Move(seed + ".away", seed);
        await using var remote = await stage.DialAsync(pinned: own.Key);
        Assert.Equal(FakeReplica.End, await remote.IdentifyAsync(Cancellation));
    }

    [Fact]
    public async Task A_hello_of_the_reference_is_told_which_version_it_takes()
    {
        await using var stage = await PeerStage.StartAsync();
        await using var stream = await stage.ConnectAsync();

        await stream.WriteAsync(ReplicationFrameTests.HelloVector, Cancellation);
        var answer = ReplicationFrames.ReadHelloResponse(MessageReader.Read(await PeerStage.ReadToEndAsync(stream)));

        Assert.Equal(
            (false, "unsupported replication protocol version 1: this node speaks version 2, inside TLS 1.3 with ALPN dbx-repl/2 alone", 0, 0),
            (answer.Accepted, answer.Message, answer.PublicKey.Length, answer.Signature.Length));
        Assert.Contains("A connection from 127.0.0.1 was refused: it says hello in clear, in version 1 of the protocol, and not inside TLS.", stage.LogText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no protocol")]
    [InlineData("another protocol")]
    [InlineData("no certificate")]
    [InlineData("a certificate of RSA")]
    [InlineData("a certificate of P-384")]
    [InlineData("a certificate with another subject")]
    [InlineData("a certificate with a large nonce")]
    [InlineData("TLS 1.2")]
    public async Task TLS_of_another_kind_learns_nothing(string what)
    {
        await using var stage = await PeerStage.StartAsync();
        using var own = SessionCertificate.Make();
        var options = own.ClientOptions();
        var subject = $"CN={Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32))}";
        switch (what)
        {
            case "no protocol":
                options.ApplicationProtocols = null;
                break;
            case "another protocol":
                options.ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11];
                break;
            case "no certificate":
                options.ClientCertificateContext = null;
                break;
            case "a certificate of RSA":
                using (var key = RSA.Create(2048))
                    Show(new CertificateRequest(subject, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
                break;
            case "a certificate of P-384":
                using (var key = ECDsa.Create(ECCurve.NamedCurves.nistP384))
                    Show(new CertificateRequest(subject, key, HashAlgorithmName.SHA256));
                break;
            case "a certificate with another subject":
                using (var key = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                    Show(new CertificateRequest("CN=peer", key, HashAlgorithmName.SHA256));
                break;
            case "a certificate with a large nonce":
                using (var key = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                    Show(new CertificateRequest(subject.ToUpperInvariant(), key, HashAlgorithmName.SHA256));
                break;
            case "TLS 1.2":
                options.EnabledSslProtocols = SslProtocols.Tls12;
                break;
        }

        await using var tls = new SslStream(await stage.ConnectAsync(), leaveInnerStreamOpen: false);
        byte[] answer = [];
        try
        {
            await tls.AuthenticateAsClientAsync(options, Cancellation).WaitAsync(PeerStage.Patience, Cancellation);
            // In version 1.3 who dialled is done before the other end has looked at the certificate.
            await tls.WriteAsync(ReplicationFrameTests.HelloVector, Cancellation);
            answer = await PeerStage.ReadToEndAsync(tls);
        }
        catch (Exception refused) when (refused is AuthenticationException or IOException)
        {
        }

        Assert.Empty(answer);
        Assert.Empty(stage.Actors);

        void Show(CertificateRequest request) => options.ClientCertificateContext = SslStreamCertificateContext.Create(
            request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200)), null, offline: true);
    }

    [Fact]
    public async Task A_client_takes_no_server_whose_certificate_is_none_of_a_session()
    {
        await using var stage = await PeerStage.StartAsync();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var other = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        var serving = Task.Run(async () =>
        {
            using var accepted = await listener.AcceptTcpClientAsync(Cancellation);
            await using var tls = new SslStream(accepted.GetStream());
            try
            {
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
                {
                    ServerCertificate = other, ApplicationProtocols = [SessionCertificate.Protocol], EnabledSslProtocols = SslProtocols.Tls13,
                }, Cancellation);
                return await PeerStage.ReadToEndAsync(tls);
            }
            catch (Exception refused) when (refused is AuthenticationException or IOException)
            {
                return [];
            }
        }, Cancellation);

        var lost = await Assert.ThrowsAsync<ReplicaLostException>(() => stage.DialAsync(endpoint: $"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"));

        Assert.Empty(await serving.WaitAsync(PeerStage.Patience, Cancellation));
        Assert.Contains("TLS", lost.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_meets_plain_text_says_so()
    {
        await using var stage = await PeerStage.StartAsync();

        var lost = await Assert.ThrowsAsync<ReplicaLostException>(() => stage.DialAsync(endpoint: $"127.0.0.1:{stage.Server.Host.Port}"));

        Assert.NotEmpty(lost.Message);
    }

    [Fact]
    public void A_certificate_is_fresh_every_time_and_says_nothing_but_its_nonce()
    {
        using var one = SessionCertificate.Make();
        using var two = SessionCertificate.Make();

        Assert.NotEqual(one.Nonce, two.Nonce);
        Assert.NotEqual(one.Certificate.GetPublicKey(), two.Certificate.GetPublicKey());
        Assert.Equal($"CN={Convert.ToHexStringLower(one.Nonce)}", one.Certificate.Subject);
        Assert.Equal(one.Certificate.Subject, one.Certificate.Issuer);
        Assert.Equal(one.Nonce, SessionCertificate.NonceOf(one.Certificate));
        Assert.Null(SessionCertificate.NonceOf(null));
    }

    [Fact]
    public void The_transcript_and_its_signature_are_the_published_vector()
    {
        // docs/replication.md, section 5: keys of RFC 8032, 7.1, tests 1 and 2.
        byte[] serverCertificate = Encoding.ASCII.GetBytes("server certificate"), clientCertificate = Encoding.ASCII.GetBytes("client certificate");
        byte[] serverNonce = [.. Enumerable.Range(0, 32).Select(static i => (byte)i)], clientNonce = [.. Enumerable.Range(32, 32).Select(static i => (byte)i)];

        var client = SessionTranscript.Of(SessionRole.Client, serverCertificate, clientCertificate, serverNonce, clientNonce);
        var server = SessionTranscript.Of(SessionRole.Server, serverCertificate, clientCertificate, serverNonce, clientNonce);

        // Made with another program, OpenSSL.
        const string rest = "7321e8efc45b27e9a9bf840845d1da5dfc949e7b49a4c1639373df9e2edf332a85c3f42a082d8ebdd01822ed5bd6491db6b622ec46304c829f81f9f50cfb03d8"
            + "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
        Assert.Equal($"6576656e74646278207265706c69636174696f6e2076320001{rest}", Convert.ToHexStringLower(client));
        Assert.Equal($"6576656e74646278207265706c69636174696f6e2076320002{rest}", Convert.ToHexStringLower(server));
        foreach (var (role, seed, key, signature) in new[]
        {
            (client, "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "8a969bb8ec54978da450fed63868702fb46e3dd480795306575234fc359016c4e5097edd93856fe69d5e56872126265f0c2d0ca208b2452395d388ced5ad080f"),
            (server, "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw",
                "67a5a8b10354e4dba32807e4fbef3e939349bc5a436e29c5cefa5c3650d06822a336291526882d3be011817d1216f7378065acb1c439ab5bf72018cf13e58c01"),
        })
        {
            using var home = new TemporaryDirectory();
            var path = home["replication.key"];
            File.WriteAllBytes(path, Convert.FromHexString(seed));
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            var identity = NodeIdentity.ReadOrCreate(path);
            Assert.Equal(key, identity.Key.ToString());
            Assert.Equal(signature, Convert.ToHexStringLower(identity.Sign(role)));
            Assert.True(SessionTranscript.Verifies(identity.Key, role, Convert.FromHexString(signature)));
            Assert.False(SessionTranscript.Verifies(identity.Key, [.. role.AsSpan(0, role.Length - 1), (byte)(role[^1] ^ 1)], Convert.FromHexString(signature)));
            Assert.False(SessionTranscript.Verifies(identity.Key, role, Convert.FromHexString(signature[..126])));
        }
    }

    /// <summary>Passes bytes on both ways, and keeps what comes from who dialled.</summary>
    sealed class Relay : IAsyncDisposable
    {
        readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        readonly Task _running;

        Relay(int to, Stream kept)
        {
            _listener.Start();
            _running = RunAsync(to, kept);
        }

        public string Endpoint => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

        public static Relay Start(int to, Stream kept) => new(to, kept);

        async Task RunAsync(int to, Stream kept)
        {
            using var accepted = await _listener.AcceptTcpClientAsync(Cancellation);
            using var onward = new TcpClient();
            await onward.ConnectAsync(IPAddress.Loopback, to, Cancellation);
            var (client, server) = (accepted.GetStream(), onward.GetStream());
            var back = server.CopyToAsync(client, Cancellation);
            var buffer = new byte[64 * 1024];
            try
            {
                for (int read; (read = await client.ReadAsync(buffer, Cancellation)) > 0;)
                {
                    await kept.WriteAsync(buffer.AsMemory(0, read), Cancellation);
                    await server.WriteAsync(buffer.AsMemory(0, read), Cancellation);
                }

                onward.Client.Shutdown(SocketShutdown.Send);
                await back;
            }
            catch (IOException)
            {
                // One of them is gone.
            }
        }

        public async ValueTask DisposeAsync()
        {
            await _running.WaitAsync(PeerStage.Patience, Cancellation);
            _listener.Dispose();
        }
    }
}
