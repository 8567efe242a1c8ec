using System.Text.Json;
using System.Text.RegularExpressions;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>NOTICES names everything that goes into a release, with the licence that it says it has.</summary>
public sealed partial class NoticesTests
{
    /// <summary>They look at sources while they are built, and go nowhere.</summary>
    static readonly string[] BuildOnly = ["Microsoft.CodeAnalysis.BannedApiAnalyzers", "Microsoft.NET.ILLink.Tasks", "GraphQL.Analyzers", "Grpc.Tools"];

    [Fact]
    public void Every_package_that_goes_into_a_release_is_listed_with_its_licence()
    {
        var listed = Rows().ToDictionary(static row => row.Name, static row => row.Licence, StringComparer.OrdinalIgnoreCase);
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var seen = 0;
        foreach (var (name, version) in Packages())
        {
            Assert.True(listed.TryGetValue(name, out var licence), $"{name} is not in NOTICES.");
            var nuspec = Path.Combine(packages, name.ToLowerInvariant(), version, name.ToLowerInvariant() + ".nuspec");
            if (!File.Exists(nuspec))
                continue;
            Assert.Equal(Expression().Match(File.ReadAllText(nuspec)).Groups[1].Value, licence);
            seen++;
        }

        Assert.True(seen > 20, $"only {seen} packages were found in {packages}");
    }

    [Fact]
    public void The_text_of_every_licence_is_there()
    {
        var text = File.ReadAllText(Path.Combine(Checkout.Root, "NOTICES"));
        foreach (var licence in Rows().SelectMany(static row => row.Licence.Split(", ")).Where(static licence => !licence.Contains(' ', StringComparison.Ordinal)).Distinct())
            Assert.Contains($"\n--------------------------------------------------------------------------------\n{licence}\n\n", text, StringComparison.Ordinal);
    }

    static IEnumerable<(string Name, string Licence)> Rows() =>
        File.ReadLines(Path.Combine(Checkout.Root, "NOTICES")).Where(static line => line.StartsWith("| ", StringComparison.Ordinal))
            .Select(static line => line.Split(" | ")).Where(static cells => cells.Length >= 3 && cells[1].Length > 0)
            .Select(static cells => (cells[0][2..], cells[1])).Where(static row => row.Item1 != "Component");

    static IEnumerable<(string Name, string Version)> Packages()
    {
        foreach (var project in (string[])["EventDbx.Cli", "EventDbx.Verifier"])
        {
            using var lockFile = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Checkout.Root, "src", project, "packages.lock.json")));
            foreach (var package in lockFile.RootElement.GetProperty("dependencies").EnumerateObject().SelectMany(static framework => framework.Value.EnumerateObject()))
            {
                if (package.Value.GetProperty("type").GetString() != "Project" && !BuildOnly.Contains(package.Name))
                    yield return (package.Name, package.Value.GetProperty("resolved").GetString()!);
            }
        }
    }

    [GeneratedRegex("<license type=\"expression\">([^<]+)</license>")]
    private static partial Regex Expression();
}
