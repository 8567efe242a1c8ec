namespace EventDbx.Storage;

/// <summary>The keys of family <c>plugins</c>: name 00 kind …, so that all of one plugin lies together and its own row comes first.</summary>
internal static partial class Keyspace
{
    /// <summary>name 00 01: the plugin itself.</summary>
    public static byte[] Plugin(string plugin) => [.. Encoding.UTF8.GetBytes(plugin), 0, (byte)PluginRowKind.Plugin];

    /// <summary>name 00 02 type 00 id.</summary>
    public static byte[] PluginWaiting(string plugin, AggregateKey aggregate) =>
        [.. PluginWaitingPrefix(plugin), .. aggregate.Row];

    /// <summary>name 00 02: before every aggregate of the plugin that waits, and behind the plugin's own row.</summary>
    public static byte[] PluginWaitingPrefix(string plugin) => [.. Encoding.UTF8.GetBytes(plugin), 0, (byte)PluginRowKind.Waiting];

    /// <summary>name 00 03 position.</summary>
    public static byte[] PluginDead(string plugin, ulong position) =>
        [.. Encoding.UTF8.GetBytes(plugin), 0, (byte)PluginRowKind.Dead, .. Position(position)];

    /// <summary>name 00 03: behind every aggregate that waits, before every dead letter.</summary>
    public static byte[] PluginDeadPrefix(string plugin) => [.. Encoding.UTF8.GetBytes(plugin), 0, (byte)PluginRowKind.Dead];

    /// <summary>name 01: the lowest key above everything of the plugin.</summary>
    public static byte[] AfterPlugin(string plugin) => [.. Encoding.UTF8.GetBytes(plugin), 1];

    /// <summary>Splits the name of a plugin, the kind of a row, and what is behind it; false when no key of ours looks like that.</summary>
    public static bool TryReadPlugin(ReadOnlySpan<byte> key, out ReadOnlySpan<byte> name, out PluginRowKind kind, out ReadOnlySpan<byte> rest)
    {
        var zero = key.IndexOf((byte)0);
        name = default;
        kind = default;
        rest = default;
        if (zero <= 0 || key.Length < zero + 2)
            return false;
        name = key[..zero];
        kind = (PluginRowKind)key[zero + 1];
        rest = key[(zero + 2)..];
        return System.Text.Unicode.Utf8.IsValid(name) && kind switch
        {
            PluginRowKind.Plugin => rest.IsEmpty,
            PluginRowKind.Waiting => AggregateKey.TryRead(rest, out _),
            PluginRowKind.Dead => rest.Length == 8,
            _ => false,
        };
    }
}

/// <summary>What a row of family <c>plugins</c> is; part of its key.</summary>
internal enum PluginRowKind : byte
{
    /// <summary>Cursor and counts.</summary>
    Plugin = 1,

    /// <summary>An aggregate that waits.</summary>
    Waiting = 2,

    /// <summary>A dead letter.</summary>
    Dead = 3,
}
