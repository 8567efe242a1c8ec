using System.Diagnostics;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Programs of others that tests hold us against. One that is missing is installed where that can be done; only where it cannot, a test is skipped, and says so.</summary>
internal static class Prerequisite
{
    static readonly Lazy<Task> s_installed = new(InstallAsync);

    public static async Task RequireAsync(string program)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), $"{program} is looked for on Unix only.");
        if (Find(program))
            return;
        await s_installed.Value;
        Assert.SkipUnless(Find(program), $"there is no {program} here, and tools/install-plugin-prerequisites.sh could not install it");
    }

    /// <summary>Runs a program with some input to its end.</summary>
    public static async Task<byte[]> RunAsync(string program, ReadOnlyMemory<byte> input, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        using MemoryStream output = new();
        var (copied, errors) = (process.StandardOutput.BaseStream.CopyToAsync(output, TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.StandardInput.BaseStream.WriteAsync(input, TestContext.Current.CancellationToken);
        process.StandardInput.Close();
        await copied;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {await errors}");
        return output.ToArray();
    }

    static bool Find(string program) => Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(directory => File.Exists(Path.Combine(directory, program)));

    static async Task InstallAsync()
    {
        using var process = Process.Start(new ProcessStartInfo("bash", [Path.Combine(Checkout.Root, "tools", "install-plugin-prerequisites.sh")]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        await Task.WhenAll(process.StandardError.ReadToEndAsync(), process.StandardOutput.ReadToEndAsync());
        await process.WaitForExitAsync();
    }
}
