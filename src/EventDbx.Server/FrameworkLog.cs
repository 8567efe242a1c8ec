using Microsoft.Extensions.Logging;

namespace EventDbx.Server;

/// <summary>What the HTTP framework has to say: only what went wrong, for its lines below that quote requests.</summary>
internal sealed class FrameworkLog(Action<LogLine> log, TimeProvider clock) : ILoggerProvider, ILogger
{
    public ILogger CreateLogger(string categoryName) => this;

    public bool IsEnabled(LogLevel logLevel) => logLevel is LogLevel.Warning or LogLevel.Error or LogLevel.Critical;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        if (IsEnabled(logLevel))
            log(new(Timestamp.From(clock.GetUtcNow()), logLevel, "http", formatter(state, exception), exception));
    }

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public void Dispose()
    {
    }
}
