using System.Buffers;
using System.Text.Json;

namespace EventDbx.Server.Configuration;

/// <summary>The settings as JSON: a member for each key, an object for each table. What <c>dbx config --json</c> and <c>GET /admin/config</c> show.</summary>
public static class ConfigJson
{
    /// <param name="output">Where it goes.</param>
    /// <param name="config">The settings in force.</param>
    /// <param name="secrets">False: <see cref="ConfigFile.Hidden"/> stands where a secret would.</param>
    public static void Write(IBufferWriter<byte> output, ServerConfig config, bool secrets)
    {
        using var json = new Utf8JsonWriter(output, new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        foreach (var table in ConfigKeys.All.Where(key => key.OlderFormOf.Count == 0).GroupBy(key => key.Table).OrderBy(t => t.Key.Length > 0))
        {
            if (table.Key.Length > 0)
                json.WriteStartObject(table.Key);
            foreach (var key in table)
                Write(json, key, key.Get(config) is { } value && key.Shown is { } shown && !secrets ? shown(value) : key.Get(config), secrets);
            if (table.Key == "replication")
                WriteAllowed(json, config);
            if (table.Key.Length > 0)
                json.WriteEndObject();
        }

        json.WriteStartObject("remotes"u8);
        foreach (var (name, remote) in config.Remotes)
        {
            json.WriteStartObject(name);
            json.WriteString("endpoint"u8, remote.Endpoint);
            json.WriteString("public_key"u8, remote.PublicKey);
            if (remote.Mode == RemoteMode.Follow)
                json.WriteString("mode"u8, RemoteConfig.Follow);
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    static void WriteAllowed(Utf8JsonWriter json, ServerConfig config)
    {
        json.WriteStartObject("allow"u8);
        foreach (var (name, peer) in config.ReplicationAllow)
        {
            json.WriteStartObject(name);
            json.WriteString("public_key"u8, peer.PublicKey);
            json.WriteBoolean("push"u8, peer.Push);
            json.WriteBoolean("pull"u8, peer.Pull);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    static void Write(Utf8JsonWriter json, ConfigKey key, object? value, bool secrets)
    {
        switch (value)
        {
            case null:
                break;
            case var _ when key.Secret && !secrets:
                json.WriteString(key.Leaf, ConfigFile.Hidden);
                break;
            case bool truth:
                json.WriteBoolean(key.Leaf, truth);
                break;
            case long number:
                json.WriteNumber(key.Leaf, number);
                break;
            case ConfigList texts:
                json.WriteStartArray(key.Leaf);
                foreach (var text in texts)
                    json.WriteStringValue(text);
                json.WriteEndArray();
                break;
            default:
                json.WriteString(key.Leaf, (string)value);
                break;
        }
    }
}
