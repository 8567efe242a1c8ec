using System.Diagnostics;
using EventDbx.Recovery;

namespace EventDbx.Tests.Crash;

/// <summary>The program CrashWriter as a child process: the one that is killed.</summary>
internal sealed class Child : IDisposable
{
    readonly Process _process;

    Child(Process process) => _process = process;

    static string Program { get; } = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "CrashWriter.exe" : "CrashWriter");

    /// <summary>The check of a store in a child; <c>hang</c> and <c>crash</c> are checks that go wrong.</summary>
    public static StoreCheck Check(string verb = "check") => StoreCheck.InChild(Program, verb);

    public static Child Start(params string[] arguments) => new(Process.Start(new ProcessStartInfo(Program, arguments)
    {
        RedirectStandardOutput = true, RedirectStandardError = true,
    })!);

    /// <summary>Everything it still says, line by line; a line it was killed in is left out.</summary>
    public async Task ReadAsync(Action<string> hear)
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.EndsWith('.'))
                hear(line[..^1]);
        }
    }

    /// <summary>SIGKILL: nothing of it runs any more.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async Task<(int Code, string Output, string Errors)> EndAsync()
    {
        var (output, errors) = (_process.StandardOutput.ReadToEndAsync(), _process.StandardError.ReadToEndAsync());
        await _process.WaitForExitAsync();
        return (_process.ExitCode, await output, await errors);
    }

    public Task<string> ErrorsAsync() => _process.StandardError.ReadToEndAsync();

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
