using System.Net;
using EventDbx.Server.Tls;

namespace EventDbx.Server.Configuration;

/// <summary>What no single key shows: whether settings go together in a way that a server can be started with.</summary>
public static class StartCheck
{
    /// <summary>How to give the Admin API its secret.</summary>
    public const string MasterKeyMissing =
        "The Admin API is enabled (admin.enabled) and has no master key: it lets nobody in. Give it one with `dbx config --admin-master-key -`, or " +
        "disable it with `dbx config --admin-enabled false`.";

    /// <summary>What is to be said of an Admin API that others can reach, and read along; null where the settings are none of that.</summary>
    public static string? AdminInClear(ServerConfig config) =>
        !config.TlsEnabled && IsAdminBeyondThisMachine(config) ? AdminInClear(config.AdminBindAddr) : null;

    /// <summary>Whether the Admin API has a listener of its own that others can reach.</summary>
    public static bool IsAdminBeyondThisMachine(ServerConfig config) =>
        config is { AdminEnabled: true, AdminPort: > 0 } && IPAddress.TryParse(config.AdminBindAddr, out var address) && !IPAddress.IsLoopback(address);

    /// <summary>Why an Admin API is closed that a server without TLS would open while the settings ask for TLS.</summary>
    /// <param name="at">Its address and port.</param>
    public static string AdminWithheld(IPEndPoint at) =>
        $"The Admin API does not listen on {at}: other machines could reach it, the settings ask for TLS (tls.enabled), and the running server was started without it. " +
        "`dbx restart` takes TLS up, `dbx config --admin-bind 127.0.0.1` keeps the Admin API to this machine.";

    internal static string AdminInClear(string address) =>
        $"Warning: the Admin API on {address} can be reached from other machines and does not encrypt: its key can be read on " +
        "the way. `dbx config --admin-bind 127.0.0.1` keeps it to this one.";

    /// <summary>Refuses settings that do not go together.</summary>
    /// <exception cref="ConfigException">Says which, and what would do.</exception>
    public static void Demand(ServerConfig config)
    {
        if (!config.ApiRest && !config.ApiGraphQL && !config.ApiGrpc)
        {
            throw new ConfigException(
                "Every surface is off (api.rest, api.graphql, api.grpc), so a server would serve nothing. Switch one on, as with " +
                "`dbx config --api rest`.");
        }

        DemandQuorum(config);
        DemandTls(config);
    }

    /// <summary>Refuses files of TLS that a server could not be started with. One whose certificate is to be made at its start has none yet.</summary>
    /// <exception cref="ConfigException">Names what is missing.</exception>
    /// <exception cref="TlsException">Names the file that cannot be used.</exception>
    public static void DemandTls(ServerConfig config)
    {
        if (config.TlsCertFile is null != config.TlsKeyFile is null)
        {
            throw new ConfigException(
                $"{(config.TlsCertFile is null ? "tls.key_file" : "tls.cert_file")} is set and {(config.TlsCertFile is null ? "tls.cert_file" : "tls.key_file")} is not: a certificate is " +
                "nothing without its key. Name both, or neither, and one is made in the data directory.");
        }

        if (TlsFiles.Of(config) is { AreToBeMade: false } files)
        {
            using var contents = files.Read();
            _ = contents.Parse();
        }
    }

    /// <summary>Refuses a quorum that there are not enough witnesses for.</summary>
    /// <exception cref="ConfigException">Says how many there are.</exception>
    public static void DemandQuorum(ServerConfig config)
    {
        if (config.LogQuorum > config.LogWitnesses.Count)
        {
            throw new ConfigException(FormattableString.Invariant(
                $"log.quorum is {config.LogQuorum}, and log.witnesses names {config.LogWitnesses.Count}: no checkpoint could ever have that many cosignatures. Name more witnesses, or lower the quorum."));
        }
    }
}
