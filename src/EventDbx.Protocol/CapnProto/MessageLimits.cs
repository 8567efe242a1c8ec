namespace EventDbx.Protocol.CapnProto;

/// <summary>Bounds of messages, those of the reference (and of the library that most others use).</summary>
public static class MessageLimits
{
    /// <summary>Bytes of a word, in which everything is counted.</summary>
    public const int WordBytes = 8;

    /// <summary>Segments of a message.</summary>
    public const int SegmentsMax = 511;

    /// <summary>Words of all segments of a message: 64 MiB.</summary>
    public const int WordsMax = 8_388_608;

    /// <summary>Pointers behind each other, from the root on.</summary>
    public const int DepthMax = 64;

    /// <summary>
    /// How many times its own words may be read from a message: pointers may share what they point to, and a small message could be a large one that way.
    /// Whoever reads each part once needs one; <see cref="WordsMax"/> holds besides.
    /// </summary>
    public const int TraversalFactor = 4;
}
