using EventDbx.Recovery;

namespace EventDbx.Cli.Output;

/// <summary>A bar for each step of a restore or a rebuild, one after the other.</summary>
internal sealed class StepProgress(Shell shell) : IProgress<RecoveryProgress>, IDisposable
{
    (string Step, Progress Bar)? _now;

    public void Report(RecoveryProgress value)
    {
        if (_now?.Step != value.Step)
        {
            _now?.Bar.Dispose();
            _now = (value.Step, new(shell, value.Step));
        }

        _now.Value.Bar.Report((long)value.Done, value.Total == 0 ? null : (double)value.Done / value.Total);
    }

    public void Dispose() => _now?.Bar.Dispose();
}
