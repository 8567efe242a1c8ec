using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Commands.Config;

/// <summary>The settings as JSON: a member for each key, an object for each table.</summary>
internal static class ConfigJson
{
    public static string Write(ServerConfig config, bool secrets)
    {
        var json = new JsonText().BeginObject();
        foreach (var table in ConfigKeys.All.Where(key => key.OlderFormOf.Count == 0).GroupBy(key => key.Table).OrderBy(t => t.Key.Length > 0))
        {
            if (table.Key.Length > 0)
                json.Name(table.Key).BeginObject();
            foreach (var key in table)
                Member(json, key, key.Get(config), secrets);
            if (table.Key.Length > 0)
                json.EndObject();
        }

        json.Name("remotes").BeginObject();
        foreach (var (name, remote) in config.Remotes)
            json.Name(name).BeginObject().Member("endpoint", remote.Endpoint).Member("public_key", remote.PublicKey).EndObject();
        return json.EndObject().EndObject().ToString();
    }

    static void Member(JsonText json, ConfigKey key, object? value, bool secrets)
    {
        _ = value switch
        {
            null => json,
            _ when key.Secret && !secrets => json.Member(key.Leaf, ConfigFile.Hidden),
            bool truth => json.Member(key.Leaf, truth),
            long number => json.Member(key.Leaf, number),
            ConfigList texts => List(json.Name(key.Leaf), texts),
            _ => json.Member(key.Leaf, (string)value),
        };
    }

    static JsonText List(JsonText json, ConfigList texts)
    {
        json.BeginArray();
        foreach (var text in texts)
            json.Value(text);
        return json.EndArray();
    }
}
