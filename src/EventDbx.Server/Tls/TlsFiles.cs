using System.Net;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;
using EventDbx.Storage;

namespace EventDbx.Server.Tls;

/// <summary>The files that TLS is made of, as paths.</summary>
/// <param name="Certificate">PEM: the server's own certificate first, then those between it and its root.</param>
/// <param name="Key">PEM: its private key, without a passphrase.</param>
/// <param name="ClientCa">PEM: who must have issued the certificates of clients; null: clients need none.</param>
/// <param name="SelfMade">Whether certificate and key are made here where there are none.</param>
internal sealed record TlsFiles(string Certificate, string Key, string? ClientCa, bool SelfMade)
{
    /// <summary>A certificate that was made here, in the data directory.</summary>
    public const string OwnCertificateName = "tls.crt";

    /// <summary>Its key.</summary>
    public const string OwnKeyName = "tls.key";

    const UnixFileMode EverybodyMay = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Those that the settings name; null where TLS is off.</summary>
    public static TlsFiles? Of(ServerConfig config)
    {
        if (!config.TlsEnabled)
            return null;
        var ca = config.TlsClientCaFile is { } named ? Path.GetFullPath(named) : null;
        return config is { TlsCertFile: { } certificate, TlsKeyFile: { } key }
            ? new(Path.GetFullPath(certificate), Path.GetFullPath(key), ca, SelfMade: false)
            : new(Path.Combine(Path.GetFullPath(config.DataDir), OwnCertificateName), Path.Combine(Path.GetFullPath(config.DataDir), OwnKeyName), ca, SelfMade: true);
    }

    /// <summary>Whether this is the first use of a certificate that is to be made here.</summary>
    public bool AreToBeMade => SelfMade && !Path.Exists(Certificate);

    /// <summary>Makes a certificate where there is none yet, and its key, unless that is there.</summary>
    /// <param name="bind">The address the server listens on: it becomes one of the certificate's names.</param>
    /// <param name="now">When it begins to be valid.</param>
    /// <exception cref="TlsException">A key is there, and cannot be used.</exception>
    /// <exception cref="IOException">They cannot be written.</exception>
    public void MakeMissing(IPAddress bind, DateTimeOffset now)
    {
        if (!AreToBeMade)
            return;
        // The key first: a certificate that lies there has its key beside it, wherever a crash comes between. One that is there may be anybody's.
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (!DurableFile.TryCreate(Key, Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem() + "\n")))
            TakeExisting(key);
        DurableFile.Write(Certificate, Encoding.ASCII.GetBytes(SelfSigned.Make(key, bind, now) + "\n"));
    }

    /// <summary>Reads them all.</summary>
    /// <exception cref="TlsException">One is missing or cannot be read.</exception>
    public TlsContents Read() => new(
        this, Read(Certificate, "tls.cert_file"), Read(Key, "tls.key_file"), ClientCa is null ? null : Read(ClientCa, "tls.client_ca_file"));

    /// <summary>What whoever runs the server should know about the key's file; null: nothing.</summary>
    public string? KeyWarning => !OperatingSystem.IsWindows() && File.Exists(Key) && (File.GetUnixFileMode(Key) & EverybodyMay) != 0
        ? $"Warning: everybody on this machine may read or write the TLS key {Key}. `chmod 600 {Key}` keeps it to its owner."
        : null;

    void TakeExisting(ECDsa key)
    {
        var content = Read(Key, "tls.key_file");
        try
        {
            key.ImportFromPem(TlsIdentity.Key(Encoding.UTF8.GetString(content), Key));
        }
        catch (Exception other) when (other is CryptographicException or ArgumentException)
        {
            throw new TlsException(
                $"{Key} is there without {OwnCertificateName}, and holds no EC key that a certificate could be made for. Where it is your own, name it and its certificate " +
                "(tls.key_file, tls.cert_file); otherwise remove it.", other);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(content);
        }
    }

    byte[] Read(string path, string setting)
    {
        try
        {
            if (DurableFile.Read(path, ServerLimits.CertificateFileBytesMax) is { } content)
                return content;
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new TlsException($"{path} ({Named(setting)}) cannot be read: {unreadable.Message}", unreadable);
        }

        throw new TlsException(SelfMade && path != ClientCa
            ? $"{path} is missing. Put it back, or remove {OwnCertificateName} and {OwnKeyName}, and the next start makes new ones."
            : $"There is no file {path} ({setting}).");
    }

    string Named(string setting) => SelfMade && setting != "tls.client_ca_file" ? "made here" : setting;
}

/// <summary>What the files of TLS held at one moment. The key's bytes do not outlive it.</summary>
internal sealed class TlsContents(TlsFiles files, byte[] certificate, byte[] key, byte[]? clientCa) : IDisposable
{
    /// <summary>SHA-256 of it: another one says that a file was changed.</summary>
    public byte[] Digest()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var content in (byte[][])[certificate, key, clientCa ?? []])
        {
            hash.AppendData(BitConverter.GetBytes(content.Length));
            hash.AppendData(content);
        }

        return hash.GetHashAndReset();
    }

    /// <summary>Checked, and ready for handshakes.</summary>
    /// <exception cref="TlsException">Something of it cannot be used, or does not go with the rest.</exception>
    public TlsIdentity Parse() => TlsIdentity.Parse(files, Text(certificate), Text(key), clientCa is null ? null : Text(clientCa));

    public void Dispose() => CryptographicOperations.ZeroMemory(key);

    static string Text(byte[] content) => Encoding.UTF8.GetString(content);
}
