using System.Text;
using EventDbx.Backups;
using EventDbx.Recovery;

namespace EventDbx.Cli.Commands.Restore;

/// <summary>What a restore has done, for people and for programs.</summary>
/// <param name="Input">The archive.</param>
/// <param name="Directory">The data directory.</param>
/// <param name="Manifest">What the archive says of itself.</param>
/// <param name="Report">What it came to.</param>
internal sealed record RestoreText(string Input, string Directory, BackupManifest Manifest, RestoreReport Report)
{
    /// <summary>Whether the directory is the one that the backup was made from, and nobody named it.</summary>
    public bool Recorded { get; init; }

    public ReplacedStore? Replaced { get; init; }

    /// <summary>Where the old pieces lie; null: they were deleted, or there were none.</summary>
    public string? OldKept { get; init; }

    public required string ConfigPath { get; init; }

    /// <summary>Where the configuration lies that was there; null: there was none, or the same.</summary>
    public string? ConfigKept { get; init; }

    /// <summary>Names in the archive that one machine has for itself.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    public bool DryRun { get; init; }

    public string Text()
    {
        var text = new StringBuilder();
        Line(DryRun ? "would be" : "restored", $"{Input} into {Directory}{(Recorded ? ", where it was made" : "")}");
        Line("database", FormattableString.Invariant($"{Report.DatabaseId}, {(Report.Mirror is null ? $"in epoch {Report.Epoch} from here on" : $"mirror of '{Report.Mirror}', in epoch {Report.Epoch}")}"));
        Line("entries", FormattableString.Invariant($"{Report.Kept:N0} of {Report.Of:N0}"));
        if (Report.EndedBy is { } cut)
            Line("cut", FormattableString.Invariant($"before entry {cut.Position:N0}, of {cut.CreatedAt}{(cut.NotLaterBehind > 0 ? $"; of those behind it {cut.NotLaterBehind:N0} are not later than the time, and not kept" : "")}"));
        Line("root", Report.Root.ToString());
        Line("tokens", Report.TokensKept ? "kept" : "rotated");
        Line("config", ConfigPath + (ConfigKept is null ? "" : $"; the one before it is {ConfigKept}"));
        if (Replaced is { } old)
        {
            Line("replaced", FormattableString.Invariant($"{(old.LogSize is { } size ? $"{size:N0} entries" : "an unreadable store")} of database {old.DatabaseId?.ToString() ?? "unknown"}, ") +
                (DryRun ? "once it is done" : OldKept is null ? "deleted" : $"kept in {OldKept}"));
        }

        if (LeftOut.Count > 0)
            Line("left out", string.Join(", ", LeftOut));
        return text.ToString();

        void Line(string name, string value) => text.Append(name.PadRight(10)).Append(PlainText.Line(value));
    }

    public string Json()
    {
        var json = new JsonText().BeginObject()
            .Member("input", Input).Member("backup_id", Manifest.BackupId.ToString()).Member("data_dir", Directory).Member("database_id", Report.DatabaseId.ToString())
            .Member("kept", Report.Kept).Member("of", Report.Of).Member("root", Report.Root.ToString()).Member("epoch", (ulong)Report.Epoch)
            .Member("tokens", Report.TokensKept ? "kept" : "rotated").Member("mirror_of", Report.Mirror)
            .Member("config", ConfigPath).Member("config_kept", ConfigKept).Member("old_kept", OldKept).Member("dry_run", DryRun).Name("ended_by");
        if (Report.EndedBy is { } cut)
            json.BeginObject().Member("position", cut.Position).Member("created_at", cut.CreatedAt.ToString()).Member("not_later_behind", cut.NotLaterBehind).EndObject();
        else
            json.Value((string?)null);
        json.Name("replaced");
        if (Replaced is { } old)
        {
            json.BeginObject().Member("database_id", old.DatabaseId?.ToString()).Name("log_size");
            _ = old.LogSize is { } size ? json.Value(size) : json.Value((string?)null);
            json.EndObject();
        }
        else
        {
            json.Value((string?)null);
        }

        json.Name("left_out").BeginArray();
        foreach (var name in LeftOut)
            json.Value(name);
        return json.EndArray().EndObject().ToString();
    }
}
