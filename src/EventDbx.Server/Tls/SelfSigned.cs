using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace EventDbx.Server.Tls;

/// <summary>A certificate that only its fingerprint, or a copy of it, makes trustworthy: for servers without one of their own.</summary>
internal static class SelfSigned
{
    const int Years = 10;
    const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <summary>A certificate in PEM, for this machine's names and addresses.</summary>
    public static string Make(ECDsa key, IPAddress bind, DateTimeOffset now)
    {
        var request = new CertificateRequest("CN=EventDBX", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, 0, critical: true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new(ServerAuthentication)], critical: false));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        request.CertificateExtensions.Add(Names(bind));
        // An hour before: the clock of a client may be behind.
        using var certificate = request.CreateSelfSigned(now.AddHours(-1), now.AddYears(Years));
        return certificate.ExportCertificatePem();
    }

    static X509Extension Names(IPAddress bind)
    {
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        if (NameOfMachine() is { } machine)
            names.AddDnsName(machine);
        names.AddIpAddress(IPAddress.Loopback);
        names.AddIpAddress(IPAddress.IPv6Loopback);
        if (!IPAddress.IsLoopback(bind) && !bind.Equals(IPAddress.Any) && !bind.Equals(IPAddress.IPv6Any))
            names.AddIpAddress(bind);
        return names.Build();
    }

    /// <summary>Null where it has none that could stand in a certificate.</summary>
    static string? NameOfMachine()
    {
        try
        {
            var name = Dns.GetHostName();
            return Uri.CheckHostName(name) == UriHostNameType.Dns && Ascii.IsValid(name) && name != "localhost" ? name : null;
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
