using System.Globalization;

namespace EventDbx.Cli.Output;

/// <summary>One line on standard error that says how far a long command has come; on a terminal only.</summary>
/// <param name="shell">Where to.</param>
/// <param name="what">What is being counted, as in <c>events</c>.</param>
internal sealed class Progress(Shell shell, string what) : IDisposable
{
    /// <summary>Often enough for the eye, and nothing next to the work.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    const int BarWidth = 30;

    readonly long _began = shell.Clock.GetTimestamp();
    long _shown;
    bool _visible;

    /// <param name="done">How many so far.</param>
    /// <param name="fraction">Of the whole, 0 to 1; null when nobody knows the whole.</param>
    public void Report(long done, double? fraction = null)
    {
        if (!shell.ErrorIsTerminal || (_visible && shell.Clock.GetElapsedTime(_shown) < Pause))
            return;

        (_shown, _visible) = (shell.Clock.GetTimestamp(), true);
        var elapsed = shell.Clock.GetElapsedTime(_began).TotalSeconds;
        var rate = done / Math.Max(0.001, elapsed);
        var bar = fraction is { } part
            ? string.Create(CultureInfo.InvariantCulture, $"[{Bar(part)}] {100 * part,3:0} %  ")
            : "";
        var left = fraction is > 0.01 and < 1 && elapsed > 1 ? $"  {Left(elapsed * (1 - fraction.Value) / fraction.Value)} left" : "";
        shell.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\r{bar}{done:N0} {what}  {rate:N0}/s{left}\u001b[K"));
    }

    /// <summary>Clears the line: the summary that follows says it all.</summary>
    public void Dispose()
    {
        if (_visible)
            shell.Error.Write("\r\u001b[K");
        _visible = false;
    }

    static string Left(double seconds) => seconds switch
    {
        < 60 => FormattableString.Invariant($"{Math.Ceiling(seconds):0} s"),
        < 3600 => FormattableString.Invariant($"{Math.Ceiling(seconds / 60):0} min"),
        _ => FormattableString.Invariant($"{seconds / 3600:0.0} h"),
    };

    static string Bar(double part)
    {
        var filled = (int)(Math.Clamp(part, 0, 1) * BarWidth);
        return new string('█', filled) + new string('░', BarWidth - filled);
    }
}
