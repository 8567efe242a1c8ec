using System.Net;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tls;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Health;

/// <summary>What settings give away to the network, and whether a server starts with them.</summary>
public static class SettingCheck
{
    const string InClear = "is reached from other machines and does not encrypt: tokens and events can be read on the way.";

    const string Encrypt = "`dbx restart --tls` encrypts, `--bind 127.0.0.1` keeps it to this machine; behind a proxy that encrypts, bind it to where only that reaches it.";

    /// <param name="findings">Receives what is found.</param>
    /// <param name="config">In force.</param>
    /// <param name="source">Where it is from.</param>
    /// <param name="running">What a server that runs says of itself; null: none does.</param>
    /// <param name="now">By the clock of this machine.</param>
    public static void Look(Findings findings, ServerConfig config, string source, ServerStatus? running, DateTimeOffset now)
    {
        LookAtStart(findings, config);
        LookAtMain(findings, config, running);
        LookAtReplication(findings, config, running);
        LookAtAdmin(findings, config, running);
        LookAtCertificate(findings, config, now);
        LookAtSecrets(findings, config, source, Timestamp.From(now));
    }

    static void LookAtStart(Findings findings, ServerConfig config)
    {
        try
        {
            StartCheck.Demand(config);
        }
        catch (ConfigException refused)
        {
            findings.Problem("settings", refused.Message, "A server does not start like this; change the setting with `dbx config`.");
        }
    }

    static void LookAtMain(Findings findings, ServerConfig config, ServerStatus? running)
    {
        var grpc = GrpcEndpoint.Of(config);
        var next = IsLoopback(config.BindAddr) && (grpc is null || System.Net.IPAddress.IsLoopback(grpc.Address)) ? Exposure.Loopback : config.TlsEnabled ? Exposure.Tls : Exposure.Plaintext;
        var exposure = running?.Exposure ?? next;
        var where = running is not null ? running.Addresses[0] : FormattableString.Invariant($"{config.BindAddr}:{config.Port}");
        if (grpc is not null)
            where += $" or gRPC's {grpc}";
        if (exposure == Exposure.Plaintext)
            findings.Warn("exposure", $"{where} {InClear}", Encrypt);
        else
            findings.Ok("exposure", exposure == Exposure.Loopback ? $"{where} is for this machine alone." : $"{where} encrypts.");
        // The settings may have been changed since it was started.
        if (next == Exposure.Plaintext && exposure != Exposure.Plaintext)
            findings.Warn("exposure", FormattableString.Invariant($"From its next start on, {config.BindAddr}:{config.Port} {InClear}"), Encrypt);

        if (exposure != Exposure.Loopback && (running?.Restriction ?? config.Restrict) == Restriction.Off)
            findings.Warn("exposure", "Other machines reach it, and events need no schema (restrict = \"off\").", "`dbx restart --restrict` holds events against the schemas that there are.");
        if (exposure != Exposure.Loopback && config.MetricsPublic)
            findings.Warn("exposure", "Whoever reaches it reads its metrics without a token (metrics.public), names of plugins among them.", "Set it to false, and give what collects them a token.");
    }

    /// <summary>It is no clear text that others could read: they are told what can be reached, and that it is not open to them.</summary>
    static void LookAtReplication(Findings findings, ServerConfig config, ServerStatus? running)
    {
        IReadOnlyList<string> reached = running is not null ? running.ReplicationForOthers : PeerEndpoint.Of(config, config.Port) is var next && !IPAddress.IsLoopback(next.Address) ? [$"tcp://{next}"] : [];
        foreach (var address in reached)
            findings.Ok("exposure", $"The port of replication, {address}, is reached from other machines. From them it takes nothing but sessions of nodes that `dbx remote allow` lists, inside TLS 1.3.");
    }

