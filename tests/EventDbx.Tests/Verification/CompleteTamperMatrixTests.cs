using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage;
using EventDbx.Storage.RocksDb;
using EventDbx.Tests.Crash;

namespace EventDbx.Tests.Verification;

/// <summary>
/// The complete tamper matrix, a release gate: every place times every operation, on an encrypted and a plain store, with one verdict each.
/// The table is docs/tamper-matrix.md, written by this test.
/// </summary>
/// <param name="output">Tells the counts.</param>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class CompleteTamperMatrixTests(ITestOutputHelper output)
{
    readonly TamperTable _table = new();

    [Fact]
    public async Task No_cell_is_silent_and_the_table_in_the_docs_is_what_was_found()
    {
        foreach (var encrypted in Effort.Choose<bool[]>([true], [true, false], [true, false]))
        {
            await using var small = await TamperStore.SmallAsync(encrypted);
            await using var longer = await TamperStore.LongAsync(encrypted);
            foreach (var place in TamperPlace.All)
                await GuardAsync(place.Name, () => Rows(place.Name == "fold point" ? longer : small, place));
            await GuardAsync("events", () => Fields(small));
            await GuardAsync("twins", () => TwinsAsync(small, encrypted));
            // Nothing was left behind, so every cell stood alone.
            small.Database.OpenSession().VerifyAll(null, default);
            Assert.Equal(small.Answers, TamperAnswers.All(small.Database));
        }

        foreach (var clean in (bool[])[true, false])
            await GuardAsync("files", () => FilesAsync(clean, encrypted: true));
        await GuardAsync("documents", () => FilesAsync(clean: true, encrypted: false));
        Explain();

        output.WriteLine(_table.Summary());
        Assert.True(_table.Holes.Count == 0, string.Join('\n', _table.Holes.Take(60)));
        Assert.Empty(_table.Silent());
        // Which bits are harmless takes many flips to see: by default there are few, and only that none is silent is held.
        if (Effort.Choose(false, true, true))
            Assert.Equal(Docs(_table.Markdown()), _table.Markdown());
        else
            output.WriteLine("docs/tamper-matrix.md is held against the table by ./test --slow");
    }

    /// <summary>A fault in one place is a hole there, and says nothing of the others.</summary>
    async Task GuardAsync(string place, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (Exception cause) when (cause is not OperationCanceledException)
        {
            _table.Hole(place, "all", cause.ToString());
        }
    }

    Task Rows(TamperStore store, TamperPlace place)
    {
        _table.Begin(place.Name);
        Assert.NotEmpty(place.Rows(store, 2));
        foreach (var (operation, what, writes) in new TamperPlaceCells(store, place).All())
            Judge(store, place.Name, operation, what, writes);
        return Task.CompletedTask;
    }

    Task Fields(TamperStore store)
    {
        var fields = new TamperFieldCells(store);
        foreach (var name in fields.Names)
        {
            var place = $"event: {name}";
            _table.Begin(place);
            foreach (var (operation, writes) in fields.Of(name))
                Judge(store, place, operation, "", writes);
        }

        return Task.CompletedTask;
    }

    void Judge(TamperStore store, string place, string operation, string what, RowWrite[] writes)
    {
        var finding = store.With(writes, () => TamperMatrixTests.Judge(store));
        var reason = TamperReasons.Harmless(place, operation);
        // A wrong answer is excused where a reason says that it is none about history; any other one is a hole.
        if (finding.By is FoundBy.Read or FoundBy.Verify or FoundBy.VerifyBeforeAnyAnswer)
            _table.Add(place, operation, TamperVerdict.Found);
        else if (reason is not null && (finding.By == FoundBy.Nobody || place is "token row" or "automatic snapshot"))
            _table.Add(place, operation, TamperVerdict.Harmless, reason);
        else
            _table.Hole(place, operation, $"{what} [{string.Join(", ", writes.Select(write => Violation.Show(write.Family, write.Key)))}] {finding.Message ?? "nobody found it, and no reason says why that is harmless"}");
    }

    /// <summary>Everything computed anew after one change, the watermark too: verify passes, a checkpoint from before is no prefix.</summary>
    async Task TwinsAsync(TamperStore store, bool encrypted)
    {
        foreach (var (places, twin) in (IEnumerable<(string[], TamperTwin)>)
            [
                (["event entry", "event: sealed payload", "everything"], new() { Total = "9.99" }),
                (["event: event type"], new() { EventType = "forged" }), (["event: note"], new() { Note = "forged" }),
                (["event: actor, group", "event: actor, user"], new() { User = "joe" }), (["event: event id"], new() { EventId = 77 }),
                (["event: created_at"], new() { Late = true }), (["event: version"], new() { Dropped = true }),
                (["event: aggregate type", "event: aggregate id"], new() { Moved = true }), (["event: prev_root", "event: root"], new() { Inserted = true }),
                (["control entry"], new() { Comment = "forged" }), (["schema row"], new() { ColumnType = "text" }),
            ])
        {
            await using var other = await TamperStore.SmallAsync(encrypted, twin);
            foreach (var place in places)
                Outside(store, place, "recompute everything", other.Rows, DirectoryImage.Read(Path.Combine(other.Directory, "watermark")));
        }

        Outside(store, "everything", "put back an old value", store.OldRows, store.OldWatermark);
        // Whoever has not got the signing key cannot make the checkpoints that go with it.
        await using var unsigned = await TamperStore.SmallAsync(encrypted, new() { Total = "9.99" }, signingKey: "another key");
        Judge(store, "checkpoint", "recompute everything", "without the signing key", [.. new TamperForgeries(store, new(1)).Difference(unsigned.Rows)]);
        await using var signed = await TamperStore.SmallAsync(encrypted, new() { Total = "9.99" });
        Outside(store, "checkpoint", "recompute everything", signed.Rows, DirectoryImage.Read(Path.Combine(signed.Directory, "watermark")));
    }

    void Outside(TamperStore store, string place, string operation, Dictionary<Family, List<Row>> rows, byte[] watermark)
    {
        store.With([.. new TamperForgeries(store, new(1)).Difference(rows)], () =>
        {
            var mark = Path.Combine(store.Directory, "watermark");
            var original = DirectoryImage.Read(mark);
            try
            {
                File.WriteAllBytes(mark, watermark);
                store.Database.OpenSession().VerifyAll(null, default);
                if (IsPrefix(store.Database, store.Kept))
                    _table.Hole(place, operation, "the checkpoint kept outside is a prefix all the same");
                else
                    _table.Add(place, operation, TamperVerdict.Outside);
            }
            catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
            {
                _table.Hole(place, operation, $"was not computed anew as a whole: {refused.Message}");
            }
            finally
            {
                File.WriteAllBytes(mark, original);
            }

            return 0;
        });
    }

    /// <summary>Whether the log as it is stored continues a checkpoint: with the very proof that it would have to show.</summary>
    static bool IsPrefix(Database database, Checkpoint kept)
    {
        using var view = database.Engine.OpenView();
        var log = LogTreeStore.Load(view);
        if (log.Size < kept.Size)
            return false;
        var path = log.Size == kept.Size ? [] : new LogNodes(view, log.Size).Path(ProofPath.Consistency(kept.Size, log.Size));
        return MerkleProof.Extends(kept.Size, log.Size, kept.Root, log.Tree.Root(), path);
    }

    async Task FilesAsync(bool clean, bool encrypted)
    {
        DirectoryImage? old = null;
        await using var store = await TamperStore.SmallAsync(encrypted, beforeTheLast: early =>
        {
            var documents = early.Database.Documents;
            ((RocksDbEngine)early.Database.Engine).FlushMemtables();
            documents.TryReplace("tokens.json", "[1]"u8, documents.Read("tokens.json"));
            old = DirectoryImage.Copy(early.Directory);
            documents.TryReplace("tokens.json", "[2]"u8, documents.Read("tokens.json"));
        });
        var tokens = store.Database.Documents.Read("tokens.json").Content!;
        if (clean)
            await store.CloseAsync();
        using var original = clean ? DirectoryImage.Copy(store.Directory) : await TamperFiles.CopyOpenAsync(store.Directory);
        using (old)
        {
            // Of a plain store the documents alone are other ones.
            foreach (var cell in new TamperFileCells(original, old!, flushed: clean).All().Where(cell => encrypted || cell.Place == "tokens.json"))
            {
                var (what, detail) = await TamperFiles.JudgeAsync(
                    store, original, cell.Change,
                    database => cell.Place == "everything" ? !IsPrefix(database, store.Kept) : cell.Place == "tokens.json" && !ReadsAs(database, tokens));
                var when = clean ? "after a proper stop" : "after a kill";
                if (!encrypted)
                    _table.Add("tokens.json of a plain store", cell.Operation, TamperVerdict.Harmless, TamperReasons.PlainDocument);
                else if (cell.Place == "tokens.json")
                    _table.Add(cell.Place, cell.Operation, what == TamperOutcome.Outside ? TamperVerdict.Found : TamperVerdict.Harmless, what == TamperOutcome.Outside ? null : TamperReasons.CopiedDocument);
                else if (what is TamperOutcome.Refused or TamperOutcome.Found)
                    _table.Add(cell.Place, cell.Operation, TamperVerdict.Found);
                else if (what == TamperOutcome.Outside)
                    _table.Add(cell.Place, cell.Operation, TamperVerdict.Outside);
                else if (what == TamperOutcome.Harmless && TamperReasons.HarmlessFile(cell.Place, cell.Operation) is { } reason)
                    _table.Add(cell.Place, cell.Operation, TamperVerdict.Harmless, reason);
                else
                    _table.Hole(cell.Place, cell.Operation, $"{cell.What} {when}: {what} {detail}");
            }
        }
    }

    /// <summary>Whether the document still opens, as what it was; an older one of its name does not.</summary>
    static bool ReadsAs(Database database, byte[] content)
    {
        try
        {
            return database.Documents.Read("tokens.json").Content is { } read && read.AsSpan().SequenceEqual(content);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            return false;
        }
    }

    /// <summary>Cells in which there is nothing to change say why.</summary>
    void Explain()
    {
        foreach (var cell in _table.Silent().ToList())
        {
            var at = cell.LastIndexOf(" × ", StringComparison.Ordinal);
            var (place, operation) = (cell[..at], cell[(at + 3)..]);
            if (TamperReasons.None(place, operation) is { } reason)
                _table.Add(place, operation, TamperVerdict.None, reason);
        }
    }

    static string Docs(string actual)
    {
        var path = Path.Combine(TestKit.Checkout.Root, "docs", "tamper-matrix.md");
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
            File.WriteAllText(path, actual);
        return File.Exists(path) ? File.ReadAllText(path) : "(no docs/tamper-matrix.md; run the test with UPDATE_GOLDEN=1 and read the difference)";
    }
}
