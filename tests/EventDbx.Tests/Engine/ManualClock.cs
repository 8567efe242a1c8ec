namespace EventDbx.Tests.Engine;

/// <summary>A clock that stands still until it is set, forwards or back.</summary>
internal sealed class ManualClock : TimeProvider
{
    public DateTimeOffset Now { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public Timestamp Stamp => Timestamp.From(Now);

    public override DateTimeOffset GetUtcNow() => Now;
}
