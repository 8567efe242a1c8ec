using System.Formats.Tar;
using System.IO.Compression;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>The packages of this checkout, each built once for all tests that try them.</summary>
/// <remarks>
/// They take minutes, so that they belong to the CI tier. <c>EVENTDBX_PACKAGES</c> names a folder of packages that were built before
/// (<c>tools/package.sh</c>), to be tried again.
/// </remarks>
public sealed class PackageBuild : IDisposable
{
    readonly TemporaryDirectory _made = new();
    readonly Dictionary<string, Task> _parts = [];

    /// <summary>Where they lie.</summary>
    public string Folder => Environment.GetEnvironmentVariable("EVENTDBX_PACKAGES") is { Length: > 0 } folder ? folder : _made["packages"];

    /// <summary>Builds a part that is not there yet, or skips the test where it cannot be built.</summary>
    public async Task DemandAsync(params string[] parts)
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "packages take minutes: ./test --slow builds and tries them");
        Assert.SkipUnless(OperatingSystem.IsLinux(), "tools/package.sh is tried on Linux");
        foreach (var part in parts)
        {
            Assert.SkipWhen(part is "native" or "deb" or "container" && !Tools.Has("clang") && !Tools.Has("gcc"), "there is no C compiler: tools/install-aot-prerequisites.sh installs one");
            Assert.SkipWhen(part is "deb" or "container" && !Tools.Has("dpkg-shlibdeps"), "there is no dpkg-shlibdeps: tools/install-package-prerequisites.sh installs it");
            if (Environment.GetEnvironmentVariable("EVENTDBX_PACKAGES") is { Length: > 0 })
                continue;
            Task build;
            lock (_parts)
            {
                if (!_parts.TryGetValue(part, out build!))
                    _parts[part] = build = BuildAsync(part);
            }

            await build;
        }
    }

    /// <summary>The one file of that form.</summary>
    public string Find(string pattern) => Assert.Single(Directory.GetFiles(Folder, pattern));

    /// <summary>The folder of the native programs.</summary>
    public string Native => Assert.Single(Directory.GetDirectories(Folder, "eventdbx-*"));

    /// <summary>As in 2.1.0-dev.</summary>
    public string Version => Path.GetFileName(Native).Split('-', 2)[1][..^"-linux-x64".Length];

    /// <summary>What is in a .tar.gz or .tar, in its order.</summary>
    public static List<TarEntry> EntriesOf(string archive)
    {
        using Stream file = File.OpenRead(archive);
        using var plain = archive.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using TarReader reader = new(plain);
        List<TarEntry> entries = [];
        while (reader.GetNextEntry() is { } entry)
            entries.Add(entry);
        return entries;
    }

    async Task BuildAsync(string part)
    {
        // What comes from the native folder waits for it.
        if (part is "deb" or "container")
            await DemandAsync("native");
        var built = await Program.RunAsync("env", Checkout.Root, home: null, $"OUT={Folder}", Path.Combine(Checkout.Root, "tools", "package.sh"), part);
        Assert.True(built.Code == ExitCode.Done, built.Out + built.Error);
        Assert.DoesNotContain("warning", built.Out, StringComparison.OrdinalIgnoreCase);
    }

    public void Dispose() => _made.Dispose();
}

/// <summary>Tests that try packages share them.</summary>
[CollectionDefinition(Name)]
public sealed class PackageTests : ICollectionFixture<PackageBuild>
{
    public const string Name = "packages";
}

/// <summary>Programs of this system that a test needs.</summary>
internal static class Tools
{
    public static bool Has(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Append("/usr/sbin").Any(directory => File.Exists(Path.Combine(directory, name)));
}
