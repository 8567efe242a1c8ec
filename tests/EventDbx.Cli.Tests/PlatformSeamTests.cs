using System.Text.RegularExpressions;

namespace EventDbx.Cli.Tests;

/// <summary>Which system it runs on is asked in the files that docs/ARCHITECTURE.md lists with their counterparts, and in no others.</summary>
public sealed partial class PlatformSeamTests
{
    [Fact]
    public void Files_that_ask_for_the_system_or_call_native_libraries_are_those_of_the_list()
    {
        var source = Path.Combine(Checkout.Root, "src");
        var found = Directory.EnumerateFiles(source, "*.cs", SearchOption.AllDirectories)
            .Where(static file => Asks().IsMatch(File.ReadAllText(file)))
            .Select(file => Path.GetRelativePath(source, file).Replace('\\', '/'));

        Assert.Equal(Listed().Order(StringComparer.Ordinal), found.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("OperatingSystem.IsWindows()", true)]
    [InlineData("OperatingSystem.IsMacOS()", true)]
    [InlineData("RuntimeInformation.IsOSPlatform(OSPlatform.Linux)", true)]
    [InlineData("    [LibraryImport(\"libc\")]", true)]
    [InlineData("    [DllImport(Library)]", true)]
    [InlineData("    NativeLibrary.Load(path)", true)]
    [InlineData("OperatingSystemName()", false)]
    [InlineData("new ImportResult()", false)]
    public void What_asks_is_seen_and_its_neighbour_is_not(string line, bool asks) => Assert.Equal(asks, Asks().IsMatch(line));

    static IEnumerable<string> Listed()
    {
        var map = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "ARCHITECTURE.md"));
        var begin = map.IndexOf("\n## Where the platforms part\n", StringComparison.Ordinal);
        var section = map[begin..map.IndexOf("\n## ", begin + 1, StringComparison.Ordinal)];
        // The first column; the others may name files, too.
        return section.Split('\n').Where(static line => line.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(static line => SourceFile().Matches(line.Split(" | ")[0])).Select(static match => match.Groups[1].Value);
    }

    [GeneratedRegex(@"OperatingSystem\.Is[A-Z]|RuntimeInformation\.IsOSPlatform|\[(?:LibraryImport|DllImport)\(|NativeLibrary\.")]
    private static partial Regex Asks();

    [GeneratedRegex("`([^`]+\\.cs)`")]
    private static partial Regex SourceFile();
}
