using System.Text.Json;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>Which native libraries a build for each system takes, asked of the project without building it.</summary>
public sealed class NativeLibraryTests
{
    [Theory]
    [InlineData("linux-x64", "librocksdb.so", "libsodium.so")]
    [InlineData("linux-arm64", "librocksdb.so", "libsodium.so")]
    [InlineData("osx-x64", "librocksdb.dylib", "libsodium.dylib")]
    [InlineData("osx-arm64", "librocksdb.dylib", "libsodium.dylib")]
    [InlineData("win-x64", "libsodium.dll", "rocksdb.dll")]
    public async Task A_build_for_a_system_takes_the_libraries_of_that_system(string rid, params string[] libraries)
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "each restore takes seconds: ./test --slow asks them");
        using var scratch = new TemporaryDirectory();
        Directory.CreateDirectory(scratch["home"]);

        var asked = await Program.RunAsync(
            "env", Checkout.Root, home: null, "MSBUILDDISABLENODEREUSE=1", "dotnet", "msbuild", "src/EventDbx.Cli", "-restore", "-t:ComputeResolvedFilesToPublishList", "-getItem:ResolvedFileToPublish",
            $"-p:RuntimeIdentifier={rid}", "-p:Configuration=Release", "-p:SelfContained=false", "-p:UseAppHost=false", "-p:_IsPublishing=true", "-p:PublishAot=false", $"-p:ArtifactsPath={scratch["artifacts"]}");

        Assert.True(asked.Code == ExitCode.Done, asked.Out + asked.Error);
        using var answer = JsonDocument.Parse(asked.Out);
        var taken = answer.RootElement.GetProperty("Items").GetProperty("ResolvedFileToPublish").EnumerateArray().Select(static item => item.GetProperty("Identity").GetString()!)
            .Where(static path => path.Replace('\\', '/').Contains("/native/", StringComparison.Ordinal)).ToList();
        Assert.Equal(libraries, taken.Select(static path => Path.GetFileName(path.Replace('\\', '/'))).Order(StringComparer.Ordinal));
        Assert.All(taken, path => Assert.Contains($"/{rid}/native/", path.Replace('\\', '/'), StringComparison.Ordinal));
    }
}
