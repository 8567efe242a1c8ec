using System.Diagnostics;

namespace EventDbx.Verifier.Tests;

/// <summary>The built program in a process of its own.</summary>
internal static class VerifierProgram
{
    /// <summary>Where it was built to.</summary>
    public static string File { get; } = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "dbx-verify.exe" : "dbx-verify");

    public static Task<(int Exit, string Output, string Error)> RunAsync(string directory, params string[] arguments) =>
        StartAsync(File, directory, null, arguments);

    /// <summary>Any program, to its end.</summary>
    /// <param name="input">On its standard input; null for none.</param>
    public static async Task<(int Exit, string Output, string Error)> StartAsync(string program, string directory, byte[]? input, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = directory,
        })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.StandardInput.BaseStream.WriteAsync(input ?? []);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await error);
    }
}
