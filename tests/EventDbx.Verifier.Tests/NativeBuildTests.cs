using System.Diagnostics;

namespace EventDbx.Verifier.Tests;

/// <summary>The form that ships: one native program, nothing beside it.</summary>
public sealed class NativeBuildTests
{
    const long BytesMax = 10_000_000;

    [Fact]
    public async Task The_release_is_one_small_file_that_works_without_anything_beside_it()
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "the native build takes a minute: ./test --slow runs it");
        Assert.SkipWhen(!OnPath("clang") && !OnPath("gcc"), "there is no C compiler: tools/install-aot-prerequisites.sh installs one");
        Assert.SkipWhen(OperatingSystem.IsWindows(), "tools/publish-aot.sh is for a shell");
        using var home = new TemporaryDirectory();
        var proofs = Path.Combine(Checkout.TestData, "proofs");

        var built = await VerifierProgram.StartAsync(
            "env", home.Path, null, "PROJECT=src/EventDbx.Verifier", $"ARTIFACTS={home["artifacts"]}", Path.Combine(Checkout.Root, "tools", "publish-aot.sh"), home["release"]);

        Assert.True(built.Exit == 0, built.Output + built.Error);
        Assert.DoesNotContain("warning", built.Output + built.Error, StringComparison.OrdinalIgnoreCase);
        var program = Assert.Single(Directory.EnumerateFileSystemEntries(home["release"]));
        Assert.InRange(new FileInfo(program).Length, 1, BytesMax);
        Assert.StartsWith("dbx-verify: checks what EventDBX gives to outsiders.", (await VerifierProgram.StartAsync(program, proofs, null, "--help")).Output, StringComparison.Ordinal);
        foreach (var line in File.ReadLines(Path.Combine(proofs, "index.tsv")).Skip(1))
        {
            var columns = line.Split('\t');
            var (exit, output, error) = await VerifierProgram.StartAsync(program, proofs, null, columns[0].Split(' '));
            Assert.True(columns[1] == $"{exit}" && output.StartsWith(columns[2], StringComparison.Ordinal), $"{line}\n{exit}\n{output}{error}");
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{new FileInfo(program).Length:N0} bytes, --version in {await FastestAsync(program, proofs):N1} ms");
    }

    /// <summary>Milliseconds from start to end, the best of ten; recorded, not judged: the machine may be busy.</summary>
    static async Task<double> FastestAsync(string program, string directory)
    {
        var best = double.MaxValue;
        for (var i = 0; i < 10; i++)
        {
            var since = Stopwatch.GetTimestamp();
            await VerifierProgram.StartAsync(program, directory, null, "--version");
            best = Math.Min(best, Stopwatch.GetElapsedTime(since).TotalMilliseconds);
        }

        return best;
    }

    static bool OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Any(directory => File.Exists(Path.Combine(directory, program)));
}
