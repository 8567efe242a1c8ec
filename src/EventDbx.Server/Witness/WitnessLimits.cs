namespace EventDbx.Server.Witness;

/// <summary>Every fixed bound of a witness, and of asking one, with its unit and its reason.</summary>
public static class WitnessLimits
{
    /// <summary>Bytes of a request: 63 hashes are 3 KB, and the rest is room for a checkpoint with many signatures.</summary>
    public const int RequestBytesMax = SignedNote.BytesMax;

    /// <summary>Hashes of a consistency proof. No tree has more levels.</summary>
    public const int ProofHashesMax = 63;

    /// <summary>Bytes of an answer that is read: some signature lines.</summary>
    public const int AnswerBytesMax = 16 * 1024;

    /// <summary>Connections at once; logs are few, and each asks once a second at most.</summary>
    public const int ConnectionsMax = 256;

    /// <summary>How long a request may take to come.</summary>
    public static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a witness may take to answer before it counts as not there.</summary>
    public static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The pause before a witness that did not answer is asked again; twice as long each time.</summary>
    public static readonly TimeSpan RetryFirst = TimeSpan.FromSeconds(1);

    /// <summary>The longest such pause: a witness that comes back is found within it.</summary>
    public static readonly TimeSpan RetryMax = TimeSpan.FromSeconds(60);

    /// <summary>How long a request for a cosigned checkpoint waits for the quorum.</summary>
    public static readonly TimeSpan QuorumTimeout = TimeSpan.FromSeconds(10);
}
