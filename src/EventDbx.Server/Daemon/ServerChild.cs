using System.Diagnostics;
using System.Runtime.InteropServices;

namespace EventDbx.Server.Daemon;

/// <summary>How the process that becomes the daemon came to be ready, or did not.</summary>
/// <param name="Ready">Null when it ended before.</param>
/// <param name="ExitCode">Of its end. What it had to say about it stands on standard error already.</param>
public readonly record struct ServerChildOutcome(ServerReady? Ready, int ExitCode);

/// <summary>The server in a process of its own: starting it, and what it does to become independent of who started it.</summary>
/// <remarks>
/// Its standard output carries one line, when it is ready; its standard error what it has to say until then. Nothing secret is in
/// its arguments: it reads keys where everybody does, in the configuration and the environment.
/// </remarks>
public static class ServerChild
{
    /// <summary>The hidden command of <c>dbx</c> that is the server.</summary>
    public const string Command = "__server";

    /// <summary>How long it may take to end when its start is called off; then it is killed, which no store minds.</summary>
    static readonly TimeSpan CallOff = TimeSpan.FromSeconds(2);

    /// <summary>Starts it, and waits until it is ready or has ended. There is no limit: a store that was not closed may be checked for minutes.</summary>
    /// <param name="program">How to start this program: its path, and what stands before its own arguments.</param>
    /// <param name="arguments">Of <see cref="Command"/>, every path absolute.</param>
    /// <param name="environment">Variables that differ from this process's own.</param>
    /// <param name="errors">Receives its standard error.</param>
    /// <param name="cancellation">Calls the start off.</param>
    public static async Task<ServerChildOutcome> StartAsync(
        IReadOnlyList<string> program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string> environment,
        TextWriter errors, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(program[0], [.. program.Skip(1), Command, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
            // Its own would keep a file system busy for as long as it runs.
            WorkingDirectory = Path.GetPathRoot(Environment.CurrentDirectory)!,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        foreach (var name in ServiceNotice.Variables)
            start.Environment.Remove(name);
        if (!OperatingSystem.IsWindows())
            Posix.KeepDescriptorsToItself();
        using var child = Process.Start(start)!;
        child.StandardInput.Close();
        var forwarded = ForwardAsync(child.StandardError, errors);
        try
        {
            while (await child.StandardOutput.ReadLineAsync(cancellation).ConfigureAwait(false) is { } line)
            {
                if (ServerReady.Parse(line) is { } ready)
                    return new(ready, 0);
            }

            await child.WaitForExitAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await EndAsync(child).ConfigureAwait(false);
            await forwarded.ConfigureAwait(false);
            throw;
        }

        await forwarded.ConfigureAwait(false);
        return new(null, child.ExitCode);
    }

    /// <summary>In the child, first of all: no terminal's end and no Ctrl-C is meant for it any more.</summary>
    /// <returns>Keeps a hang-up from ending it.</returns>
    public static IDisposable? Detach()
    {
        if (OperatingSystem.IsWindows())
            return null;
        Posix.StartSession();
        return PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true);
    }

    /// <summary>In the child, once it is ready: says so, and lets go of the streams of who started it.</summary>
    public static async Task ReportAsync(ServerReady ready, TextWriter output)
    {
        try
        {
            await output.WriteLineAsync(ready.ToJson()).ConfigureAwait(false);
            await output.FlushAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // Whoever started it has gone. The server is there all the same.
        }

        if (!OperatingSystem.IsWindows())
            Posix.CloseStandardStreams();
    }

    static async Task ForwardAsync(StreamReader from, TextWriter to)
    {
        while (await from.ReadLineAsync().ConfigureAwait(false) is { } line)
            await to.WriteLineAsync(line).ConfigureAwait(false);
    }

    static async Task EndAsync(Process child)
    {
        if (child.HasExited)
            return;
        if (OperatingSystem.IsWindows())
            child.Kill();
        else
            Posix.Signal(child.Id, force: false);
        using var late = new CancellationTokenSource(CallOff);
        try
        {
            await child.WaitForExitAsync(late.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            child.Kill();
            await child.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }
}
