namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>How long a TLS handshake may take, from its first byte: two round trips over the slowest line.</summary>
    public static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Bytes of a file with certificates or a key: a bundle of every public root has 250 KB.</summary>
    public const int CertificateFileBytesMax = 1024 * 1024;

    /// <summary>How long before its end a certificate is warned about: time to get another one, and short of the 30 days in which automatic renewal begins.</summary>
    public static readonly TimeSpan CertificateWarning = TimeSpan.FromDays(14);
}
