namespace EventDbx.Access;

/// <summary>What a caller may be allowed to do. A closed list; <see cref="AccessActions"/> has the names.</summary>
public enum AccessAction
{
    /// <summary>States, events, lists and verification of aggregates.</summary>
    AggregateRead,

    /// <summary>Appends. Implies reading what may be appended to.</summary>
    AggregateAppend,

    /// <summary>Creates, removes, archives and restores.</summary>
    AggregateArchive,

    /// <summary>The feed of all events. Implied by reading without a limit on resources.</summary>
    FeedRead,

    /// <summary>Control entries, the log as a whole, and its verification.</summary>
    LogRead,

    /// <summary>Taking up records that keep their actor, time and salt.</summary>
    RecordsImport,
}

/// <summary>The names of actions, as they stand in tokens.</summary>
public static class AccessActions
{
    public static IReadOnlyList<AccessAction> All { get; } = Enum.GetValues<AccessAction>();

    public static string NameOf(AccessAction action) => action switch
    {
        AccessAction.AggregateRead => "aggregate.read",
        AccessAction.AggregateAppend => "aggregate.append",
        AccessAction.AggregateArchive => "aggregate.archive",
        AccessAction.FeedRead => "feed.read",
        AccessAction.LogRead => "log.read",
        AccessAction.RecordsImport => "records.import",
    };
}
