namespace EventDbx;

/// <summary>How events are held against schemas.</summary>
public enum Restriction
{
    /// <summary>Not at all.</summary>
    Off,

    /// <summary>Where a schema exists.</summary>
    Default,

    /// <summary>Always: an aggregate type without a schema takes no events.</summary>
    Strict,
}
