using EventDbx.Server.Configuration;

namespace EventDbx.Server.Daemon;

/// <summary>What whoever starts a server should know about it.</summary>
internal static class StartNotices
{
    public static IReadOnlyList<string> Of(ServerConfig config, ServerStatus status)
    {
        List<string> notices = [];
        List<string> absent = [];
        foreach (var (enabled, name) in ((bool, string)[])[(config.ApiGraphQL, "GraphQL"), (config.ApiGrpc, "gRPC"), (config.AdminEnabled, "the Admin API")])
        {
            if (enabled)
                absent.Add(name);
        }

        if (absent.Count > 0)
        {
            var served = config.ApiRest ? "it serves REST" : "REST is off, so the port serves no data";
            notices.Add($"Enabled, and not served by this version yet: {string.Join(", ", absent)}; {served}.");
        }

        if (status.Exposure == Exposure.Plaintext)
        {
            notices.Add(
                $"Warning: {status.Addresses[0]} can be reached from other machines and does not encrypt: tokens and events can be read on " +
                "the way. `--bind 127.0.0.1` keeps it to this one.");
        }

        return notices;
    }
}
