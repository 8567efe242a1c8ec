namespace EventDbx.Schemas;

/// <summary>What a pattern says about a place between two characters.</summary>
internal enum PatternPlace
{
    TextStart,
    TextEnd,
    LineStart,
    LineEnd,
    WordEdge,
    NoWordEdge,
}

/// <summary>A pattern as it was parsed.</summary>
internal abstract record PatternNode
{
    /// <summary>One character.</summary>
    public sealed record One(PatternSet Set) : PatternNode;

    /// <summary>No character.</summary>
    public sealed record At(PatternPlace Place) : PatternNode;

    /// <summary>One behind the other; none: nothing.</summary>
    public sealed record All(IReadOnlyList<PatternNode> Nodes) : PatternNode;

    /// <summary>One of them.</summary>
    public sealed record Either(IReadOnlyList<PatternNode> Nodes) : PatternNode;

    /// <param name="Max">Null: no end.</param>
    public sealed record Repeat(PatternNode Node, int Min, int? Max) : PatternNode;
}
