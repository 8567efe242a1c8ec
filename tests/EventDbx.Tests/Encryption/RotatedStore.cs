using System.Text;
using EventDbx.Encryption;
using EventDbx.Events;
using EventDbx.Storage;
using EventDbx.Storage.RocksDb;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Encryption;

/// <summary>An encrypted store with one of everything that has a wrapped key, two data keys, and what it answers.</summary>
internal sealed class RotatedStore : IDisposable
{
    public TestStore Store { get; } = new();

    public DataKey Old { get; } = DataKey.Generate();

    public DataKey Next { get; } = DataKey.Generate();

    public static Guid Id(int number) => new($"01990000-0000-4000-8000-{number:x12}");

    public DatabaseOptions Options(DataKey key) => Store.Options() with { Key = key };

    public Database Open(DataKey key) => Database.Open(Options(key));

    public static AggregateKey Key(int number) => AggregateKey.Create("order", $"o-{number:000}");

    public static EventDraft Draft(int number, int version) => new()
    {
        Aggregate = Key(number), EventType = "placed", EventId = number % 3 == 0 ? Id((number * 100) + version) : null,
        Payload = Encoding.UTF8.GetBytes($$"""{"version":{{version}},"who":"customer {{number}}","large":"{{new string('x', number % 50 == 0 ? 3000 : 3)}}"}"""),
    };

    /// <summary>Aggregates with events, archived ones, empty ones, removed ones, one that was removed and made again, documents.</summary>
    public static async Task FillAsync(Database database, int aggregates)
    {
        var session = database.OpenSession(new Actor("test", "filler"));
        for (var version = 1; version <= 2; version++)
            await session.AppendBatchAsync([.. Enumerable.Range(0, aggregates).Select(number => Draft(number, version))], default);
        for (var number = 0; number < aggregates; number += 10)
            await session.ArchiveAsync(Key(number), "away", default);
        await session.CreateAsync(AggregateKey.Create("order", "empty"), null, default);
        foreach (var name in (string[])["removed", "again"])
        {
            await session.CreateAsync(AggregateKey.Create("order", name), null, default);
            await session.RemoveAsync(AggregateKey.Create("order", name), default);
        }

        await session.AppendAsync(TestStore.Draft(AggregateKey.Create("order", "again")), default);
        await session.SnapshotAsync(Key(1), "kept", default);
        database.Documents.TryReplace("tokens.json", "[\"sealed\"]"u8, database.Documents.Read("tokens.json"));
        database.Documents.TryReplace("plugins.json", "[\"sealed too\"]"u8, database.Documents.Read("plugins.json"));
    }

    /// <summary>What callers see: every aggregate with its state and events, and the documents.</summary>
    public static string Answers(Database database, int aggregates)
    {
        var session = database.OpenSession();
        var text = new StringBuilder();
        foreach (var name in Enumerable.Range(0, aggregates).Select(Key).Append(AggregateKey.Create("order", "empty")).Append(AggregateKey.Create("order", "again")))
        {
            var state = session.GetAggregate(name);
            text.Append(name).Append(' ').Append(state.Version).Append(' ').Append(state.MerkleRoot).Append(' ').Append(state.Archived).Append(' ')
                .Append(Encoding.UTF8.GetString(state.Fields.Span)).Append('\n');
            foreach (var record in session.GetEvents(name, 1, 10).Items)
                text.Append(record.Hash).Append(' ').Append(Encoding.UTF8.GetString(record.Payload.Span)).Append('\n');
        }

        foreach (var document in (string[])["tokens.json", "plugins.json"])
            text.Append(Encoding.UTF8.GetString(database.Documents.Read(document).Content!)).Append('\n');
        return text.ToString();
    }

    /// <summary>Every wrapped key there is in the rows, wherever it stands.</summary>
    public static List<byte[]> WrappedKeys(Database database)
    {
        List<byte[]> keys = [];
        using var view = database.Engine.OpenView();
        foreach (var row in view.Range(Family.Log, Keyspace.Position(1), [], 100_000, int.MaxValue))
            Add(EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value))!.WrappedKey);
        foreach (var row in view.Range(Family.Heads, Keyspace.FirstName, [], 100_000, int.MaxValue))
            Add(HeadRow.TryRead(Checked.Body(Family.Heads, row.Key, row.Value))!.WrappedKey);
        foreach (var row in view.Range(Family.Archive, Keyspace.FirstName, [], 100_000, int.MaxValue))
            Add(ArchiveRow.ReadHead(AggregateKey.Create("order", Encoding.UTF8.GetString(row.Key.AsSpan()[6..])), Checked.Body(Family.Archive, row.Key, row.Value)).WrappedKey);
        return keys;

        void Add(ReadOnlyMemory<byte> wrapped)
        {
            if (!wrapped.IsEmpty)
                keys.Add(wrapped.ToArray());
        }
    }

    /// <summary>How many of these stand somewhere in the files of the store.</summary>
    public int CountInFiles(IReadOnlyCollection<byte[]> values)
    {
        var files = Directory.EnumerateFiles(Store.Directory, "*", SearchOption.AllDirectories).Select(Crash.DirectoryImage.Read).ToList();
        return values.Count(value => files.Exists(file => file.AsSpan().IndexOf(value) >= 0));
    }

    public static void Flush(Database database) => ((RocksDbEngine)database.Engine).FlushMemtables();

    public void Dispose()
    {
        Store.Dispose();
        Old.Dispose();
        Next.Dispose();
    }
}
