using System.Buffers;
using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Events;
using EventDbx.Transfer;

namespace EventDbx.Verifier.Tests;

/// <summary>What the engine hands out, judged by the program: the two were written from the same pages and share no source.</summary>
public sealed class EngineTests : IAsyncDisposable
{
    static readonly AggregateKey Order = AggregateKey.Create("order", "o-1");
    static readonly AggregateKey Odd = AggregateKey.Create("käufer", "東京/\"1\"");

    readonly TemporaryDirectory _files = new();
    readonly Database _database;

    public EngineTests() => _database = Database.Open(new()
    {
        Directory = _files["store"], Encrypted = false, Signer = () => new ModelSigner(), LogOrigin = "example.com/shop",
    });

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        _files.Dispose();
    }

    [Fact]
    public async Task Receipts_proofs_checkpoints_and_evidence_of_the_engine_are_proven()
    {
        var session = _database.OpenSession(new Actor("cli", "jörg"));
        await session.CreateAsync(AggregateKey.Create("order", "empty"), "made", default);
        for (var i = 0; i < 300; i++)
        {
            await session.AppendAsync(new()
            {
                Aggregate = i % 3 == 0 ? Odd : Order, EventType = "placed", Note = i % 5 == 0 ? "" : i % 5 == 1 ? "☎ \u0001" : null,
                Payload = Encoding.UTF8.GetBytes(i % 2 == 0 ? $$""" { "n" : {{i}}.50 , "t" : "é \u00e9 \\ 😀" } """ : "null"),
            }, default);
            if (i == 120)
                _files.Write("old.checkpoint", (await session.ReadCheckpointAsync(_database.LogSize, default)).ToString());
        }

        await session.ArchiveAsync(Order, "done", default);
        var note = await session.ReadCheckpointAsync(_database.LogSize, default);
        _files.Write("new.checkpoint", note.ToString());
        _files.Write("log.vkey", session.ReadLogKey());
        Assert.True(EventDbx.Checkpoints.Checkpoint.TryParse(note.Text, out var checkpoint));
        var old = Notes.Checkpoint.Parse(await File.ReadAllBytesAsync(_files["old.checkpoint"]), "The checkpoint");

        await ProvesAsync("log", "new.checkpoint");
        foreach (var (version, size) in new (ulong, ulong?)[] { (1, null), (77, null), (77, 100), (200, 200) })
        {
            var receipt = await session.ProveEventAsync(Order, version, size, default);
            Write("receipt.json", output => ProofJson.Write(output, receipt));
            await ProvesAsync("event", "receipt.json");
        }

        var odd = await session.ProveEventAsync(Odd, 100, null, default);
        Write("receipt.json", output => ProofJson.Write(output, odd));
        await ProvesAsync("event", "receipt.json");

        var aggregate = await session.ProveAggregateAsync(Order, 7, 200, default);
        Write("aggregate.json", output => ProofJson.Write(output, aggregate));
        var said = await VerifierProgram.RunAsync(_files.Path, "aggregate", "aggregate.json", "--from-root", aggregate.From.Root.ToString());
        Assert.True(said.Exit == 0, said.Output + said.Error);

        Write("proof.json", output => ProofJson.Write(output, session.ProveLog(old.Size, checkpoint.Size)));
        await ProvesAsync("consistency", "old.checkpoint", "new.checkpoint", "proof.json");

        foreach (var request in new EvidenceRequest[] { new() { Since = old.Size }, new() { Aggregates = [Odd] }, new() { WholeLog = true, Since = old.Size } })
        {
            using var reading = await session.OpenEvidenceAsync(request, default);
            await EvidenceExport.ToFileAsync(_files["bundle.ndjson"], reading, null, default);
            await ProvesAsync([.. (string[])["bundle", "bundle.ndjson"], .. request.Since is null ? (string[])[] : ["--since", "old.checkpoint"]]);
            File.Delete(_files["bundle.ndjson"]);
        }
    }

    [Fact]
    public async Task Tiles_of_the_engine_are_a_mirror()
    {
        var session = _database.OpenSession();
        for (var batch = 0; batch < 3; batch++)
        {
            await session.AppendBatchAsync([.. Enumerable.Range(0, 250).Select(i => new EventDraft
            {
                Aggregate = AggregateKey.Create("order", $"o-{i % 50}"), EventType = "placed", Payload = "{}"u8.ToArray(),
            })], default);
        }

        _files.Write("log.vkey", session.ReadLogKey());
        var note = await session.ReadCheckpointAsync(_database.LogSize, default);
        Assert.True(EventDbx.Checkpoints.Checkpoint.TryParse(note.Text, out var checkpoint));
        _files.Write("mirror/checkpoint", note.ToString());
        foreach (var (level, name, width) in new[] { (0, "000", 256), (0, "001", 256), (0, "002", (int)(checkpoint.Size % 256)), (1, "000", 2) })
        {
            var file = $"mirror/tile/{level}/{name}{(width == 256 ? "" : $".p/{width}")}";
            _files.Write(file, "");
            await File.WriteAllBytesAsync(_files[file], session.ReadTile(level, ulong.Parse(name, System.Globalization.CultureInfo.InvariantCulture), width));
        }

        await ProvesAsync("log", "mirror");
    }

    void Write(string name, Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        File.WriteAllBytes(_files[name], output.WrittenSpan);
    }

    async Task ProvesAsync(params string[] arguments)
    {
        var (exit, output, error) = await VerifierProgram.RunAsync(_files.Path, [.. arguments, "--key", "@log.vkey"]);

        Assert.True(exit == 0, $"{string.Join(' ', arguments)}\n{output}{error}");
    }

    /// <summary>The key of the model as the engine wants it.</summary>
    sealed class ModelSigner : ICheckpointSigner
    {
        public string VerifierKey(string keyName) => new ModelKey(keyName, "the engine's").Vkey;

        public NoteSignature Sign(string keyName, string text)
        {
            Assert.True(SignedNote.TryParseLines(new ModelKey(keyName, "the engine's").Sign(text), out var signatures));
            return signatures[0];
        }

        public bool Verifies(string keyName, SignedNote note) =>
            note.ToString() == note.Text + "\n" + new ModelKey(keyName, "the engine's").Sign(note.Text);
    }
}
