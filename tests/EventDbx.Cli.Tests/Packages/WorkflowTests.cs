using System.Text.RegularExpressions;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>The workflows of GitHub Actions, as far as they can be judged without running them.</summary>
public sealed partial class WorkflowTests
{
    public static TheoryData<string> All => [.. Directory.GetFiles(Folder, "*.yml").Select(static file => Path.GetFileName(file)!)];

    static string Folder => Path.Combine(Checkout.Root, ".github", "workflows");

    [Theory, MemberData(nameof(All))]
    public void Actions_are_pinned_by_commit_and_nothing_may_be_written_but_where_it_says_so(string name)
    {
        var text = File.ReadAllText(Path.Combine(Folder, name));
        var uses = Uses().Matches(text);

        Assert.NotEmpty(uses);
        Assert.All(uses, static use => Assert.Matches(@"^actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", use.Groups[1].Value));
        Assert.Contains("\npermissions:\n  contents: read\n", text, StringComparison.Ordinal);
        Assert.Equal(name == "release.yml" ? 1 : 0, Write().Count(text));
        // Titles and branches of others are theirs to choose: in a script they would be part of it.
        Assert.DoesNotMatch(@"run:.*\$\{\{ *github\.(event|head_ref|ref_name)", text);
        Assert.Equal(Regex.Count(text, "uses: actions/checkout@"), Regex.Count(text, "persist-credentials: false"));
        Assert.Equal(Regex.Count(text, "runs-on:"), Regex.Count(text, "timeout-minutes:"));
    }

    [Theory, MemberData(nameof(All))]
    public void The_scripts_that_they_run_are_there(string name)
    {
        foreach (Match script in Script().Matches(File.ReadAllText(Path.Combine(Folder, name))))
            Assert.True(File.Exists(Path.Combine(Checkout.Root, script.Value)), script.Value);
    }

    /// <summary>Which machines there are is GitHub's business, and changes: of those that are named here none was retired when this was written (November 2026).</summary>
    [Theory, MemberData(nameof(All))]
    public void No_machine_is_asked_for_that_is_gone(string name) =>
        Assert.DoesNotMatch("ubuntu-20|macos-1[0-4]|windows-2019", File.ReadAllText(Path.Combine(Folder, name)));

    /// <summary>Whoever is not root skips them, and on these machines nobody is.</summary>
    [Fact]
    public void The_tests_that_need_root_are_run_as_root()
    {
        var ci = File.ReadAllText(Path.Combine(Folder, "ci.yml"));

        Assert.Contains("sudo -E env \"PATH=$PATH\" CI=1 EVENTDBX_TEST_TIER=ci", ci, StringComparison.Ordinal);
        Assert.Contains($"-class {typeof(DebianPackageTests).FullName} -class {typeof(ContainerImageTests).FullName}", ci, StringComparison.Ordinal);
    }

    [Fact]
    public void A_candidate_is_never_drafted_as_the_newest_release()
    {
        var release = File.ReadAllText(Path.Combine(Folder, "release.yml"));

        Assert.Contains("*-*) kind=\"--prerelease --latest=false\"", release, StringComparison.Ordinal);
        Assert.Matches(@"gh release create ""\$GITHUB_REF_NAME"" --draft \$kind ", release);
    }

    /// <summary>What is built without the key that it is signed with can never be upgraded.</summary>
    [Fact]
    public async Task A_release_is_built_with_the_key_that_it_is_signed_with()
    {
        Assert.SkipUnless(Tools.Has("openssl") && OperatingSystem.IsLinux(), "there is no openssl here");
        var release = await File.ReadAllTextAsync(Path.Combine(Folder, "release.yml"), TestContext.Current.CancellationToken);
        Assert.Contains("      - run: tools/check-release-key.sh\n", release, StringComparison.Ordinal);
        Assert.Contains("tools/sign-release.sh - eventdbx-release | xargs tools/check-release-key.sh\n", release, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(release, "shell: bash"));

        using var scratch = new TemporaryDirectory();
        scratch.Write("SHA256SUMS", "eventdbx v2.2.0\n");
        await Program.RunAsync("openssl", scratch.Path, home: null, "genpkey", "-algorithm", "ed25519", "-out", "key");
        var key = (await Program.RunAsync(Path.Combine(Checkout.Root, "tools", "sign-release.sh"), scratch.Path, home: null, scratch["key"], "eventdbx-release", scratch["SHA256SUMS"])).Out.Trim();

        Assert.Equal((false, false), await CheckAsync("# none yet\n"));
        Assert.Equal((true, false), await CheckAsync("other+00000000+AQ==\n"));
        Assert.Equal((true, true), await CheckAsync($"# ours\nother+00000000+AQ==\n{key}\n"));

        async Task<(bool Any, bool This)> CheckAsync(string keys)
        {
            var variable = $"RELEASE_KEYS={scratch.Write("keys", keys)}";
            var script = Path.Combine(Checkout.Root, "tools", "check-release-key.sh");
            var any = await Program.RunAsync("env", scratch.Path, home: null, variable, script);
            var own = await Program.RunAsync("env", scratch.Path, home: null, variable, script, key);
            return (any.Code == ExitCode.Done, own.Code == ExitCode.Done);
        }
    }

    [Theory, MemberData(nameof(All))]
    public async Task They_are_YAML(string name)
    {
        var parsed = await Program.RunAsync("/bin/sh", Folder, home: null, "-c", "python3 -c 'import sys, yaml' 2>/dev/null || exit 77; exec python3 -c 'import sys, yaml; d = yaml.safe_load(open(sys.argv[1])); print(sorted(str(k) for k in d))' \"$0\"", name);
        Assert.SkipWhen((int)parsed.Code == 77, "there is no parser of YAML here (python3-yaml)");

        Assert.True(parsed.Code == ExitCode.Done, parsed.Error);
        Assert.Contains("'jobs'", parsed.Out, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"uses: (.*)$", RegexOptions.Multiline)]
    private static partial Regex Uses();

    [GeneratedRegex(@": write$", RegexOptions.Multiline)]
    private static partial Regex Write();

    [GeneratedRegex(@"(?:tools/[a-z-]+\.sh|\.ci/run)")]
    private static partial Regex Script();
}
