namespace EventDbx.Storage;

/// <summary>The column families. The number is part of the storage format; what each holds: docs/storage-format.md.</summary>
internal enum Family : byte
{
    Log = 1,
    Index = 2,
    Heads = 3,
    State = 4,
    Archive = 5,
    Ids = 6,
    Snapshots = 7,
    Tree = 8,
    Checkpoints = 9,
    Plugins = 10,
    Tokens = 11,
    Meta = 12,
}

internal static class Families
{
    public const int Count = 12;

    /// <summary>In number order: <c>All[(int)family - 1]</c>.</summary>
    public static readonly Family[] All = Enum.GetValues<Family>();

    /// <summary>The name of the column family (and, later, of the table).</summary>
    public static string NameOf(Family family) => family switch
    {
        Family.Log => "log",
        Family.Index => "index",
        Family.Heads => "heads",
        Family.State => "state",
        Family.Archive => "archive",
        Family.Ids => "ids",
        Family.Snapshots => "snapshots",
        Family.Tree => "tree",
        Family.Checkpoints => "checkpoints",
        Family.Plugins => "plugins",
        Family.Tokens => "tokens",
        Family.Meta => "meta",
    };
}
