using System.Text;
using EventDbx.Encryption;
using EventDbx.Events;

namespace EventDbx.Tests.Engine;

/// <summary>A data directory of its own for one test, deleted with it.</summary>
internal sealed class TestStore : IDisposable
{
    static readonly DataKey Key = DataKey.Generate();

    public TestStore() => Directory = System.IO.Directory.CreateTempSubdirectory("eventdbx-test-").FullName;

    public string Directory { get; }

    public DatabaseOptions Options(bool encrypted = true) => new()
    {
        Directory = Directory, Encrypted = encrypted, Key = encrypted ? Key : null, LockTimeout = TimeSpan.Zero,
    };

    public Database Open(bool encrypted = true) => Database.Open(Options(encrypted));

    /// <summary>Open, and with so many events of one aggregate more.</summary>
    public async Task<Database> FilledAsync(int events)
    {
        var database = Open();
        for (var i = 0; i < events; i++)
            await database.OpenSession().AppendAsync(Draft(Aggregate()), default);
        return database;
    }

    public static AggregateKey Aggregate(string type = "order", string id = "o-1") => AggregateKey.Create(type, id);

    public static EventDraft Draft(AggregateKey aggregate, string payload = """{"status":"new"}""", string type = "placed") => new()
    {
        Aggregate = aggregate, EventType = type, Payload = Encoding.UTF8.GetBytes(payload),
    };

    public void Dispose() => System.IO.Directory.Delete(Directory, recursive: true);
}
