using System.Text.Json;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Daemon;

/// <summary>Those settings of the Admin API that are no secret.</summary>
/// <param name="Enabled"><c>admin.enabled</c>.</param>
/// <param name="BindAddr"><c>admin.bind_addr</c>.</param>
/// <param name="Port"><c>admin.port</c>; 0: the main one.</param>
/// <param name="HasKey">Whether there is a master key.</param>
public sealed record AdminSettings(bool Enabled, string BindAddr, int Port, bool HasKey)
{
    public static AdminSettings Of(ServerConfig config) => new(config.AdminEnabled, config.AdminBindAddr, config.AdminPort, config.AdminMasterKeyHash is not null);

    /// <summary>The table <c>admin</c> of <c>GET /admin/config</c>.</summary>
    public static AdminSettings Read(JsonElement json)
    {
        var admin = json.GetProperty("admin");
        return new(admin.GetProperty("enabled").GetBoolean(), admin.GetProperty("bind_addr").GetString()!, admin.GetProperty("port").GetInt32(), admin.TryGetProperty("master_key_hash", out _));
    }

    /// <summary>What of it is otherwise than in others, as <c>admin.enabled = true</c>.</summary>
    public IEnumerable<string> Unlike(AdminSettings others)
    {
        if (Enabled != others.Enabled)
            yield return $"admin.enabled = {(Enabled ? "true" : "false")}";
        if (BindAddr != others.BindAddr)
            yield return $"admin.bind_addr = \"{BindAddr}\"";
        if (Port != others.Port)
            yield return FormattableString.Invariant($"admin.port = {Port}");
        if (HasKey != others.HasKey)
            yield return HasKey ? "a master key" : "no master key";
    }
}
