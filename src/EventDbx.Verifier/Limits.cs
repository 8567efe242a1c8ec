namespace EventDbx.Verifier;

/// <summary>Every bound of the verifier, each with its unit and its reason. What lies beyond is refused, never guessed at.</summary>
internal static class Limits
{
    /// <summary>
    /// Bytes of one document, and of one line of a bundle: a payload may have 1 MiB, the body of a control entry (a whole schema) several;
    /// indented by somebody's editor they grow. This is also about the memory that a hostile file can claim, some three times over.
    /// </summary>
    public const int DocumentBytesMax = 16 * 1024 * 1024;

    /// <summary>Levels of arrays and objects in a JSON text: 64 of a payload, a few around it, and room. It bounds the stack.</summary>
    public const int JsonDepthMax = 128;

    /// <summary>Bytes of a signed note: three lines and some hundred signatures.</summary>
    public const int NoteBytesMax = 64 * 1024;

    /// <summary>Signatures under one note. The format asks for 16 at least.</summary>
    public const int SignaturesMax = 64;

    /// <summary>Hashes in a path: a tree of 2^64 leaves has 64 levels, and a consistency proof one hash more.</summary>
    public const int PathHashesMax = 65;

    /// <summary>Bytes of a file of keys: some hundreds of them.</summary>
    public const int KeyFileBytesMax = 64 * 1024;

    /// <summary>
    /// Aggregates of a bundle of the whole log whose trees are in memory at once, some 200 bytes each. Where there are more, the bundle is
    /// read more than once.
    /// </summary>
    public const int AggregatesInMemory = 500_000;

    /// <summary>Files of one directory of anchors: one an hour for more than a century. Each costs some 200 bytes.</summary>
    public const int AnchorsMax = 1_000_000;

    /// <summary>Characters of a name that a sentence shows.</summary>
    public const int ShownCharactersMax = 200;

    /// <summary>Names of members that nobody vouches for that a sentence lists.</summary>
    public const int UnnamedShownMax = 5;
}
