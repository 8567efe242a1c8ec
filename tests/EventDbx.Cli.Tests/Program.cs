using System.Diagnostics;

namespace EventDbx.Cli.Tests;

/// <summary>The built program in a process of its own, whose home is a directory of the test.</summary>
internal sealed class Program : IDisposable
{
    readonly Process _process;
    readonly Task<string> _output;
    readonly Task<string> _error;

    Program(Process process)
    {
        _process = process;
        _output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        _error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Where it was built to.</summary>
    public static string File { get; } = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "dbx.exe" : "dbx");

    public int Id => _process.Id;

    /// <summary>Starts it on a store that was closed, and waits until it has it open.</summary>
    public static async Task<Program> StartAsync(string home, params string[] arguments)
    {
        // The seal of a clean stop is broken before the store is opened for writing.
        var inventory = Path.Combine(home, ".eventdbx", "event_store.inventory");
        Assert.True(System.IO.File.Exists(inventory));
        var program = Start(File, home, home, arguments);
        while (System.IO.File.Exists(inventory))
        {
            Assert.False(program._process.HasExited, "it ended before it had the directory");
            await Task.Delay(TimeSpan.FromMilliseconds(10), TestContext.Current.CancellationToken);
        }

        return program;
    }

    /// <summary>Starts it and waits for nothing.</summary>
    public static Program Begin(string home, params string[] arguments) => Start(File, home, home, arguments);

    /// <summary>Starts any program and waits for nothing.</summary>
    public static Program Begin(string program, string directory, string[] arguments) => Start(program, directory, home: null, arguments);

    /// <summary>Whether it is still there.</summary>
    public bool Runs => !_process.HasExited;

    /// <summary>Runs it to its end, with nothing on its standard input.</summary>
    /// <param name="program">What to run.</param>
    /// <param name="directory">Its working directory.</param>
    /// <param name="home">Null keeps the real one: a build may be needed, and its packages lie there.</param>
    public static async Task<Outcome> RunAsync(string program, string directory, string? home, params string[] arguments)
    {
        using var started = Start(program, directory, home, arguments);
        return await started.EndAsync();
    }

    /// <summary>Writes to its standard input, which stays open.</summary>
    public async Task SayAsync(string text)
    {
        await _process.StandardInput.WriteAsync(text.AsMemory(), TestContext.Current.CancellationToken);
        await _process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Ends its standard input and waits for its end.</summary>
    public Task<Outcome> EndAsync()
    {
        _process.StandardInput.Close();
        return WaitAsync();
    }

    /// <summary>Waits for its end.</summary>
    public async Task<Outcome> WaitAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Outcome((ExitCode)_process.ExitCode, await _output, await _error);
    }

    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }

    static Program Start(string program, string directory, string? home, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            WorkingDirectory = directory,
        };
        if (home is not null)
            start.Environment["HOME"] = start.Environment["USERPROFILE"] = home;
        return new Program(Process.Start(start)!);
    }
}
