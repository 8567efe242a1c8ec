using System.Globalization;
using System.Net;
using EventDbx.Server.Configuration;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tls;

/// <summary>TLS of one server: the certificate that new connections get, which follows its files.</summary>
/// <remarks>
/// Each handshake looks at the files and takes what they hold by then. Files that do not go together, as between the two steps of a
/// replacement, change nothing: the last ones that did stay in use, and the log says so once.
/// </remarks>
internal sealed class ServerTls : IDisposable
{
    static readonly TimeSpan ExpiryInterval = TimeSpan.FromDays(1);

    readonly TlsFiles _files;
    readonly TimeProvider _clock;
    readonly Action<LogLine>? _log;
    readonly ITimer _expiry;
    readonly Lock _lock = new();
    TlsIdentity _identity;

    /// <summary>What the files held when they were read last, usable or not; empty: they could not be read.</summary>
    byte[] _digest;

    ServerTls(TlsFiles files, TimeProvider clock, Action<LogLine>? log)
    {
        (_files, _clock, _log) = (files, clock, log);
        using (var contents = files.Read())
            (_digest, _identity) = (contents.Digest(), contents.Parse());
        _expiry = clock.CreateTimer(_ => WarnOfExpiry(), null, ExpiryInterval, ExpiryInterval);
    }

    /// <summary>Of the certificate in use: <c>sha256:</c> and 64 hex digits.</summary>
    public string? Fingerprint => Volatile.Read(ref _identity).Fingerprint;

    /// <summary>What it is right now.</summary>
    public TlsStatus Status
    {
        get
        {
            var identity = Volatile.Read(ref _identity);
            return new(_files.Certificate, identity.Fingerprint, Timestamp.From(identity.NotAfter), _files.SelfMade && identity.IssuedItself, identity.AsksClients);
        }
    }

    /// <summary>As the settings say; null where they say that there is no TLS. A certificate that is to be made is made.</summary>
    /// <exception cref="TlsException">A file is missing or cannot be used: nothing is served in clear text in its place.</exception>
    /// <exception cref="IOException">The files that are to be made cannot be written.</exception>
    public static ServerTls? Open(ServerConfig config, IPAddress bind, TimeProvider clock, Action<LogLine>? log)
    {
        if (TlsFiles.Of(config) is not { } files)
            return null;
        files.MakeMissing(bind, clock.GetUtcNow());
        return new(files, clock, log);
    }

    /// <summary>What comes by this listener speaks TLS from here on.</summary>
    public void Secure(ListenOptions listen) => listen.UseHttps(new TlsHandshakeCallbackOptions
    {
        HandshakeTimeout = ServerLimits.HandshakeTimeout,
        OnConnection = _ => ValueTask.FromResult(Current().Options()),
    });

    public void Dispose() => _expiry.Dispose();

    /// <summary>What the files hold by now, or the last that could be used.</summary>
    TlsIdentity Current()
    {
        lock (_lock)
        {
            try
            {
                using var contents = _files.Read();
                Follow(contents);
            }
            catch (TlsException unreadable)
            {
                if (_digest.Length > 0)
                    SayKept(unreadable);
                _digest = [];
            }

            return _identity;
        }
    }

    void Follow(TlsContents contents)
    {
        var digest = contents.Digest();
        if (digest.AsSpan().SequenceEqual(_digest))
            return;
        _digest = digest;
        try
        {
            var (before, identity) = (_identity, contents.Parse());
            Volatile.Write(ref _identity, identity);
            if (identity.Fingerprint == before.Fingerprint)
                return;
            Say(LogLevel.Information, $"The certificate was replaced: new connections get the one with the fingerprint {identity.Fingerprint}.");
            WarnOfExpiry();
        }
        catch (TlsException unusable)
        {
            SayKept(unusable);
        }
    }

    void SayKept(TlsException why) => Say(
        LogLevel.Warning, $"The files of TLS were changed and cannot be used; new connections get the certificate they got before. {why.Message}");

    void WarnOfExpiry()
    {
        if (ExpiryWarning(Status, _clock.GetUtcNow()) is { } warning)
            Say(LogLevel.Warning, warning);
    }

    /// <summary>What is to be said about the end of a certificate's time; null while that is far.</summary>
    public static string? ExpiryWarning(TlsStatus status, DateTimeOffset now)
    {
        var left = status.NotAfter.ToDateTimeOffset() - now;
        if (left > ServerLimits.CertificateWarning)
            return null;
        var what = left <= TimeSpan.Zero
            ? $"expired at {status.NotAfter}, and clients refuse it"
            : string.Create(CultureInfo.InvariantCulture, $"expires at {status.NotAfter}, in {Math.Floor(left.TotalDays)} days");
        var how = status.SelfSigned ? "Remove it and its key, and the next start makes new ones." : "Replace the files: a running server takes them up.";
        return $"Warning: the TLS certificate {status.Certificate} {what}. {how}";
    }

    void Say(LogLevel level, string message) => _log?.Invoke(new(Timestamp.From(_clock.GetUtcNow()), level, "tls", message));
}
