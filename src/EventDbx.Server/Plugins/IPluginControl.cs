using EventDbx.Delivery;

namespace EventDbx.Server.Plugins;

/// <summary>Everything that people and programs can ask of plugins and of what they have yet to take. Routes and commands translate, and decide nothing.</summary>
/// <remarks>
/// The same in a server, where the plugins run, and in a command on a directory that nobody has open, where a channel is opened for as long as it is needed.
/// Each demands of the session what it needs; a refusal is a <see cref="RefusedException"/>. Every change leaves an entry in the log.
/// </remarks>
internal interface IPluginControl
{
    /// <summary>Every plugin, in the order of names.</summary>
    IReadOnlyList<PluginStatus> List(Session by);

    /// <summary>Sets a plugin up, new or instead of the one of that name and kind. Where it is to be enabled, it is reached first.</summary>
    Task<(PluginStatus Plugin, bool IsNew)> SetAsync(Session by, string name, PluginUpsert asked, CancellationToken cancellation);

    /// <summary>Enables a plugin, which is reached first, even if it is enabled already.</summary>
    /// <param name="from">Where it begins; null: behind the last event of now for a plugin that never was enabled, and where it stopped for one that was.</param>
    Task<(PluginStatus Plugin, bool Changed)> EnableAsync(Session by, string name, DeliveryStart? from, CancellationToken cancellation);

    /// <summary>Disables a plugin: what is under way is finished, its place is kept.</summary>
    Task<(PluginStatus Plugin, bool Changed)> DisableAsync(Session by, string name, CancellationToken cancellation);

    /// <summary>Removes a plugin that is disabled, and forgets its place, what waits for it and its dead letters.</summary>
    Task RemoveAsync(Session by, string name, CancellationToken cancellation);

    /// <summary>Reaches each enabled plugin (or one, enabled or not), and sends it the sample event, one result at a time.</summary>
    IAsyncEnumerable<PluginTestResult> TestAsync(Session by, string? name, CancellationToken cancellation);

    /// <summary>Sends stored events again, in the order of versions, one aggregate after the other; the first failure ends it with a refusal.</summary>
    /// <param name="plugin">An enabled plugin.</param>
    /// <param name="type">Of the aggregates.</param>
    /// <param name="id">One of them; null: all, in the order of ids.</param>
    IAsyncEnumerable<ReplayStep> ReplayAsync(Session by, string plugin, string type, string? id, CancellationToken cancellation);

    /// <summary>What waits and what is dead.</summary>
    /// <param name="plugin">Of one plugin; null: of all.</param>
    /// <param name="take">Entries of each list at most.</param>
    QueueView GetQueue(Session by, string? plugin, int take);

    /// <summary>Tries dead events again, now. Those that are taken are dead no more.</summary>
    /// <param name="plugin">Of one plugin; null: of all.</param>
    /// <param name="eventId">One event; null: every one.</param>
    IAsyncEnumerable<RetryResult> RetryAsync(Session by, string? plugin, Guid? eventId, CancellationToken cancellation);

    /// <summary>Gives dead events up for good; an aggregate that one of them holds goes on behind it. What waits stays.</summary>
    /// <returns>How many.</returns>
    Task<long> ClearAsync(Session by, string? plugin, CancellationToken cancellation);
}

/// <summary>Where a plugin begins.</summary>
/// <param name="Position">The last position that it does not get; null: the newest event of now.</param>
internal readonly record struct DeliveryStart(ulong? Position)
{
    /// <summary><c>now</c>, <c>start</c>, or a position.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>.</exception>
    public static DeliveryStart Parse(string text) => text switch
    {
        "now" => new(null),
        "start" => new(0),
        _ when ulong.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var position) => new(position),
        _ => throw new RefusedException(RefusalCode.InvalidArgument, $"`from` is now, start or the position of the last event that is left out, not \"{Rest.Shown.Of(text)}\"."),
    };
}

/// <summary>What a plugin is doing.</summary>
internal enum PluginState
{
    Disabled,

    /// <summary>It is enabled, and nobody has the directory open who would deliver.</summary>
    Stopped,

    /// <summary>It takes what comes.</summary>
    Running,

    /// <summary>It cannot be reached; it is tried again until it can.</summary>
    Down,
}

/// <summary>A plugin and how far it is.</summary>
internal sealed record PluginStatus
{
    public required PluginDefinition Definition { get; init; }

    public required PluginState State { get; init; }

    /// <summary>Everything up to here was taken, waits or is dead; null: it never was enabled.</summary>
    public ulong? Position { get; init; }

    /// <summary>Entries of the log behind that. Filters count as read once they are read.</summary>
    public ulong Lag { get; init; }

    public DeliveryCounts Counts { get; init; }

    /// <summary>Why it is down, or what it refused last; null: nothing since it began.</summary>
    public string? LastError { get; init; }

    /// <summary>When it is tried again, where it is down.</summary>
    public Timestamp? NextAttemptAt { get; init; }
}

/// <summary>How one plugin took the sample event.</summary>
/// <param name="Plugin">Which.</param>
/// <param name="Failure">Null: it took it.</param>
internal sealed record PluginTestResult(PluginDefinition Plugin, string? Failure);

/// <summary>How far a replay is.</summary>
/// <param name="Aggregate">Which is being sent.</param>
/// <param name="Version">Up to which version it was sent.</param>
/// <param name="Done">Whether that was the last one of it.</param>
internal readonly record struct ReplayStep(AggregateKey Aggregate, ulong Version, bool Done);

/// <summary>What waits and what is dead, of one plugin or of all.</summary>
/// <param name="Counts">All of it.</param>
/// <param name="Waiting">The first of it.</param>
/// <param name="Dead">The first of it.</param>
internal sealed record QueueView(DeliveryCounts Counts, IReadOnlyList<(string Plugin, WaitingAggregate Entry)> Waiting, IReadOnlyList<(string Plugin, DeadLetter Entry)> Dead);

/// <summary>What became of a dead event that was tried again.</summary>
/// <param name="Plugin">By which plugin.</param>
/// <param name="Entry">Which.</param>
/// <param name="Failure">Null: it was taken, or is gone.</param>
/// <param name="Gone">There is no such event any more; it is dropped.</param>
internal sealed record RetryResult(string Plugin, DeadLetter Entry, string? Failure, bool Gone);
