namespace EventDbx.Server.Daemon;

/// <summary>A server was not started, stopped or asked; the message says why, and what to do.</summary>
public sealed class DaemonException : Exception
{
    public DaemonException(string message) : base(message) { }

    public DaemonException(string message, Exception? cause) : base(message, cause) { }
}
