using System.Text.Json;

namespace EventDbx.Server.Upgrades;

/// <summary>A file of a release.</summary>
/// <param name="Name">Of the file.</param>
/// <param name="Address">Where it is fetched.</param>
public sealed record ReleaseAsset(string Name, Uri Address);

/// <summary>A release as the release address lists it; the JSON is that of GitHub's releases. Nothing of it is believed: what is installed is signed.</summary>
public sealed record ListedRelease
{
    /// <summary>As in <c>v2.1.0</c>.</summary>
    public required string Tag { get; init; }

    /// <summary>Its title; null: it has none.</summary>
    public string? Name { get; init; }

    /// <summary>When, as it was written there; null: not said.</summary>
    public string? PublishedAt { get; init; }

    public bool Draft { get; init; }

    public bool Prerelease { get; init; }

    /// <summary>The page about it, for people; null: not said.</summary>
    public string? HtmlUrl { get; init; }

    public IReadOnlyList<ReleaseAsset> Assets { get; init; } = [];

    /// <summary>Reads one; members that are not known are ignored.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    internal static ListedRelease Read(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || Text(json, "tag_name") is not { Length: > 0 } tag)
            throw new FormatException("it is no release: it has no `tag_name`");
        List<ReleaseAsset> assets = [];
        if (json.TryGetProperty("assets", out var listed) && listed.ValueKind == JsonValueKind.Array)
        {
            foreach (var asset in listed.EnumerateArray())
            {
                if (Text(asset, "name") is { Length: > 0 } name && Uri.TryCreate(Text(asset, "browser_download_url"), UriKind.Absolute, out var address))
                    assets.Add(new(name, address));
            }
        }

        return new()
        {
            Tag = tag, Name = Text(json, "name"), PublishedAt = Text(json, "published_at"), HtmlUrl = Text(json, "html_url"),
            Draft = Truth(json, "draft"), Prerelease = Truth(json, "prerelease"), Assets = assets,
        };
    }

    static string? Text(JsonElement json, string member) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    static bool Truth(JsonElement json, string member) => json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.True;
}