    static void LookAtAdmin(Findings findings, ServerConfig config, ServerStatus? running)
    {
        if (!config.AdminEnabled)
        {
            findings.Ok("admin", "The Admin API is off.");
            return;
        }

        // Port 0 is the main listener, which has been looked at.
        if (StartCheck.IsAdminBeyondThisMachine(config))
        {
            if (!config.TlsEnabled && running?.Tls is null)
            {
                findings.Problem("admin", FormattableString.Invariant($"The Admin API on {config.AdminBindAddr}:{config.AdminPort} is reached from other machines and does not encrypt: whoever reads its master key on the way may do everything."),
                    "`dbx config --admin-bind 127.0.0.1` keeps it to this machine; `dbx restart --tls` encrypts.");
            }
            else if (running is { Tls: null })
            {
                findings.Warn("admin", FormattableString.Invariant($"The Admin API is closed: on {config.AdminBindAddr}:{config.AdminPort} other machines could reach it, the settings ask for TLS, and the running server was started without it."),
                    "`dbx restart` takes TLS up; `dbx config --admin-bind 127.0.0.1` keeps it to this machine.");
            }
        }

        if (config.AdminMasterKeyHash is null)
            findings.Problem("admin", "The Admin API is on and has no master key, so nobody gets in.", "`dbx config --admin-master-key -` gives it one; `dbx config --admin-enabled false` switches it off.");
        else
            findings.Ok("admin", "The Admin API has a master key; only its hash is kept.");
    }

    static void LookAtCertificate(Findings findings, ServerConfig config, DateTimeOffset now)
    {
        if (!config.TlsEnabled || TlsFiles.Of(config) is not { } files)
            return;
        if (!File.Exists(files.Certificate))
        {
            if (files.SelfMade)
                findings.Ok("tls", "The certificate is made at the first start.");
            else
                findings.Problem("tls", $"There is no certificate {files.Certificate} (tls.cert_file).", "Put it there; a server does not start without it.");
            return;
        }

        try
        {
            using var contents = files.Read();
            var identity = contents.Parse();
            var left = identity.NotAfter - now;
            var until = Timestamp.From(identity.NotAfter);
            if (left <= TimeSpan.Zero)
                findings.Problem("tls", $"The certificate {files.Certificate} expired at {until}: clients refuse it.", Renew(files));
            else if (left < ServerLimits.CertificateWarning)
                findings.Warn("tls", $"The certificate {files.Certificate} expires at {until}.", Renew(files));
            else
                findings.Ok("tls", $"The certificate {files.Certificate} is good until {until}; its fingerprint is {identity.Fingerprint}.");
        }
        catch (TlsException unusable)
        {
            findings.Problem("tls", unusable.Message, "A server does not start with it; replace the files.");
        }
    }

    static string Renew(TlsFiles files) => files.SelfMade ? "Remove it and its key: the next start makes new ones, with another fingerprint." : "Replace the files; a running server takes them up.";

    static void LookAtSecrets(Findings findings, ServerConfig config, string source, Timestamp now)
    {
        if (config.AuthSecret is null || config.AuthKeyId is null)
        {
            findings.Ok("tokens", "The secret that signs tokens is made at the first start.");
            return;
        }

        try
        {
            var settings = AuthSettings.Of(config, source);
            if (settings.Previous is not { } previous)
                findings.Ok("tokens", $"One secret signs tokens, {settings.KeyId}.");
            else if (now.CompareTo(previous.Until) >= 0)
                findings.Warn("tokens", $"The secret {previous.KeyId} was replaced, and has counted for nothing since {previous.Until}; it still stands in the configuration.", $"Remove the lines auth.previous_secret, auth.previous_key_id and auth.previous_until from {source}.");
            else
                findings.Ok("tokens", $"Tokens are signed with {settings.KeyId}; those of {previous.KeyId} are taken until {previous.Until}.");
        }
        catch (ConfigException wrong)
        {
            findings.Problem("tokens", wrong.Message, "A server does not start like this; `dbx token rotate-secret` on a server that runs would have kept both in order.");
        }
    }

    static bool IsLoopback(string address) => IPAddress.TryParse(address, out var parsed) && IPAddress.IsLoopback(parsed);
}
