namespace EventDbx.Verifier;

/// <summary>A document does not prove what it says, or is none. The message is a sentence for people.</summary>
internal sealed class RefutedException(string message) : Exception(message);

/// <summary>Something that is needed is not there, or could not be read to its end. The message is a sentence for people.</summary>
internal sealed class IncompleteException(string message) : Exception(message);

/// <summary>The command line makes no sense.</summary>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>The world did not let us read.</summary>
internal sealed class UnreadableException(string message) : Exception(message);
