namespace EventDbx.Transfer;

/// <summary>Where an export comes from: a session here, or a server elsewhere.</summary>
public interface IExportSource
{
    /// <summary>Opens the states of aggregates for one or several walks over them.</summary>
    /// <param name="at">As they were at a moment, without those that had no event yet; null: now.</param>
    IStateReading ReadStates(Timestamp? at);

    /// <summary>Events in the order of the log, with their salts.</summary>
    /// <param name="type">Only those of aggregates of this type; null: all.</param>
    /// <param name="after">The <see cref="EventSlice.Next"/> of the slice before; null at the beginning.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.PermissionDenied"/>: not everything is shown to this caller.</exception>
    Task<EventSlice> ReadEventsAsync(string? type, string? after, CancellationToken cancellation);
}

/// <summary>The states of aggregates. A session's are of one moment, however long the walk; a server's are each as they were when their page was read.</summary>
public interface IStateReading : IDisposable
{
    /// <summary>A page by type and id in UTF-8 order, archived ones among them.</summary>
    /// <param name="type">Only this type; null: all.</param>
    /// <param name="after">The <see cref="AggregatePage.Next"/> of the page before; null at the beginning.</param>
    /// <param name="withState">Their states, or only that they are there.</param>
    Task<AggregatePage> ReadAsync(string? type, byte[]? after, bool withState, CancellationToken cancellation);
}

/// <summary>Some events of the log.</summary>
/// <param name="Items">In log order.</param>
/// <param name="Next">Continues behind them. Opaque.</param>
/// <param name="End">Whether there was nothing more at that moment.</param>
/// <param name="Fraction">How much of the log lies before <paramref name="Next"/>; null when nobody knows.</param>
public sealed record EventSlice(IReadOnlyList<EventRecord> Items, string Next, bool End, double? Fraction);
