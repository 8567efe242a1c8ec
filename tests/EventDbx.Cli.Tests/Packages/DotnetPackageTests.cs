using System.IO.Compression;
using System.Text.RegularExpressions;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>The two packages for those who have .NET: the tool, and the engine to be embedded. Both are installed from a folder.</summary>
[Collection(PackageTests.Name)]
public sealed class DotnetPackageTests(PackageBuild packages)
{
    [Fact]
    public async Task The_tool_installs_from_a_folder_and_appends_and_serves()
    {
        await packages.DemandAsync("tool");
        var package = packages.Find("EventDbx.Tool.*.nupkg");
        using var home = new TemporaryDirectory();

        var installed = await DotnetAsync(home, "tool", "install", "EventDbx.Tool", "--tool-path", home["tools"], "--source", packages.Folder, "--version", VersionOf(package, "EventDbx.Tool."));
        Assert.True(installed.Code == ExitCode.Done, installed.Out + installed.Error);
        var program = home["tools/dbx"];
        var appended = await Program.RunAsync(program, home.Path, home.Path, "aggregate", "apply", "order", "o-1", "order-paid", "--field", "method=card");
        var started = await Program.RunAsync(program, home.Path, home.Path, "start", "--port=0", "--bind=127.0.0.1");
        var read = await Program.RunAsync(program, home.Path, home.Path, "aggregate", "get", "order", "o-1");
        var stopped = await Program.RunAsync(program, home.Path, home.Path, "stop");

        Assert.True(appended.Code == ExitCode.Done, appended.Error);
        Assert.True(started.Code == ExitCode.Done, started.Error);
        Assert.Contains("\"method\"", read.Out, StringComparison.Ordinal);
        Assert.True(stopped.Code == ExitCode.Done, stopped.Error);
    }

    [Fact]
    public async Task The_tool_has_the_libraries_of_every_system_that_it_is_for_and_no_others()
    {
        await packages.DemandAsync("tool");

        Assert.Equal(
            [
                "linux-arm64/native/librocksdb.so", "linux-arm64/native/libsodium.so", "linux-x64/native/librocksdb.so", "linux-x64/native/libsodium.so",
                "osx-arm64/native/librocksdb.dylib", "osx-arm64/native/libsodium.dylib", "osx-x64/native/librocksdb.dylib", "osx-x64/native/libsodium.dylib",
                "win-x64/native/libsodium.dll", "win-x64/native/rocksdb.dll",
            ],
            FilesOf(packages.Find("EventDbx.Tool.*.nupkg")).Where(static name => name.Contains("/runtimes/", StringComparison.Ordinal))
                .Select(static name => name.Split("/runtimes/")[1]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_new_project_with_the_package_runs_the_sample_of_the_README()
    {
        await packages.DemandAsync("nuget");
        var package = packages.Find("EventDbx.2.*.nupkg");
        using var home = new TemporaryDirectory();
        Directory.CreateDirectory(home["app"]);
        home.Write("app/NuGet.config", $"<configuration><packageSources><add key=\"packages\" value=\"{packages.Folder}\" /></packageSources></configuration>");
        foreach (var arguments in (string[][])[["new", "console", "--output", home["app"]], ["add", home["app"], "package", "EventDbx", "--version", VersionOf(package, "EventDbx.")]])
        {
            var done = await DotnetAsync(home, arguments);
            Assert.True(done.Code == ExitCode.Done, done.Out + done.Error);
        }

        await File.WriteAllTextAsync(home["app/Program.cs"], Sample("README.md"), TestContext.Current.CancellationToken);
        var ran = await DotnetAsync(home, "run", "--project", home["app"]);

        Assert.True(ran.Code == ExitCode.Done, ran.Out + ran.Error);
        Assert.Equal(Shown("README.md"), ran.Out);
        Assert.True(File.Exists(home["app/orders.key"]) || File.Exists(home["orders.key"]));
    }

    [Fact]
    public void The_README_of_the_package_shows_the_same_sample() => Assert.Equal(Sample("README.md"), Sample("src/EventDbx/README.md"));

    [Fact]
    public async Task The_packages_say_what_they_are_and_under_which_licence()
    {
        await packages.DemandAsync("tool", "nuget");
        foreach (var package in (string[])[packages.Find("EventDbx.Tool.*.nupkg"), packages.Find("EventDbx.2.*.nupkg")])
        {
            using var zip = ZipFile.OpenRead(package);
            using StreamReader reader = new(zip.Entries.Single(static entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open());
            var said = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);

            foreach (var part in (string[])["<license type=\"expression\">MIT</license>", "<readme>README.md</readme>", "<repository type=\"git\" url=\"https://github.com/eventdbx/eventdbx-dotnet\"", "<projectUrl>", "<tags>"])
                Assert.Contains(part, said, StringComparison.Ordinal);
            Assert.Contains("LICENSE", FilesOf(package));
            Assert.Contains("NOTICES", FilesOf(package));
        }

        Assert.True(File.Exists(packages.Find("EventDbx.2.*.snupkg")));
    }

    static string VersionOf(string package, string before) => Path.GetFileNameWithoutExtension(package)[before.Length..];

    static List<string> FilesOf(string package)
    {
        using var zip = ZipFile.OpenRead(package);
        return [.. zip.Entries.Select(static entry => entry.FullName)];
    }

    static string Sample(string document) => Block("csharp").Match(Text(document)).Groups["text"].Value;

    /// <summary>What a reader of the sample is shown: the block behind it.</summary>
    static string Shown(string document)
    {
        var text = Text(document);
        return Block("console").Match(text, Block("csharp").Match(text).Index).Groups["text"].Value;
    }

    static string Text(string document) => File.ReadAllText(Path.Combine(Checkout.Root, document));

    static Regex Block(string language) => new($"^```{language}\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline);

    /// <summary>With the caches of packages of this test alone: what was installed before must not answer for what is in the folder.</summary>
    static Task<Outcome> DotnetAsync(TemporaryDirectory home, params string[] arguments) => Program.RunAsync(
        "env", home.Path, home.Path,
        [$"NUGET_PACKAGES={home["packages"]}", $"DOTNET_CLI_HOME={home.Path}", "DOTNET_NOLOGO=1", "DOTNET_CLI_TELEMETRY_OPTOUT=1", "DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1", "DOTNET_GENERATE_ASPNET_CERTIFICATE=false", "MSBUILDDISABLENODEREUSE=1", "UseSharedCompilation=false", "dotnet", .. arguments]);
}
