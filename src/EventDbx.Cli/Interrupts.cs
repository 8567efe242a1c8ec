using System.Runtime.InteropServices;

namespace EventDbx.Cli;

/// <summary>Turns the first Ctrl-C, SIGTERM or end of the terminal into a cancellation, so that what is open is closed; the second ends the process.</summary>
internal sealed class Interrupts : IDisposable
{
    readonly List<PosixSignalRegistration> _registrations = [];

    public static Interrupts Forward(CancellationTokenSource target)
    {
        var interrupts = new Interrupts();
        foreach (var signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
        {
            interrupts._registrations.Add(PosixSignalRegistration.Create(signal, context =>
            {
                context.Cancel = !target.IsCancellationRequested;
                target.Cancel();
            }));
        }

        return interrupts;
    }

    /// <summary>The same for SIGHUP, the end of the terminal: for what serves in the foreground.</summary>
    /// <remarks>Where whoever started this process has it ignored, as <c>nohup</c> does, the runtime leaves it so.</remarks>
    public static IDisposable ForwardHangUp(CancellationTokenSource target) =>
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
        {
            context.Cancel = true;
            target.Cancel();
        });

    public void Dispose()
    {
        foreach (var registration in _registrations)
            registration.Dispose();
    }
}
