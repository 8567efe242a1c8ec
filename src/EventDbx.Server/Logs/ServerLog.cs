using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Logs;

/// <summary>Everything the server says: into its log file, and in the foreground to standard error, too.</summary>
/// <remarks>What is logged is what happened, never a secret: no token, no key, no payload.</remarks>
public sealed class ServerLog : ILoggerProvider
{
    readonly LogFile _file;
    readonly LogSettings _settings;
    readonly TextWriter? _echo;
    readonly TimeProvider _clock;

    /// <param name="settings">Where, and how much.</param>
    /// <param name="errors">Standard error: told once when the file cannot be written.</param>
    /// <param name="echo">Whether every line goes to standard error as well.</param>
    /// <param name="clock">Dates the lines.</param>
    public ServerLog(LogSettings settings, TextWriter errors, bool echo, TimeProvider clock)
    {
        (_settings, _clock) = (settings, clock);
        // Requests log from many threads at once.
        var shared = TextWriter.Synchronized(errors);
        _echo = echo ? shared : null;
        _file = new LogFile(settings.Directory, clock, complaint => Say(shared, complaint + "\n"));
    }

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose() => _file.Dispose();

    void Write(string line)
    {
        if (_echo is not null)
            Say(_echo, line);
        _file.Write(line);
    }

    static void Say(TextWriter writer, string text)
    {
        try
        {
            writer.Write(text);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // Nobody reads it any more; the file has it.
        }
    }

    /// <summary>What the framework says at length is for those who look for a fault in it.</summary>
    LogLevel LeastOf(string category) => !category.StartsWith("Microsoft.", StringComparison.Ordinal) ? _settings.Level
        : _settings.Level switch
        {
            LogLevel.Trace => LogLevel.Trace,
            LogLevel.Debug => LogLevel.Information,
            _ => (LogLevel)Math.Max((int)_settings.Level, (int)LogLevel.Warning),
        };

    sealed class Logger(ServerLog log, string category) : ILogger
    {
        readonly LogLevel _least = log.LeastOf(category);

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= _least && logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                log.Write(LogLine.Of(
                    log._clock.GetUtcNow(), logLevel, category, formatter(state, exception),
                    state as IReadOnlyList<KeyValuePair<string, object?>> ?? [], exception));
            }
        }
    }
}
