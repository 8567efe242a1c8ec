using System.Net;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tests.Connections;
using EventDbx.Server.Tls;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Tls;

/// <summary>Which files a server starts with, and which it refuses: it never speaks clear text in place of TLS.</summary>
public sealed class TlsFilesTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();
    readonly TestCa _ca = new("CA");
    readonly SteppedClock _clock = new();
    readonly List<LogLine> _lines = [];

    public void Dispose()
    {
        _ca.Dispose();
        _directory.Dispose();
    }

    ServerConfig Config => new() { DataDir = _directory.Path, TlsEnabled = true };

    ServerConfig OwnConfig => Config with { TlsCertFile = _directory["c.pem"], TlsKeyFile = _directory["k.pem"] };

    [Fact]
    public void Without_tls_there_is_none() => Assert.Null(ServerTls.Open(OwnConfig with { TlsEnabled = false }, IPAddress.Any, _clock, null));

    [Fact]
    public void Files_that_are_missing_or_unusable_are_refused_by_name()
    {
        var (own, other) = (_ca.Issue(), _ca.Issue());
        Refused(OwnConfig, "There is no file", "c.pem", "tls.cert_file");
        Write("c.pem", own.Certificate);
        Refused(OwnConfig, "There is no file", "k.pem", "tls.key_file");
        foreach (var (certificate, key, words) in new[]
        {
            (own.Certificate, other.Key, "does not belong to"), (own.Certificate, "", "holds no private key"), (own.Certificate, own.Certificate, "holds no private key"),
            (own.Certificate, own.EncryptedKey, "has a passphrase"), ("", own.Key, "holds no certificate"), (own.Key, own.Key, "holds no certificate"),
            (_ca.Pem + own.Certificate, own.Key, "The server's own certificate stands first"), (own.Certificate.Replace("MII", "MIJ", StringComparison.Ordinal), own.Key, "is broken"),
        })
        {
            Write("c.pem", certificate);
            Write("k.pem", key);
            Refused(OwnConfig, words);
        }

        Write("c.pem", own.Certificate);
        Write("k.pem", own.Key);
        using var tls = ServerTls.Open(OwnConfig, IPAddress.Any, _clock, null);
        Assert.Equal(own.Fingerprint, tls!.Fingerprint);
        Refused(OwnConfig with { TlsClientCaFile = _directory["ca.pem"] }, "There is no file", "tls.client_ca_file");
        Write("ca.pem", own.Certificate);
        Refused(OwnConfig with { TlsClientCaFile = _directory["ca.pem"] }, "is a root");
        Write("ca.pem", _ca.Pem);
        StartCheck.Demand(OwnConfig with { TlsClientCaFile = _directory["ca.pem"] });
    }

    [Fact]
    public void A_certificate_without_a_key_and_a_key_without_a_certificate_are_refused()
    {
        Assert.Contains("tls.key_file is not", Assert.Throws<ConfigException>(() => StartCheck.Demand(Config with { TlsCertFile = "c" })).Message, StringComparison.Ordinal);
        Assert.Contains("tls.cert_file is not", Assert.Throws<ConfigException>(() => StartCheck.Demand(Config with { TlsKeyFile = "k" })).Message, StringComparison.Ordinal);
        StartCheck.Demand(Config);
    }

    [Fact]
    public void A_made_certificate_that_lost_its_key_is_refused_and_one_that_was_not_finished_is_made_for_the_key_that_is_there()
    {
        using (ServerTls.Open(Config, IPAddress.Any, _clock, null))
        {
        }

        var key = File.ReadAllText(_directory["tls.key"]);
        File.Delete(_directory["tls.crt"]);
        using (ServerTls.Open(Config, IPAddress.Any, _clock, null))
            Assert.Equal(key, File.ReadAllText(_directory["tls.key"]));
        File.Delete(_directory["tls.key"]);
        Assert.Contains("tls.key is missing", Assert.Throws<TlsException>(() => ServerTls.Open(Config, IPAddress.Any, _clock, null)).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["tls.key"]));

        // Somebody's key of another kind is nobody's to write over.
        File.Delete(_directory["tls.crt"]);
        Write("tls.key", _ca.Issue(rsa: true).Key);
        Assert.Contains("holds no EC key", Assert.Throws<TlsException>(() => ServerTls.Open(Config, IPAddress.Any, _clock, null)).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(_directory["tls.crt"]));
    }

    [Fact]
    public void The_end_of_a_certificate_is_told_of_once_a_day_from_two_weeks_before()
    {
        var own = _ca.Issue();
        Write("c.pem", own.Certificate);
        Write("k.pem", own.Key);
        using var tls = ServerTls.Open(OwnConfig, IPAddress.Any, _clock, _lines.Add);
        var end = tls!.Status.NotAfter.ToDateTimeOffset();
        _clock.Advance(end.AddDays(-15) - _clock.GetUtcNow());
        _clock.Tick();
        Assert.Empty(_lines);
        _clock.Advance(TimeSpan.FromDays(2));
        _clock.Tick();
        Assert.Equal((LogLevel.Warning, "tls"), (Assert.Single(_lines).Level, _lines[0].Source));
        Assert.Contains("in 13 days", _lines[0].Message, StringComparison.Ordinal);
        _clock.Advance(TimeSpan.FromDays(14));
        _clock.Tick();
        Assert.Contains("clients refuse it", _lines[1].Message, StringComparison.Ordinal);

        Assert.Null(ServerTls.ExpiryWarning(tls.Status, end - TimeSpan.FromDays(14.1)));
        Assert.NotNull(ServerTls.ExpiryWarning(tls.Status, end - TimeSpan.FromDays(13.9)));
    }

    [Fact]
    public void Paths_are_those_of_the_directory_of_the_configuration()
    {
        Write("config.toml", "[tls]\nenabled = true\ncert_file = \"c.pem\"\nkey_file = \"sub/k.pem\"\n");
        var config = ConfigFile.Load(_directory["config.toml"], _directory.Path, null, TimeProvider.System).Config;
        Assert.Equal((_directory["c.pem"], _directory["sub/k.pem"], null), (config.TlsCertFile, config.TlsKeyFile, config.TlsClientCaFile));
        var environment = new ConfigEnvironment(name => name == "EVENTDBX_TLS_CERT_FILE" ? "e.pem" : null, _directory["work"]);
        config = ConfigFile.Load(_directory["config.toml"], _directory.Path, null, TimeProvider.System, environment).Config;
        Assert.Equal((_directory["work/e.pem"], _directory["sub/k.pem"]), (config.TlsCertFile, config.TlsKeyFile));
    }

    void Write(string name, string content) => File.WriteAllText(_directory[name], content);

    static void Refused(ServerConfig config, params string[] words)
    {
        var message = Assert.Throws<TlsException>(() => StartCheck.Demand(config)).Message;
        Assert.Equal(message, Assert.Throws<TlsException>(() => ServerTls.Open(config, IPAddress.Any, TimeProvider.System, null)).Message);
        Assert.All(words, word => Assert.Contains(word, message, StringComparison.Ordinal));
    }
}
