namespace EventDbx.Staging;

/// <summary>An append that waits for the commit of everything staged.</summary>
/// <param name="Draft">What is to be appended; it has an event id, so that a commit that is repeated appends nothing twice.</param>
/// <param name="Actor">Who staged it, and will stand in the event.</param>
public sealed record StagedEvent(EventDraft Draft, Actor? Actor)
{
    public Guid Id => Draft.EventId!.Value;
}
