using System.ComponentModel;
using System.Diagnostics;

namespace EventDbx.Server.Upgrades;

/// <summary>Starts a program that is to be the new <c>dbx</c>: does it run on this machine, and is it the version that was asked for?</summary>
internal static class ProgramTrial
{
    /// <exception cref="RefusedException">It does not run, or says something else.</exception>
    public static async Task DemandAsync(string program, ReleaseVersion version, TimeProvider clock, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ServerLimits.ReleaseTrialTimeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        var start = new ProcessStartInfo(program, ["--version"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, CreateNoWindow = true,
        };
        string said;
        try
        {
            using var process = Process.Start(start)!;
            try
            {
                process.StandardInput.Close();
                var error = process.StandardError.ReadToEndAsync(both.Token);
                said = await process.StandardOutput.ReadToEndAsync(both.Token).ConfigureAwait(false);
                await process.WaitForExitAsync(both.Token).ConfigureAwait(false);
                if (said.Length == 0)
                    said = (await error.ConfigureAwait(false)).Trim();
            }
            finally
            {
                if (!process.HasExited)
                    process.Kill(entireProcessTree: true);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw Refused($"it did not end within {ServerLimits.ReleaseTrialTimeout.TotalSeconds} s");
        }
        catch (Exception cause) when (cause is Win32Exception or IOException)
        {
            throw Refused(cause.Message.TrimEnd('.'));
        }

        if (said.Trim() != $"eventdbx {version}")
            throw Refused($"it says \"{Rest.Shown.Of(said.Length > 200 ? said[..200] : said.Trim())}\"");

        RefusedException Refused(string why) => new(RefusalCode.InvalidArgument, $"The program of {version.Tag} was to say its version, and {why}. Nothing was changed.");
    }
}
