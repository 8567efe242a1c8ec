using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Logs;

/// <summary>Everything the server says: into its log file, and in the foreground to standard error, too.</summary>
/// <remarks>What is logged is what happened, never a secret: no token, no key, no payload.</remarks>
public sealed class ServerLog : IDisposable
{
    readonly LogFile _file;
    readonly LogLevel _least;
    readonly TextWriter _errors;
    readonly bool _echo;
    readonly TimeProvider _clock;

    /// <param name="settings">Where, and how much.</param>
    /// <param name="errors">Standard error: told once when the file cannot be written.</param>
    /// <param name="echo">Whether every line goes to standard error as well.</param>
    /// <param name="clock">Dates the lines, and says when a new file begins.</param>
    public ServerLog(LogSettings settings, TextWriter errors, bool echo, TimeProvider clock)
    {
        // Requests log from many threads at once.
        (_errors, _echo, _clock, _least) = (TextWriter.Synchronized(errors), echo, clock, settings.Level);
        _file = new LogFile(settings.Directory, clock, complaint => Say(complaint + "\n"));
    }

    /// <summary>Called from many threads; a log that cannot be written fails nothing.</summary>
    public void Write(LogLine line)
    {
        if (line.Level < _least)
            return;
        var text = LogText.Of(line);
        if (_echo)
            Say(text);
        _file.Write(text);
    }

    /// <summary>The server's own lines.</summary>
    internal void Write(LogLevel level, string message, Exception? failure = null) =>
        Write(new LogLine(Timestamp.From(_clock.GetUtcNow()), level, "server", message, failure));

    public void Dispose() => _file.Dispose();

    void Say(string text)
    {
        try
        {
            _errors.Write(text);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // Nobody reads it any more; the file has it.
        }
    }
}
