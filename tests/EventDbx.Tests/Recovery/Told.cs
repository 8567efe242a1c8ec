using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage;
using EventDbx.Tests.Crash;

namespace EventDbx.Tests.Recovery;

/// <summary>All that a database says when it is asked, as of a size of its log: two that say the same are the same to everybody.</summary>
internal static class Told
{
    public static string All(Database database, ulong size)
    {
        var session = database.OpenSession();
        var text = new StringBuilder();
        foreach (var state in session.GetAggregates(new(), null, 0, 1000, withState: true).Items)
        {
            text.AppendLine($"{state.Aggregate} {state.Version} {state.MerkleRoot} {state.Archived} {state.CreatedAt} {state.UpdatedAt} {state.StateAsJson(typed: true)}");
            foreach (var version in ((ulong[])[1, state.Version / 2, 1000, 1001]).Where(version => version > 0 && version < state.Version))
                text.AppendLine($"  at {version}: {session.GetAggregate(state.Aggregate, version).StateAsJson(typed: true)}");
            foreach (var snapshot in session.GetSnapshots(state.Aggregate, null, 1000).Items)
                text.AppendLine($"  kept {snapshot.State.Version} {snapshot.State.StateAsJson(typed: true)} {snapshot.CreatedAt} {snapshot.Comment} {snapshot.Automatic}");
        }

        for (ulong after = 0; after < size;)
        {
            var page = session.ReadFeed(after, 500, new FeedFilter { IncludeControl = true, WithSalts = true });
            foreach (var item in page.Items.Where(item => item.Position <= size))
                text.AppendLine(item.Event is { } record
                    ? $"{record.Position} {record.Aggregate} {record.Version} {record.EventType} {record.EventId} {record.CreatedAt} {record.Actor} {record.Note} {record.Hash} {record.MerkleRoot} {Encoding.UTF8.GetString(record.Payload.Span)} {Convert.ToHexString(record.Salt.Span)}"
                    : $"{item.Position} {item.Control!.Kind} {item.Control.Subject} {item.Control.CreatedAt} {item.Control.Actor} {item.Control.Hash} {Encoding.UTF8.GetString(item.Control.Body.Span)}");
            after = page.ReachedPosition;
        }

        return text.Append(Encoding.UTF8.GetString(session.GetSchemas().Write())).ToString();
    }

    /// <summary>Rows of the log up to a size, as they lie there.</summary>
    public static List<string> LogRows(Database database, ulong size) =>
        [.. LiveStore.LogRows(database).Take((int)size).Select(static row => $"{Convert.ToHexString(row.Key)} {Convert.ToHexString(row.Value)}")];

    /// <summary>Names and contents of everything in a directory but the lock.</summary>
    public static string Files(string directory) => string.Join('\n', Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories)
        .Where(static path => Path.GetFileName(path) != DirectoryLock.FileName)
        .Order(StringComparer.Ordinal)
        .Select(path => $"{Path.GetRelativePath(directory, path)} {(Directory.Exists(path) ? "" : Hash32.Of(DirectoryImage.Read(path)))}"));
}
