using System.Runtime.InteropServices;

namespace EventDbx.Server.Upgrades;

/// <summary>What an upgrade does, before it does it.</summary>
/// <param name="Version">To which.</param>
/// <param name="Archive">The file for this machine.</param>
/// <param name="Checksums">The signed list of hashes.</param>
/// <param name="Target">The directory of the version.</param>
public sealed record UpgradePlan(ReleaseVersion Version, ReleaseAsset Archive, ReleaseAsset Checksums, string Target)
{
    /// <summary>Of the archive, in small hex; null: the list was not read, for there is no key to hold it against.</summary>
    public string? Sha256 { get; init; }

    /// <summary>The key that has signed it; null with <see cref="Sha256"/>.</summary>
    public string? SignedBy { get; init; }

    /// <summary>The platform of this program, as archives name it: <c>linux-x64</c>, <c>linux-musl-arm64</c>, <c>osx-arm64</c>, <c>win-x64</c>.</summary>
    public static string Platform { get; } = PlatformOf();

    /// <summary>The name of the archive of a version for this machine.</summary>
    public static string ArchiveOf(ReleaseVersion version) => $"eventdbx-{version}-{Platform}.tar.gz";

    /// <summary>Finds what is needed among the files of a release.</summary>
    /// <param name="release">As it is listed.</param>
    /// <param name="version">What was asked for.</param>
    /// <param name="root">The directory of the versions.</param>
    /// <exception cref="RefusedException">It is another release, or has nothing for this machine.</exception>
    internal static UpgradePlan Of(ListedRelease release, ReleaseVersion version, string root)
    {
        if (release.Tag != version.Tag)
            throw new RefusedException(RefusalCode.IntegrityViolation, $"{version.Tag} was asked for, and the address of releases answers with \"{Rest.Shown.Of(release.Tag)}\". Nothing was installed.");
        var name = ArchiveOf(version);
        return new(version, Asset(name), Asset(ReleaseChecksums.FileName), Path.Combine(root, version.ToString()));

        ReleaseAsset Asset(string wanted) => release.Assets.FirstOrDefault(asset => asset.Name == wanted)
            ?? throw new RefusedException(RefusalCode.NotFound, $"The release {version.Tag} has no file {wanted}; it has {Listed(release.Assets)}. Nothing was installed.");
    }

    static string Listed(IReadOnlyList<ReleaseAsset> assets) =>
        assets.Count == 0 ? "none" : string.Join(", ", assets.Take(20).Select(static asset => Rest.Shown.Of(asset.Name)));

    static string PlatformOf()
    {
        var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) ? "linux-musl" : "linux";
        return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
    }
}
