namespace EventDbx.Cli;

/// <summary>The server went away, or went silent, before it answered: whether it did what was asked is not known.</summary>
internal sealed class ServerLostException(string message, Exception? cause) : Exception(message, cause);
