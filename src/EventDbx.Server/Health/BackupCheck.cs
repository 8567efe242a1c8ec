using EventDbx.Server.Backups;

namespace EventDbx.Server.Health;

/// <summary>How old the last backup is that was made from here.</summary>
public static class BackupCheck
{
    const string Check = "backup";

    const string Advice = "`dbx backup --output FILE`, outside of the data directory. A copy that something else makes of it is not known here.";

    /// <param name="findings">Receives what is found.</param>
    /// <param name="dataDirectory">The data directory.</param>
    /// <param name="databaseId">Of the store; null where that is not known.</param>
    /// <param name="logSize">Entries of its log; null where that is not known.</param>
    /// <returns>The last backup of this store; null: none is known.</returns>
    public static BackupRecord? Look(Findings findings, string dataDirectory, Guid? databaseId, ulong? logSize)
    {
        var record = BackupRecord.Find(dataDirectory, out var unreadable);
        if (unreadable is not null)
        {
            findings.Warn(Check, $"What is remembered of the last backup, {Path.Combine(dataDirectory, BackupRecord.FileName)}, cannot be read: {unreadable}", "The next backup writes it anew.");
            return null;
        }

        if (record is null || (databaseId is { } id && id != record.DatabaseId))
        {
            if (logSize == 0)
                findings.Ok(Check, "There is nothing to back up yet.");
            else
                findings.Warn(Check, "No backup of this store is known to have been made from here.", Advice);
            return null;
        }

        var what = FormattableString.Invariant($"{(record.Base is null ? "a full one" : "an incremental one")}, {(record.Keys == EventDbx.Backups.BackupManifest.KeysIncluded ? "with keys" : "without keys")}, of the first {record.LogSize} entries, {(record.To == BackupRecord.Streamed ? "streamed" : $"to {record.To}")}");
        if (logSize < record.LogSize)
            findings.Warn(Check, FormattableString.Invariant($"The last backup, of {record.CreatedAt} ({what}), has more of the log than the store, which has {logSize} entries."), "What the store has lost is in that backup: `dbx restore --dry-run` says what it would come to.");
        else
            findings.Ok(Check, FormattableString.Invariant($"The last backup is of {record.CreatedAt} ({what}); {(logSize is { } size ? $"{size - record.LogSize} entries" : "an unknown number of entries")} came since."));
        return record;
    }
}
