using EventDbx.Access;
using EventDbx.Integrity;
using EventDbx.Schemas;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Storage;

namespace EventDbx.Tests.Mirroring;

/// <summary>Writes whatever a leader may: every kind of entry, batches, refusals in between.</summary>
internal sealed class LeaderScript(Random random)
{
    static readonly AggregateKey[] Names =
        [.. Enumerable.Range(1, 4).Select(static i => AggregateKey.Create("order", $"o-{i}")), AggregateKey.Create("käufer", "東京/1"), AggregateKey.Create("plain", "a%b")];

    static readonly Guid[] Ids = [.. Enumerable.Range(1, 40).Select(static i => new Guid(i, 7, 0x7000, 0x80, 1, 2, 3, 4, 5, 6, 7))];

    readonly Lazy<MemoryEngine> _elsewhere = new(static () => new());
    int _written;

    /// <summary>Every kind once, then as chance has it.</summary>
    public async Task RunAsync(Database database, int steps)
    {
        for (var i = 0; i < steps; i++)
        {
            try
            {
                await StepAsync(database, i < Kinds ? i : random.Next(Kinds + 8));
            }
            catch (RefusedException refused) when (refused.Refusal.Code is not (RefusalCode.IntegrityViolation or RefusalCode.Unavailable))
            {
                // An aggregate that is archived, or not there: nothing is written.
            }
        }
    }

    const int Kinds = 15;

    Task StepAsync(Database database, int kind)
    {
        var session = database.OpenSession(new("staff", $"user-{random.Next(3)}"));
        var name = Names[random.Next(Names.Length)];
        return kind switch
        {
            0 => session.CreateAsync(AggregateKey.Create("order", $"empty-{random.Next(3)}"), "for later", default),
            1 => session.AppendBatchAsync([.. Enumerable.Range(0, random.Next(2, 6)).Select(_ => Draft(Names[random.Next(3)]))], default),
            2 => session.AppendAsync(Draft(Names[0]) with { Payload = default, Patch = Encoding.UTF8.GetBytes($$"""[{"op":"add","path":"/patched","value":{{random.Next(9)}}}]"""), EventId = Id() }, default),
            3 => session.RemoveAsync(AggregateKey.Create("order", $"empty-{random.Next(3)}"), default),
            4 => session.ArchiveAsync(name, random.Next(2) == 0 ? null : "done", default),
            5 => session.RestoreAsync(name, null, default),
            6 => session.SnapshotAsync(Names[random.Next(2)], "kept", default),
            7 => session.ChangeSchemaAsync("order", [database.Schemas.Book.Find("order") is null ? SchemaEdit.Create(["placed", "bezahlt-ß"], 3) : SchemaEdit.SetSnapshotThreshold((ulong)random.Next(2, 5))], default),
            8 => session.NoteTokenAsync(TokenChange.Issue, Ids[random.Next(Ids.Length)], "{}"u8.ToArray(), default),
            9 => ImportAsync(session),
            10 => session.NoteChangeAsync(SettingChange.Config, "config.toml", """{"keys":["x"]}"""u8.ToArray(), default),
            11 => LargeAsync(session),
            12 => StagedAsync(session),
            13 => session.ReadCheckpointAsync(0, default),
            14 => MergeAsync(session),
            _ => session.AppendAsync(Draft(name), default),
        };
    }

    Guid? Id() => random.Next(2) == 0 ? null : Ids[random.Next(Ids.Length)];

    EventDraft Draft(AggregateKey name) => TestStore.Draft(name, $$"""{"n":{{_written++}},"text":"{{new string('x', random.Next(60))}}"}""", random.Next(2) == 0 ? "placed" : "bezahlt-ß") with
    {
        EventId = Id(), Note = random.Next(3) == 0 ? "a note" : null,
    };

    async Task ImportAsync(Session session)
    {
        var version = 0UL;
        try
        {
            version = session.GetAggregate(Names[5]).Version;
        }
        catch (RefusedException)
        {
        }

        await session.ImportAsync(
            [new() { Draft = Draft(Names[5]) with { EventId = Guid.CreateVersion7() }, CreatedAt = Timestamp.From(DateTimeOffset.UtcNow), Actor = new("elsewhere", "x"), Version = version + 1 }], default);
        await session.NoteImportAsync(1, 1, 0, default);
    }

    /// <summary>Events of another database, for an aggregate that may be archived here.</summary>
    async Task MergeAsync(Session session)
    {
        var merged = AggregateKey.Create("merged", $"m-{random.Next(2)}");
        await using var elsewhere = Database.OpenOn(_elsewhere.Value, new() { Directory = "", Encrypted = false });
        await elsewhere.OpenSession(new("far", "away")).AppendBatchAsync([Draft(merged) with { EventId = null }, Draft(merged) with { EventId = Guid.CreateVersion7() }], default);
        await session.MergeAsync(elsewhere.OpenSession().GetHistory(merged, session.GetPositions(new() { Aggregates = [merged] }, null, 1).Positions is [var here] ? here.Version : 0, 0), default);
        if (random.Next(2) == 0)
            await session.ArchiveAsync(merged, "as there", default);
    }

    /// <summary>A state that outgrows its row.</summary>
    Task<AppendResult> LargeAsync(Session session) => session.AppendAsync(
        TestStore.Draft(Names[1], "{" + string.Join(',', Enumerable.Range(0, 60).Select(i => $"\"field-{i}\":\"{new string('y', 90)}{random.Next(5)}\"")) + "}"), default);

    async Task StagedAsync(Session session)
    {
        await session.StageAsync(Draft(Names[2]) with { EventId = null }, default);
        await session.StageAsync(Draft(Names[0]) with { EventId = null }, default);
        await session.CommitStagedAsync(default);
    }
}
