namespace EventDbx.Cli;

/// <summary>The connection to the server broke before it answered: whether it did what was asked is not known.</summary>
internal sealed class ServerLostException(string message, Exception cause) : Exception(message, cause);
