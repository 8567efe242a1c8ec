using System.Text.RegularExpressions;
using EventDbx.TestKit;

namespace EventDbx.Tests;

/// <summary>docs/guarantees.md names a test for each promise; here the names are held to exist.</summary>
public sealed partial class GuaranteesTests
{
    [Fact]
    public void Every_promise_names_tests_that_exist()
    {
        var sources = Directory.EnumerateFiles(Path.Combine(Checkout.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .ToDictionary(path => path, File.ReadAllText);
        var page = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "guarantees.md"));
        var named = NamedTest().Matches(page);

        var missing = named
            .Where(test => !sources.Values.Any(source =>
                Regex.IsMatch(source, $@"class {test.Groups[1].Value}\b") && Regex.IsMatch(source, $@"\b{test.Groups[2].Value}\(")))
            .Select(test => test.Value);

        Assert.True(named.Count > 20, $"only {named.Count} tests are named");
        Assert.Empty(missing);
    }

    [GeneratedRegex(@"`(\w+Tests)\.(\w+)`")]
    private static partial Regex NamedTest();
}
