using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Admin;
using EventDbx.Server.Connections;
using EventDbx.Server.Telemetry;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Replication;

/// <summary>The port of replication, from a connection to a session, or to a refusal.</summary>
/// <remarks>Who is refused learns that, and nothing else: the certificate of the server is random bytes, and whoever is not listed gets one answer, whatever was wrong.</remarks>
internal sealed class PeerGate : IDisposable
{
    /// <summary>To all who are not listed, or did not sign: which of them, nobody is told.</summary>
    const string NotAllowed = "the key of this node is not allowed here, or did not sign this connection";

    const string NoKey = "this node has no key to show; its log says why";

    readonly ServerOptions _options;
    readonly Database _database;
    readonly Func<Database, Actor, IReplica> _open;
    readonly PeerBook _peers;
    readonly CommandGate _commands;
    readonly string _identityPath;
    readonly LogAllowance _lines;
    int _sessions;

    public PeerGate(ServerOptions options, Database database, LiveSettings settings, CommandGate commands)
    {
        (_options, _database, _commands) = (options, database, commands);
        _open = options.OpenReplica ?? ((opened, actor) => new LocalReplica(opened, actor, "replication") { Clock = options.Clock, ReadLog = opened.ReadLog });
        _peers = new(settings);
        _identityPath = NodeIdentity.PathOf(options.Config, options.Database.Directory);
        _lines = new(ServerLimits.SessionRefusalLinesMax, TimeSpan.FromMinutes(1), options.Clock, more => Log(LogLevel.Warning, FormattableString.Invariant($"{more} more connections to the port of replication were refused within the last minute.")));
    }

    /// <summary>Sessions that are open.</summary>
    public int Sessions => Volatile.Read(ref _sessions);

    /// <summary>Serves a connection that has said something until it ends.</summary>
    public async Task ServeAsync(ConnectionContext connection, OpenConnection open, Opening opening)
    {
        using var late = new CancellationTokenSource(ServerLimits.SessionHandshakeTimeout, _options.Clock);
        var stream = new PeerStream(
            connection.Transport.Input.AsStream(leaveOpen: true), connection.Transport.Output.AsStream(leaveOpen: true), _options.Clock, ServerLimits.SessionHandshakeTimeout);
        var closing = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? CancellationToken.None;
        try
        {
            if (opening == Opening.Tls)
                await SecureAsync(connection, open, stream, late, closing).ConfigureAwait(false);
            else
                await _commands.ServeAsync(connection, open, stream, why => Refused(connection, null, why), late, closing).ConfigureAwait(false);
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException or AuthenticationException or MessageException or ConnectionAbortedException or ObjectDisposedException)
        {
            // It has ended: it is gone, too slow, or spoke something else.
            if (open.LastUse == 0 && ended is AuthenticationException)
                Refused(connection, null, "it did not come to an agreement on TLS");
        }
    }

    public void Dispose() => _lines.Dispose();

    async Task SecureAsync(ConnectionContext connection, OpenConnection open, PeerStream stream, CancellationTokenSource late, CancellationToken closing)
    {
        using var own = SessionCertificate.Make();
        var tls = new SslStream(stream, leaveInnerStreamOpen: true);
        var channel = new PeerChannel(stream, tls);
        await using var _ = channel.ConfigureAwait(false);
        using var early = CancellationTokenSource.CreateLinkedTokenSource(late.Token, closing, connection.ConnectionClosed);
        if (await SessionHandshake.SecureAsync(tls, own, early.Token).ConfigureAwait(false) is not { } shown)
        {
            Refused(connection, null, "it speaks TLS, and not that of a session");
            return;
        }

        if (await channel.ReadAsync(early.Token).ConfigureAwait(false) is not { } first)
            return;
        var hello = ReplicationFrames.ReadHello(first);
        var (answer, key) = Judge(hello, shown, own, out var why);
        if (key is not null && !TryEnter(open))
            (answer, key, why) = (new(false, "this node has as many sessions as it takes; try again later"), null, "there are too many sessions");
        try
        {
            await channel.WriteAsync(message => ReplicationFrames.WriteHelloResponse(message, answer), early.Token).ConfigureAwait(false);
            if (key is null)
            {
                Refused(connection, hello.PublicKey, why);
                await channel.EndAsync().ConfigureAwait(false);
                return;
            }

            late.CancelAfter(Timeout.InfiniteTimeSpan);
            await ServeAsync(connection, channel, key, closing).ConfigureAwait(false);
        }
        finally
        {
            if (key is not null)
                Leave(open);
        }
    }

