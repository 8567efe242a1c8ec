using System.Runtime.InteropServices;

namespace EventDbx.Cli;

/// <summary>Turns the first Ctrl-C or SIGTERM into a cancellation, so that what is open is closed; the second ends the process.</summary>
internal sealed class Interrupts : IDisposable
{
    readonly List<PosixSignalRegistration> _registrations = [];

    public static Interrupts Forward(CancellationTokenSource target)
    {
        var interrupts = new Interrupts();
        foreach (var signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM])
        {
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
