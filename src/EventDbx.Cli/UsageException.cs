namespace EventDbx.Cli;

/// <summary>The command line does not say what to do (exit code 2). The message begins in lower case: it follows <c>error: </c>.</summary>
internal sealed class UsageException(string message) : Exception(message);
