using System.Diagnostics;

namespace EventDbx.Cli.Commands.Demo;

/// <summary>What a command of the demo left behind.</summary>
internal sealed record DemoResult(int Code, string Out, string Error);

/// <summary>Runs the commands of the demo for real, each printed as one would type it, with what it says.</summary>
internal sealed class DemoStage(Shell shell, string directory, CancellationToken cancellation)
{
    /// <summary>What a process that does not end by itself is given.</summary>
    static readonly TimeSpan CommandLimit = TimeSpan.FromSeconds(60);

    bool _started;

    public string Directory => directory;

    public CancellationToken Cancellation => cancellation;

    /// <summary>A heading of the story.</summary>
    public Task SayAsync(string text) => shell.Out.WriteAsync($"\n{Bold("# " + text)}\n");

    /// <summary>A command that is not `dbx`, printed as one would type it.</summary>
    public Task PromptAsync(string command) => shell.Out.WriteLineAsync(Bold("$ ") + command);

    public async Task ShowAsync(string output)
    {
        await shell.Out.WriteLineAsync(output.TrimEnd('\n')).ConfigureAwait(false);
        await shell.Out.FlushAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Runs <c>dbx</c> and shows what it says.</summary>
    /// <param name="expected">The exit code that belongs to the story.</param>
    /// <param name="shown">How the command line is printed; null: as it is.</param>
    /// <param name="arguments">The arguments, <c>--config config.toml</c> aside.</param>
    /// <exception cref="IOException">It ended otherwise: then the story is not true, and is not told.</exception>
    public async Task<DemoResult> DbxAsync(int expected, string? shown, params string[] arguments)
    {
        string[] all = [.. arguments, "--config", "config.toml"];
        await PromptAsync(shown ?? "dbx " + string.Join(' ', all.Select(Quoted))).ConfigureAwait(false);
        _started |= arguments is ["start", ..];
        var result = await RunAsync(all, cancellation).ConfigureAwait(false);
        if (shown is null)
            await ShowAsync((result.Out.TrimEnd('\n') + "\n" + result.Error).Trim('\n')).ConfigureAwait(false);
        if (result.Code != expected)
            throw new IOException($"`dbx {string.Join(' ', all)}` ended with exit code {result.Code}, not {expected}: {result.Error.Trim()}");
        if (expected != 0)
            await ShowAsync($"(exit code {expected})").ConfigureAwait(false);
        return result;
    }

    /// <summary>Whatever happened: no server is left behind.</summary>
    public async Task LeaveAsync()
    {
        if (_started)
            await RunAsync(["stop", "--config", "config.toml"], CancellationToken.None).ConfigureAwait(false);
    }

    async Task<DemoResult> RunAsync(string[] arguments, CancellationToken until)
    {
        var start = new ProcessStartInfo(shell.Self[0], [.. shell.Self.Skip(1), .. arguments])
        {
            WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        // A demo of its own: settings of the caller's server have no say in it.
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("EVENTDBX_", StringComparison.Ordinal) || name is "EVENTDB_RESTRICT" or "EVENTFUL_RESTRICT").ToArray())
            start.Environment.Remove(name);
        using var process = Process.Start(start) ?? throw new IOException("The program could not be started once more.");
        process.StandardInput.Close();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(until);
        limit.CancelAfter(CommandLimit);
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(limit.Token), process.StandardError.ReadToEndAsync(limit.Token));
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return new(process.ExitCode, await output.ConfigureAwait(false), await error.ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    string Bold(string text) => shell.Colour ? $"\u001b[1m{text}\u001b[0m" : text;

    /// <summary>As a shell takes it.</summary>
    public static string Quoted(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || "-_./:=,@+".Contains(c, StringComparison.Ordinal))
            ? text
            : "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
