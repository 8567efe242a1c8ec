using System.Diagnostics;

namespace EventDbx.Verifier.Output;

/// <summary>One line on a terminal that says how far it is, twice a second.</summary>
internal sealed class Progress(TextWriter terminal, bool show) : IDisposable
{
    readonly Stopwatch _since = Stopwatch.StartNew();
    bool _shown;

    public void Show(Func<string> text)
    {
        if (!show || _since.ElapsedMilliseconds < 500)
            return;
        terminal.Write($"\r\u001b[K{text()}");
        terminal.Flush();
        _since.Restart();
        _shown = true;
    }

    public void Dispose()
    {
        if (!_shown)
            return;
        terminal.Write("\r\u001b[K");
        terminal.Flush();
    }
}
