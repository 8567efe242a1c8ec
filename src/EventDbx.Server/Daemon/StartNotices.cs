using EventDbx.Server.Configuration;
using EventDbx.Server.Tls;

namespace EventDbx.Server.Daemon;

/// <summary>What whoever starts a server should know about it.</summary>
internal static class StartNotices
{
    /// <param name="config">The settings in force.</param>
    /// <param name="status">Of the server.</param>
    /// <param name="inClear">Its addresses that others can reach and read along at, but that of the Admin API.</param>
    /// <param name="adminExposed">Whether others can read along on the listener of the Admin API.</param>
    public static IReadOnlyList<string> Of(ServerConfig config, ServerStatus status, IReadOnlyList<string> inClear, bool adminExposed)
    {
        List<string> notices = [];
        if (config is { AdminEnabled: true, AdminMasterKeyHash: null })
            notices.Add(StartCheck.MasterKeyMissing);
        if (adminExposed)
            notices.Add(StartCheck.AdminInClear(config.AdminBindAddr));

        if (inClear.Count > 0)
        {
            var main = inClear[0] == status.Addresses[0] ? "`--bind 127.0.0.1` keeps it to this one" : null;
            var grpc = inClear[^1] != status.Addresses[0] ? "`dbx config --grpc-bind 127.0.0.1:PORT` keeps gRPC to this one" : null;
            notices.Add(
                $"Warning: {string.Join(" and ", inClear)} can be reached from other machines and {(inClear.Count == 1 ? "does" : "do")} not encrypt: tokens and events can be read on " +
                $"the way. `--tls` encrypts; {string.Join(", ", new[] { main, grpc }.OfType<string>())}.");
        }

        if (status.Tls is { } tls)
        {
            if (ServerTls.ExpiryWarning(tls, status.StartedAt.ToDateTimeOffset()) is { } expiry)
                notices.Add(expiry);
            if (TlsFiles.Of(config)?.KeyWarning is { } key)
                notices.Add(key);
        }
        else if (config.TlsCertFile is not null || config.TlsClientCaFile is not null)
        {
            notices.Add(
                $"Warning: {(config.TlsCertFile is not null ? "tls.cert_file" : "tls.client_ca_file")} is set and TLS is off, so it has no effect. `dbx restart --tls` switches TLS on.");
        }

        return notices;
    }
}
