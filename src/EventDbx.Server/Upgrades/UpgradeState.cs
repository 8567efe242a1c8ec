using System.Buffers;
using System.Text.Json;
using EventDbx.Storage;

namespace EventDbx.Server.Upgrades;

/// <summary>What is remembered of newer versions: <c>upgrade-state.json</c>, in the default directory of EventDBX, whatever the configuration says.</summary>
/// <param name="IgnoredVersion">The tag of which nobody is to be told; null: none.</param>
/// <param name="LatestKnownVersion">The tag of the newest release at the last look; null: never seen.</param>
/// <param name="LastChecked">When that was, in seconds since 1970, whether or not it came to anything; null: never.</param>
public sealed record UpgradeState(string? IgnoredVersion = null, string? LatestKnownVersion = null, long? LastChecked = null)
{
    const string FileName = "upgrade-state.json";
    const int BytesMax = 64 * 1024;

    public static string PathIn(string directory) => Path.Combine(directory, FileName);

    /// <summary>Reads it; a file that is not there is an empty state.</summary>
    /// <param name="directory">The default directory.</param>
    /// <param name="unreadable">Why the file was taken for an empty one; null: it was not.</param>
    public static UpgradeState Read(string directory, out string? unreadable)
    {
        unreadable = null;
        try
        {
            if (DurableFile.Read(PathIn(directory), BytesMax) is not { } bytes)
                return new();
            using var json = JsonDocument.Parse(bytes);
            return new(Text(json.RootElement, "ignored_version"), Text(json.RootElement, "latest_known_version"),
                json.RootElement.TryGetProperty("last_checked", out var time) && time.ValueKind != JsonValueKind.Null ? time.GetInt64() : null);
        }
        catch (Exception wrong) when (wrong is JsonException or InvalidOperationException or FormatException or IOException or UnauthorizedAccessException)
        {
            unreadable = $"{PathIn(directory)} cannot be read ({wrong.Message.TrimEnd('.')}) and counts as empty.";
            return new();
        }
    }

    /// <summary>Whether a file in the default directory is this one, or what a killed write of it has left behind, by its name.</summary>
    public static bool IsNamed(string name) => (PendingFile.NameOf(name) ?? name) == FileName;

    /// <summary>Replaces it. Any command may, at any time: the last one's stays, whole.</summary>
    /// <exception cref="IOException">It cannot be written, or the directory is not there.</exception>
    public void Write(string directory)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, new() { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("ignored_version", IgnoredVersion);
            json.WriteString("latest_known_version", LatestKnownVersion);
            if (LastChecked is { } time)
                json.WriteNumber("last_checked", time);
            else
                json.WriteNull("last_checked");
            json.WriteEndObject();
        }

        output.Write("\n"u8);
        using var file = PendingFile.Create(PathIn(directory));
        file.Stream.Write(output.WrittenSpan);
        file.Finish();
        file.Rename();
    }

    /// <summary>Whether it is time to look again: never looked, long ago, or in a future that the clock has gone back from.</summary>
    public bool IsDue(DateTimeOffset now) =>
        LastChecked is not { } then || now.ToUnixTimeSeconds() - then is var age && (age < 0 || age >= (long)ServerLimits.ReleaseCheckInterval.TotalSeconds);

    /// <summary>The newer version of which is to be told; null: there is none, or nobody wants to know.</summary>
    /// <param name="running">The version of this program.</param>
    public ReleaseVersion? NewerThan(ReleaseVersion running) =>
        LatestKnownVersion is { } tag && ReleaseVersion.TryParse(tag, out var latest) && latest > running && tag != IgnoredVersion ? latest : null;

    static string? Text(JsonElement json, string member) => json.TryGetProperty(member, out var value) && value.ValueKind != JsonValueKind.Null ? value.GetString() : null;
}
