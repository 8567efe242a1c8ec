using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Replication;

/// <summary>How a session begins: TLS with certificates of this connection alone, then who is who.</summary>
internal static class SessionHandshake
{
    /// <summary>The version of what is said inside.</summary>
    public const ushort Version = 2;

    /// <summary>Of the reference: without encryption, and without a proof of anything.</summary>
    public const ushort OldVersion = 1;

    /// <summary>TLS, and the first message each way, for who dialled.</summary>
    /// <param name="stream">The connection; disposed where there is no session.</param>
    /// <param name="identity">Ours.</param>
    /// <param name="pinned">Whose the other end has to be.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="RefusedException">The other end refuses us, or is another one.</exception>
    /// <exception cref="ReplicaLostException">It speaks something else, or nothing.</exception>
    public static async Task<PeerChannel> DialAsync(PeerStream stream, NodeIdentity identity, PeerKey pinned, CancellationToken cancellation)
    {
        using var certificate = SessionCertificate.Make();
        var tls = new SslStream(stream, leaveInnerStreamOpen: true);
        var channel = new PeerChannel(stream, tls);
        try
        {
            await tls.AuthenticateAsClientAsync(certificate.ClientOptions(), cancellation).ConfigureAwait(false);
            var shown = ShownIn(tls) ?? throw new ReplicaLostException("The other end speaks TLS, and not that of a session (ALPN dbx-repl/2): it is another program, or another port of this one.");
            byte[] Transcript(SessionRole role) => SessionTranscript.Of(role, shown.Certificate.RawDataMemory.Span, certificate.Certificate.RawDataMemory.Span, shown.Nonce, certificate.Nonce);

            var signature = identity.Sign(Transcript(SessionRole.Client));
            await channel.WriteAsync(message => ReplicationFrames.WriteHello(message, new(Version, pinned.Bytes.ToArray(), identity.Key.Bytes.ToArray(), signature)), cancellation).ConfigureAwait(false);
            var answer = await channel.ReadAsync(cancellation).ConfigureAwait(false) ?? throw new ReplicaLostException("The other end ended the connection before it said whether it takes us.");
            Demand(ReplicationFrames.ReadHelloResponse(answer), pinned, Transcript(SessionRole.Server));
            channel.Trust();
            return channel;
        }
        catch (Exception failed) when (failed is AuthenticationException or IOException and not ReplicaLostException or MessageException)
        {
            await channel.DisposeAsync().ConfigureAwait(false);
            throw new ReplicaLostException(failed switch
            {
                AuthenticationException => $"The other end speaks no TLS 1.3, or not that of a session (ALPN dbx-repl/2): {failed.Message}",
                MessageException => $"The other end does not speak as a session does: {failed.Message}",
                _ => $"The other end ended the connection while the session began: {failed.Message}",
            }, failed);
        }
        catch
        {
            await channel.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Refuses an answer that is not the yes of the pinned node.</summary>
    static void Demand(in ReplicationHelloResponse answer, PeerKey pinned, ReadOnlySpan<byte> transcript)
    {
        if (!answer.Accepted)
            throw new RefusedException(RefusalCode.PermissionDenied, $"replication handshake rejected: {Sentence(answer.Message)}");
        if (!answer.PublicKey.Span.SequenceEqual(pinned.Bytes))
        {
            var found = PeerKey.TryParse(Convert.ToBase64String(answer.PublicKey.Span), out var key, out _) ? $"it has the key {key.Fingerprint}" : "it shows no key";
            throw new RefusedException(RefusalCode.Unauthenticated, $"The other end is not the pinned node: {found}, and pinned is {pinned.Fingerprint}. Nothing was sent to it.");
        }

        if (!SessionTranscript.Verifies(pinned, transcript, answer.Signature.Span))
        {
            throw new RefusedException(RefusalCode.Unauthenticated,
                $"The other end shows the pinned key, {pinned.Fingerprint}, and does not prove for this connection that it has it: somebody may stand between. Nothing was sent to it.");
        }
    }

    /// <summary>TLS, for who was dialled.</summary>
    /// <returns>What was shown; null where the other end speaks TLS, and not that of a session.</returns>
    /// <exception cref="AuthenticationException">It is not TLS 1.3, or the certificate is none of a session.</exception>
    /// <exception cref="IOException">The connection is gone.</exception>
    public static async Task<ShownCertificate?> SecureAsync(SslStream tls, SessionCertificate own, CancellationToken cancellation)
    {
        await tls.AuthenticateAsServerAsync(own.ServerOptions(), cancellation).ConfigureAwait(false);
        return ShownIn(tls);
    }

    /// <summary>What the other end says as a sentence of ours: one line, not long, no control characters.</summary>
    public static string Sentence(string message)
    {
        const int most = 512;
        var text = message.Length <= most ? message : message[..(char.IsHighSurrogate(message[most - 1]) ? most - 1 : most)] + "…";
        return string.Create(text.Length, text, static (line, from) =>
        {
            for (var i = 0; i < line.Length; i++)
                line[i] = char.IsControl(from[i]) ? ' ' : from[i];
        });
    }

    static ShownCertificate? ShownIn(SslStream tls) =>
        tls.SslProtocol == SslProtocols.Tls13 && tls.NegotiatedApplicationProtocol == SessionCertificate.Protocol
        && tls.RemoteCertificate is X509Certificate2 certificate && SessionCertificate.NonceOf(certificate) is { } nonce
            ? new(certificate, nonce) : null;
}

/// <summary>What the other end has shown.</summary>
internal sealed record ShownCertificate(X509Certificate2 Certificate, byte[] Nonce);
