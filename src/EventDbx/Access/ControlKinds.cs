using EventDbx.Commit;
using EventDbx.Recovery;

namespace EventDbx.Access;

/// <summary>The kinds of control entries: all that the audit can have. A new kind is added here, or no entry of it is written.</summary>
public static class ControlKinds
{
    /// <summary>The summary of an import.</summary>
    public const string Import = "import";

    /// <summary>A key that is kept in the configuration was replaced.</summary>
    public const string KeyChange = "key_change";

    /// <summary>The data key is being replaced, or was.</summary>
    public const string KeyRotation = "key_rotation";

    /// <summary>An older document, or none, was accepted for the newest one.</summary>
    public const string DocumentAccepted = "document_accepted";

    /// <summary>A new epoch began where another log ended: a mirror was made a leader.</summary>
    public const string Epoch = "epoch";

    /// <summary>In the order in which texts list them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        LifecycleNames.Create, LifecycleNames.Remove, LifecycleNames.Archive, LifecycleNames.Restore, LifecycleNames.Snapshot, SchemaOperation.Kind,
        .. Enum.GetValues<TokenChange>().Select(TokenChanges.NameOf), .. Enum.GetValues<SettingChange>().Select(SettingChanges.NameOf),
        KeyChange, KeyRotation, DocumentAccepted, Import, AcceptedLoss.Kind, Epoch,
    ];

    /// <summary>Why there is no such kind: nothing found would read as nothing happened. Null where there is.</summary>
    public static string? ProblemOf(string kind) => All.Contains(kind) ? null : $"there is no kind \"{Shown(kind)}\"{NearestName.Hint(kind, All)}; kinds are {string.Join(", ", All)}.";

    static string Shown(string kind) => kind.Length <= 64 ? kind : kind[..64] + "…";
}
