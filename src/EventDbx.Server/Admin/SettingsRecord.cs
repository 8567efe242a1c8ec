using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using EventDbx.Access;
using EventDbx.Documents;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Admin;

/// <summary>Which settings the server ran with last, so that the log names those that have changed since, however they were changed.</summary>
/// <remarks>
/// <code>
/// settings.json   {"key":"base64 of 32 bytes","settings":{"admin.port":"32 hex digits",…,"remotes.NAME":…}}
/// </code>
/// A setting is kept as the first half of an HMAC-SHA-256 over its name and value, under a key drawn for this store: nobody who
/// has the document can guess at a secret with it who has not the configuration itself. The first server of a store notes down what it finds, without an entry.
/// Used by one caller at a time.
/// </remarks>
internal sealed class SettingsRecord(Database database)
{
    public const string DocumentName = "settings.json";

    const int KeyBytes = 32;

    /// <summary>Compares, and where something differs writes the entry and then the document: no change is noted down that the log does not know.</summary>
    public async Task NoteAsync(ServerConfig config, Session by, CancellationToken cancellation)
    {
        var document = database.Documents.Read(DocumentName);
        var kept = Read(document.Content);
        var key = kept?.Key ?? RandomNumberGenerator.GetBytes(KeyBytes);
        var now = DigestsOf(config, key);
        if (kept is var (_, before))
        {
            if (Same(before, now))
                return;
            await by.NoteChangeAsync(SettingChange.Config, "config.toml", BodyOf(before, now), cancellation).ConfigureAwait(false);
        }

        Replace(document, key, now);
    }

    /// <summary>What the log has another entry about: these settings are as the configuration has them now.</summary>
    public void Accept(ServerConfig config, params IEnumerable<string> names)
    {
        var document = database.Documents.Read(DocumentName);
        if (Read(document.Content) is not var (key, settings))
            return;
        var now = DigestsOf(config, key);
        foreach (var name in names)
        {
            if (now.TryGetValue(name, out var digest))
                settings[name] = digest;
            else
                settings.Remove(name);
        }

        Replace(document, key, settings);
    }

    /// <summary>How the setting of a remote is called here.</summary>
    public static string OfRemote(string name) => RemotePrefix + name;

    const string RemotePrefix = "remotes.";

    /// <summary>How the setting of an allowed peer is called here.</summary>
    public static string OfAllowed(string name) => AllowPrefix + name;

    const string AllowPrefix = AllowRules.Table + ".";

    void Replace(Document read, byte[] key, SortedDictionary<string, string> settings)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteBase64String("key"u8, key);
            json.WriteStartObject("settings"u8);
            foreach (var (name, digest) in settings)
                json.WriteString(name, digest);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        // Nobody else writes it; where somebody has, the next comparison finds it.
        database.Documents.TryReplace(DocumentName, output.WrittenSpan, read);
    }

    /// <summary>Null where there is none, or it cannot be read: then it begins anew.</summary>
    static (byte[] Key, SortedDictionary<string, string> Settings)? Read(byte[]? content)
    {
        if (content is null)
            return null;
        try
        {
            using var json = JsonDocument.Parse(content);
            var key = json.RootElement.GetProperty("key").GetBytesFromBase64();
            SortedDictionary<string, string> settings = new(StringComparer.Ordinal);
            foreach (var member in json.RootElement.GetProperty("settings").EnumerateObject())
                settings[member.Name] = member.Value.GetString()!;
            return key.Length == KeyBytes ? (key, settings) : null;
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    static SortedDictionary<string, string> DigestsOf(ServerConfig config, byte[] key)
    {
        SortedDictionary<string, string> digests = new(StringComparer.Ordinal);
        foreach (var setting in ConfigKeys.All)
        {
            if (!setting.FileOnly && setting.Get(config) is { } value)
                digests[setting.Name] = DigestOf(key, setting.Name, ConfigEditor.Literal(value));
        }

        foreach (var (name, remote) in config.Remotes)
            digests[RemotePrefix + name] = DigestOf(key, RemotePrefix + name, $"{ConfigEditor.Literal(remote.Endpoint)} {ConfigEditor.Literal(remote.PublicKey)}{(remote.Mode == RemoteMode.Follow ? $" {RemoteConfig.Follow}" : "")}");
        foreach (var (name, peer) in config.ReplicationAllow)
            digests[AllowPrefix + name] = DigestOf(key, AllowPrefix + name, $"{ConfigEditor.Literal(peer.PublicKey)} {ConfigEditor.Literal(peer.Push)} {ConfigEditor.Literal(peer.Pull)}");
        return digests;
    }

    static string DigestOf(byte[] key, string name, string value) =>
        Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{name}\0{value}")).AsSpan(0, 16));

    static bool Same(SortedDictionary<string, string> before, SortedDictionary<string, string> now) => before.SequenceEqual(now);

    /// <summary>{"changed":[…],"set":[…],"cleared":[…]}: names of settings, and never a value.</summary>
    static byte[] BodyOf(SortedDictionary<string, string> before, SortedDictionary<string, string> now)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(output);
        members.Texts("changed"u8, [.. now.Where(one => before.TryGetValue(one.Key, out var old) && old != one.Value).Select(one => one.Key)]);
        members.Texts("set"u8, [.. now.Keys.Where(name => !before.ContainsKey(name))]);
        members.Texts("cleared"u8, [.. before.Keys.Where(name => !now.ContainsKey(name))]);
        members.End();
        return output.WrittenSpan.ToArray();
    }
}
