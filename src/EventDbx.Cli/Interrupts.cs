using System.Runtime.InteropServices;

namespace EventDbx.Cli;

/// <summary>Turns the first Ctrl-C, SIGTERM or end of the terminal into a cancellation, so that what is open is closed; the second ends the process.</summary>
internal sealed class Interrupts : IDisposable
{
    readonly List<PosixSignalRegistration> _registrations = [];

    /// <param name="target">Is cancelled.</param>
    /// <param name="hangUp">Whether the end of the terminal is one of them.</param>
    /// <remarks>Where whoever started this process has SIGHUP ignored, as <c>nohup</c> does, the runtime leaves it so.</remarks>
    public static Interrupts Forward(CancellationTokenSource target, bool hangUp)
    {
        var interrupts = new Interrupts();
        foreach (var signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
        {
            if (signal == PosixSignal.SIGHUP && !hangUp)
                continue;
            interrupts._registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = !target.IsCancellationRequested;
                target.Cancel();
            }));
        }

        return interrupts;
    }

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }
}
