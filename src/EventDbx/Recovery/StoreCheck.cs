using System.Diagnostics;
using System.Globalization;

namespace EventDbx.Recovery;

/// <summary>Runs <see cref="StoreInspection.Run"/> on a data directory, somewhere a hang or a crash can be survived.</summary>
/// <param name="dataDirectory">The directory.</param>
/// <param name="limit">How long it may take.</param>
/// <returns>Why the store must not be opened, or null.</returns>
public delegate string? StoreCheckRun(string dataDirectory, TimeSpan limit);

/// <summary>Where the check of an uncleanly stopped store runs. Whatever goes wrong with it is a refusal.</summary>
public sealed class StoreCheck(StoreCheckRun run)
{
    /// <summary>Exit code of a check in a process of its own that refuses; its reason is on its standard output.</summary>
    const int Refused = 4;

    /// <summary>On a thread of this process. A store so broken that it hangs RocksDB leaves that thread behind; the open is refused all the same.</summary>
    public static StoreCheck InProcess { get; } = new(static (directory, limit) =>
    {
        var check = Task.Factory.StartNew(
            () => StoreInspection.Run(directory), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return check.Wait(limit) ? check.GetAwaiter().GetResult() : NotWithin(limit);
    });

    /// <summary>In a process of its own, which is killed at the limit. One flipped bit can make RocksDB hang for ever, or crash.</summary>
    /// <param name="program">What to run; it answers with <see cref="Report"/>.</param>
    /// <param name="arguments">Its arguments; the data directory is added as the last.</param>
    public static StoreCheck InChild(string program, params string[] arguments) => new((directory, limit) =>
    {
        using var child = Process.Start(new ProcessStartInfo(program, [.. arguments, directory])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, UseShellExecute = false,
        })!;
        child.StandardInput.Close();
        var said = child.StandardOutput.ReadToEndAsync();
        var complained = child.StandardError.ReadToEndAsync();
        if (!child.WaitForExit(limit))
        {
            child.Kill(entireProcessTree: true);
            child.WaitForExit();
            return NotWithin(limit);
        }

        return (child.ExitCode, said.GetAwaiter().GetResult().TrimEnd()) switch
        {
            (0, "ok") => null,
            (Refused, { Length: > 0 } reason) => reason,
            (var code, _) => string.Create(
                CultureInfo.InvariantCulture,
                $"the check ended badly, with exit code {code}{FirstLine(complained.GetAwaiter().GetResult())}"),
        };
    });

    /// <summary>What a check in a process of its own answers: <c>ok</c> and 0, or the reason and 4.</summary>
    /// <param name="refusal">From <see cref="StoreInspection.Run"/>.</param>
    /// <param name="answer">The standard output.</param>
    /// <returns>The exit code.</returns>
    public static int Report(string? refusal, TextWriter answer)
    {
        answer.WriteLine(refusal ?? "ok");
        answer.Flush();
        return refusal is null ? 0 : Refused;
    }

    internal string? Run(string dataDirectory, TimeSpan limit)
    {
        try
        {
            return run(dataDirectory, limit);
        }
        catch (Exception cause)
        {
            // Not knowing is no permission.
            return $"the check failed: {(cause is AggregateException { InnerException: { } inner } ? inner : cause).Message}";
        }
    }

    static string NotWithin(TimeSpan limit) =>
        string.Create(CultureInfo.InvariantCulture, $"the check did not end within {limit.TotalSeconds:0.###} s");

    static string FirstLine(string text) => text.AsSpan().Trim() is { Length: > 0 } trimmed
        ? $": {(trimmed.IndexOf('\n') is var end and >= 0 ? trimmed[..end] : trimmed)}"
        : "";
}
