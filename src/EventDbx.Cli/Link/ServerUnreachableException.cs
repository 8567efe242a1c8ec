namespace EventDbx.Cli;

/// <summary>No connection to the server was made, or it was not trusted: nothing was sent.</summary>
/// <param name="again">Whether the same may work in a moment.</param>
internal sealed class ServerUnreachableException(string message, bool again, Exception? cause = null) : Exception(message, cause)
{
    public bool Again => again;
}
