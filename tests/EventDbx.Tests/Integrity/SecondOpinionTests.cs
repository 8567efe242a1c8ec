using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using EventDbx.Events;
using EventDbx.Storage;
using EventDbx.Storage.Rows;
using EventDbx.TestKit;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Storage;
using TemporaryDirectory = EventDbx.TestKit.TemporaryDirectory;

namespace EventDbx.Tests.Integrity;

/// <summary>tools/second-opinion.cs shares no source with the engine; here it judges what the engine computes.</summary>
[CiTier("Another implementation computes it all again.")]
public sealed class SecondOpinionTests
{
    const int Entries = 10_000;

    [Fact]
    public async Task The_independent_implementation_agrees_on_ten_thousand_random_entries()
    {
        var seed = int.Parse(Environment.GetEnvironmentVariable("EVENTDBX_TEST_SEED") ?? "6962", CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        using var scratch = new TemporaryDirectory();
        using var engine = new MemoryEngine();
        using var store = new TestStore();
        await using var database = Database.OpenOn(engine, store.Options());
        var random = new Random(seed);
        await FillAsync(database, random);

        var vectors = scratch["entries.ndjson"];
        await using (var file = File.Create(vectors))
            WriteVectors(file, database);
        var (code, output) = await SecondOpinionAsync("check", vectors);

        Assert.True(code == 0, output);
        Assert.Contains("vectors agree", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_independent_implementation_agrees_with_the_vectors_of_the_documentation()
    {
        var (code, output) = await SecondOpinionAsync("check", Path.Combine(Checkout.TestData, "integrity.vectors.ndjson"));

        Assert.True(code == 0, output);
    }

    [Fact]
    public async Task The_independent_implementation_agrees_with_the_public_proofs()
    {
        var (code, output) = await SecondOpinionAsync("corpus", TestData.Folder("rfc6962-proofs/testdata"));

        Assert.True(code == 0, output);
    }

    [Fact]
    public async Task It_can_disagree()
    {
        using var scratch = new TemporaryDirectory();
        var lines = await File.ReadAllLinesAsync(Path.Combine(Checkout.TestData, "integrity.vectors.ndjson"));
        lines[0] = lines[0].Replace("\"version\": 1,", "\"version\": 2,", StringComparison.Ordinal).Replace("\"version\":1,", "\"version\":2,", StringComparison.Ordinal);
        var (code, output) = await SecondOpinionAsync("check", scratch.Write("wrong.ndjson", string.Join('\n', lines)));

        Assert.True(code == 3, output);
    }

    static async Task FillAsync(Database database, Random random)
    {
        string[] alphabet = ["a", "é", "漢", "😀", "\\u0041", " ", "\\n", "0"];
        var sessions = new[] { database.OpenSession(), database.OpenSession(new Actor("ops", "jörg")), database.OpenSession(new Actor("a", "b")) };
        while (database.LogSize < Entries)
        {
            var aggregate = AggregateKey.Create($"type {random.Next(3)}", $"id/{random.Next(60)}");
            var session = sessions[random.Next(sessions.Length)];
            var text = string.Concat(Enumerable.Range(0, random.Next(12)).Select(_ => alphabet[random.Next(alphabet.Length)]));
            try
            {
                if (random.Next(40) == 0)
                    await session.ArchiveAsync(aggregate, text, default);
                else if (random.Next(10) == 0)
                    await session.RestoreAsync(aggregate, null, default);
                else if (random.Next(200) == 0)
                    await session.CreateAsync(AggregateKey.Create("made", $"{random.Next()}"), null, default);
                else
                    await session.AppendBatchAsync([.. Enumerable.Range(0, 1 + random.Next(40)).Select(i => TestStore.Draft(
                        aggregate, random.Next(3) switch { 0 => $"{random.Next()}.50", 1 => $$"""{"{{text}}":"{{text}}","i":[{{i}},null]}""", _ => "null" }, $"did-{random.Next(5)}é")
                        with { Note = random.Next(3) == 0 ? $"n{i}" : null, EventId = random.Next(2) == 0 ? Guid.CreateVersion7() : null })], default);
            }
            catch (RefusedException refused) when (refused.Refusal.Code is RefusalCode.Archived or RefusalCode.NotFound)
            {
                // Random walks meet closed doors.
            }
        }
    }

    static void WriteVectors(Stream target, Database database)
    {
        using var view = database.Engine.OpenView();
        using var reader = database.OpenReader();
        var leaves = new List<string>();
        var histories = new Dictionary<AggregateKey, List<EventRecord>>();
        using var lines = new StreamWriter(target, new UTF8Encoding(false), leaveOpen: true);
        for (ulong after = 0; reader.Entries(after, database.LogSize, 1000, int.MaxValue, new EventDbx.Reading.FeedFilter { IncludeControl = true }, EventDbx.Reading.Sight.OfEverything) is { Items.Count: > 0 } page; after = page.ReachedPosition)
        {
            foreach (var item in page.Items)
            {
                leaves.Add((item.Event?.Hash ?? item.Control!.Hash).ToString());
                if (item.Event is { } record)
                    (histories.TryGetValue(record.Aggregate, out var list) ? list : histories[record.Aggregate] = []).Add(record);
                else
                    lines.WriteLine(Control(item.Control!, EntryRow.TryRead(Checked.Get(view, Family.Log, Keyspace.Position(item.Position))!.Value)!));
            }
        }

        foreach (var (aggregate, records) in histories)
            lines.WriteLine(History(aggregate, records));
        lines.WriteLine($$"""{"kind":"log","leaves":["{{string.Join("\",\"", leaves)}}"],"size":{{database.LogSize}},"root":"{{database.LogRoot}}"}""");
    }

    static string Control(ControlRecord record, EntryRow row) =>
        $$"""{"kind":"control","control_kind":{{Text(record.Kind)}},"subject":{{Text(record.Subject)}},"time":{{record.CreatedAt.Ticks100ns}},"actor":{{Of(record.Actor)}},"body":"{{Hex(record.Body)}}","salt":"{{Hex(row.Salt)}}","hash":"{{record.Hash}}"}""";

    static string History(AggregateKey aggregate, List<EventRecord> records) =>
        $$"""{"kind":"history","aggregate_type":{{Text(aggregate.Type)}},"aggregate_id":{{Text(aggregate.Id)}},"events":[{{string.Join(',', records.Select(r =>
            $$"""{"version":{{r.Version}},"event_type":{{Text(r.EventType)}},"event_id":"{{r.EventId}}","created_at":{{r.CreatedAt.Ticks100ns}},"actor":{{Of(r.Actor)}},"note":{{(r.Note is null ? "null" : Text(r.Note))}},"payload":"{{Hex(r.Payload)}}","salt":"{{Hex(r.Salt)}}","hash":"{{r.Hash}}","merkle_root":"{{r.MerkleRoot}}"}"""))}}]}""";

    static string Of(Actor? actor) => actor is null ? "null" : $$"""{"group":{{Text(actor.Group)}},"user":{{Text(actor.User)}}}""";

    static string Text(string text) => JsonSerializer.Serialize(text);

    static string Hex(ReadOnlyMemory<byte> bytes) => Convert.ToHexStringLower(bytes.Span);

    static async Task<(int Code, string Output)> SecondOpinionAsync(params string[] arguments)
    {
        var dotnet = Environment.ProcessPath is { } self && Path.GetFileNameWithoutExtension(self) == "dotnet" ? self
            : Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root && File.Exists(Path.Combine(root, "dotnet")) ? Path.Combine(root, "dotnet") : "dotnet";
        using var process = Process.Start(new ProcessStartInfo(dotnet, ["run", Path.Combine(Checkout.Root, "tools", "second-opinion.cs"), "--", .. arguments])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Checkout.Root,
        })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }
}