    /// <summary>The answer to a hello, and whose it was where it is a yes.</summary>
    (ReplicationHelloResponse Answer, PeerKey? Key) Judge(in ReplicationHello hello, ShownCertificate shown, SessionCertificate own, out string why)
    {
        why = "";
        if (hello.ProtocolVersion != SessionHandshake.Version)
            return No(why = FormattableString.Invariant($"unsupported replication protocol version {hello.ProtocolVersion}: this node speaks version {SessionHandshake.Version}"));
        if (hello.ExpectedPublicKey.IsEmpty)
            return No(why = "missing expected public key in replication handshake");
        NodeIdentity identity;
        try
        {
            // A stranger's hello makes no identity: one that is not there was moved, or its disk is not mounted, and everybody has pinned it.
            identity = NodeIdentity.ReadMade(_identityPath);
            if (!hello.ExpectedPublicKey.Span.SequenceEqual(identity.Key.Bytes))
                return No(why = "pinned public key mismatch");
            if (!TryProve(hello, shown, own, out var key))
            {
                why = "its key is not allowed, or did not sign";
                return No(NotAllowed);
            }

            var signature = identity.Sign(TranscriptOf(SessionRole.Server, shown, own));
            return (new(true, "ok", identity.Key.Bytes.ToArray(), signature), key);
        }
        catch (Exception unreadable) when (unreadable is RefusedException or IOException or UnauthorizedAccessException)
        {
            why = $"this node has no key to show: {unreadable.Message.TrimEnd('.')}";
            return No(NoKey);
        }

        static (ReplicationHelloResponse, PeerKey?) No(string message) => (new(false, message), null);
    }

    bool TryProve(in ReplicationHello hello, ShownCertificate shown, SessionCertificate own, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out PeerKey? key)
    {
        if (!PeerKey.TryParse(Convert.ToBase64String(hello.PublicKey.Span), out key, out _))
            return false;
        // Both, whatever the first one says: how long it takes must not tell which it was.
        var signed = SessionTranscript.Verifies(key, TranscriptOf(SessionRole.Client, shown, own), hello.Signature.Span);
        return _peers.Find(key) is not null & signed;
    }

    static byte[] TranscriptOf(SessionRole role, ShownCertificate shown, SessionCertificate own) =>
        SessionTranscript.Of(role, own.Certificate.RawDataMemory.Span, shown.Certificate.RawDataMemory.Span, own.Nonce, shown.Nonce);

    async Task ServeAsync(ConnectionContext connection, PeerChannel channel, PeerKey key, CancellationToken closing)
    {
        var name = _peers.Find(key)?.Name ?? "";
        Log(LogLevel.Information, $"a session of the peer {Logs.LogText.Value(name)} begins, from {connection.RemoteEndPoint}");
        var replica = _open(_database, new Actor("replication", name));
        await using var held = replica.ConfigureAwait(false);
        var session = new PeerSession(channel, key, _peers, replica);
        var how = "";
        try
        {
            await session.ServeAsync(closing, connection.ConnectionClosed).ConfigureAwait(false);
            await channel.EndAsync().ConfigureAwait(false);
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException or MessageException)
        {
            how = closing.IsCancellationRequested ? " The server stops." : $" {ended.Message}";
        }
        catch (Exception fault)
        {
            _options.Log?.Invoke(new(Timestamp.From(_options.Clock.GetUtcNow()), LogLevel.Error, "replication", $"A request of the peer {Logs.LogText.Value(name)} failed.", fault));
            how = " A request failed.";
        }
        finally
        {
            Log(LogLevel.Information, FormattableString.Invariant($"the session of the peer {Logs.LogText.Value(name)} has ended: {session.Requests} requests, {channel.BytesRead} bytes came, {channel.BytesWritten} went.{how}"));
        }
    }

    /// <summary>From here on the connection is nobody's to close in favour of a stranger.</summary>
    bool TryEnter(OpenConnection open)
    {
        if (Interlocked.Increment(ref _sessions) <= ServerLimits.SessionsMax && open.TryBegin())
            return true;
        Interlocked.Decrement(ref _sessions);
        return false;
    }

    void Leave(OpenConnection open)
    {
        Interlocked.Decrement(ref _sessions);
        open.End();
    }

    void Refused(ConnectionContext connection, ReadOnlyMemory<byte>? key, string why)
    {
        if (!_lines.TryTake())
            return;
        var whose = key is { IsEmpty: false } bytes && PeerKey.TryParse(Convert.ToBase64String(bytes.Span), out var known, out _) ? $" with the key {known.Fingerprint}" : "";
        Log(LogLevel.Warning, $"A connection from {(connection.RemoteEndPoint as IPEndPoint)?.Address}{whose} was refused: {why}.");
    }

    void Log(LogLevel level, string message) => _options.Log?.Invoke(new(Timestamp.From(_options.Clock.GetUtcNow()), level, "replication", message));
}
