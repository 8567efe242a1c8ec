using System.Text;
using EventDbx.Encryption;
using EventDbx.Events;
using EventDbx.Storage;
using EventDbx.TestKit;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Storage;

/// <summary>One of everything, byte for byte: docs/storage-format.md is its prose twin.</summary>
public sealed class StorageFormatTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_bytes_of_every_row_are_the_ones_in_the_golden_file(bool encrypted)
    {
        using var engine = new MemoryEngine();
        await FillAsync(engine, encrypted);

        var dump = Dump(engine);

        var path = encrypted ? "storage-format.sealed.golden" : "storage-format.plain.golden";
        Assert.Equal(Golden.Expected(path, dump), dump);
    }

    static async Task FillAsync(MemoryEngine engine, bool encrypted)
    {
        Assert.True(DataKey.TryParse("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", out var key, out _));
        byte next = 0;
        var clock = new FixedClock(new DateTimeOffset(2025, 1, 2, 3, 4, 5, TimeSpan.Zero));
        await using var database = Database.OpenOn(engine, new()
        {
            Directory = "", Encrypted = encrypted, Key = encrypted ? key : null, Clock = clock,
            Signer = static () => new FakeSigner(), NoteVerifier = static (_, _) => true,
            Random = bytes =>
            {
                foreach (ref var b in bytes)
                    b = next++;
            },
        });
        var session = database.OpenSession(new Actor("cli", "jane"));
        var small = TestStore.Aggregate("order", "o-1");
        var large = TestStore.Aggregate("order", "o-2");
        await session.CreateAsync(small, "first", default);
        await session.AppendAsync(TestStore.Draft(small, """{ "status": "new", "total": 1.50 }""") with { Note = "née" }, default);
        await session.AppendAsync(
            TestStore.Draft(small, "null", "touched") with { EventId = Guid.Parse("01993f0c-4d2e-7a1b-8c3d-0e9f5a6b7c8d") }, default);
        await session.AppendBatchAsync([TestStore.Draft(large, $$"""{"text":"{{new string('x', 4200)}}","n":1}"""), TestStore.Draft(large, "[1]")], default);
        var old = TestStore.Aggregate("order", "o-3");
        await session.AppendAsync(TestStore.Draft(old), default);
        await session.ArchiveAsync(old, null, default);
        // A token with a limit, kept alive.
        var token = Guid.Parse("45c3013e-9b95-4ed0-9af9-1a465f81d3cf");
        var limited = database.OpenSession(new Actor("ops", "kim"), EventDbx.Access.Grants.Everything, new(token, 5));
        await limited.AppendAsync(TestStore.Draft(small, "{}", "counted"), default);
        await database.ExtendTokenAsync(token, new Timestamp(17_358_000_000_000_000));
        await database.OpenSession(new Actor("cli", "jane")).NoteTokenAsync(EventDbx.Access.TokenChange.Issue, token, "{}"u8.ToArray(), default);
        // A schema, a patch under an id of the client, a snapshot of either kind.
        await database.OpenSession(new Actor("cli", "jane")).ChangeSchemaAsync(
            "part", _ => EventDbx.Schemas.SchemaJson.ReadDeclaredSchema("""{"aggregate":"part","snapshot_threshold":2,"events":{"placed":{"fields":[]}}}"""u8, new Timestamp(0)), default);
        var part = TestStore.Aggregate("part", "p-1");
        await session.AppendAsync(TestStore.Draft(part), default);
        await session.AppendAsync(
            new()
            {
                Aggregate = part, EventType = "placed", Patch = """[{"op":"add","path":"/n","value":1}]"""u8.ToArray(),
                EventId = Guid.Parse("01993f0c-4d2e-7a1b-8c3d-0e9f5a6b7c8e"),
            },
            default);
        await session.SnapshotAsync(part, "kept", default);
        // A checkpoint that was handed out.
        await database.ReadCheckpointAsync(0, handOut: true, default);
        // Enough for a fold point and a tile.
        var long_ = TestStore.Aggregate("series", "s");
        for (var i = 0; i < 1000; i += 500)
            await session.AppendBatchAsync([.. Enumerable.Range(i, 500).Select(n => TestStore.Draft(long_, $$"""{"n":{{n}}}"""))], default);
        // A plugin that has taken some, with an event that waits and one that is dead.
        var (waiting, dead) = (Guid.Parse("01993f0c-4d2e-7a1b-8c3d-0e9f5a6b7c8d"), Guid.Parse("01993f0c-4d2e-7a1b-8c3d-0e9f5a6b7c8e"));
        await database.Deliveries.SaveAsync("audit", new()
        {
            Cursor = 12,
            Waiting = [new() { Aggregate = small, Version = 2, Position = 3, EventId = waiting, EventType = "touched", Attempts = 4, NextAttemptAt = new(17_358_000_000_000_000), LastError = "409 née", Held = true }],
            Dead = [new() { Aggregate = part, Version = 2, Position = 11, EventId = dead, EventType = "placed", Attempts = 10, At = new(17_358_000_000_000_001), LastError = "" }],
        });
        // A mirror that was made a leader, and is a mirror again, with a checkpoint of its leader.
        var leader = new EventDbx.Mirroring.MirrorLeader("berlin", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        var page = database.ReadLog(database.LogSize, 1);
        await database.Mirror.BeginAsync(leader, page.End, page.RootBefore, default);
        await database.Mirror.PromoteAsync(new("cli", "jane"), "moved", default);
        page = database.ReadLog(database.LogSize, 1);
        await database.Mirror.BeginAsync(leader, page.End, page.RootBefore, default);
        var checkpoint = new EventDbx.Checkpoints.Checkpoint(database.LogOrigin, database.LogSize, database.LogRoot);
        var signer = new FakeSigner("the leader's");
        var note = EventDbx.Checkpoints.SignedNote.Of(checkpoint.Text(), [signer.Sign(checkpoint.Origin, checkpoint.Text())]);
        await database.Mirror.ApplyAsync(page with { Checkpoint = Encoding.UTF8.GetBytes(note.ToString()), CheckpointKey = signer.VerifierKey(checkpoint.Origin) }, default);
    }

    /// <summary>Every row of every family; of the thousand alike only the first and the last.</summary>
    static string Dump(MemoryEngine engine)
    {
        using var view = engine.OpenView();
        var text = new StringBuilder();
        foreach (var family in Families.All)
        {
            text.Append('[').Append(Families.NameOf(family)).Append("]\n");
            foreach (var (key, value) in view.Range(family, [], [], 5000, int.MaxValue))
            {
                var alike = family is Family.Log && key.Length == 8 && Keyspace.ReadPosition(key) is > 15 and < 1013
                    || (family is Family.Index && Keyspace.TryReadVersioned(key, out var name, out var version) && name[0] == (byte)'s' && version is > 1 and < 1000);
                if (!alike)
                    text.Append(Convert.ToHexStringLower(key)).Append(' ').Append(Convert.ToHexStringLower(value)).Append('\n');
            }
        }

        return text.ToString();
    }

    sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
