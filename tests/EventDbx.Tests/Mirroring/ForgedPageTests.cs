using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Mirroring;

/// <summary>A page that is not what the leader has: refused by name, and nothing of it written.</summary>
public sealed class ForgedPageTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_page_with_any_member_of_any_entry_changed_is_refused_and_nothing_is_written(bool encrypted)
    {
        await using var pair = Pair.Open(encrypted, encrypted);
        var page = await PageAsync(pair);
        var tried = 0;
        for (var i = 0; i < page.Entries.Count; i++)
        {
            foreach (var (what, row) in Changes(page.Entries[i].Row))
            {
                await RefusedAsync(pair, With(page, entries => entries[i] = page.Entries[i] with { Row = row }), $"{what} of entry {i + 1}");
                tried++;
            }
        }

        Assert.True(tried > 60);
        Assert.Equal(page.Entries.Count, await pair.Mirror.Mirror.ApplyAsync(page, default));
        Following.AssertSame(pair.Leader, pair.Mirror);
    }

    /// <summary>Each field of an event with one bit changed, and one byte longer; of a control entry, any byte.</summary>
    static IEnumerable<(string What, byte[] Row)> Changes(ReadOnlyMemory<byte> row)
    {
        if (EntryRow.TryRead(row)!.IsControl)
        {
            for (var at = 0; at < row.Length; at += 3)
                yield return ($"byte {at}", Flipped(row, at));
            yield break;
        }

        // No hash binds the fingerprint of a patch, nor whether an id was the client's: they are the session's word.
        var at2 = 0;
        foreach (var part in EntryParts.Of(row.Span).Parts)
        {
            var content = at2 + part.PrefixBytes;
            at2 = content + part.Content.Length;
            if (part.Name.Contains("fingerprint", StringComparison.Ordinal) || part.Content.Length == 0)
                continue;
            yield return (part.Name, Flipped(row, part.Name == "format and flags" ? content : content + part.Content.Length - 1));
        }
    }

    static byte[] Flipped(ReadOnlyMemory<byte> row, int at)
    {
        var changed = row.ToArray();
        changed[at] ^= 1;
        return changed;
    }

    [Fact]
    public async Task A_page_that_misses_doubles_swaps_or_cuts_entries_is_refused_and_nothing_is_written()
    {
        await using var pair = Pair.Open();
        var page = await PageAsync(pair);
        var batch = page.Entries.Select(static (entry, i) => (Row: EntryRow.TryRead(entry.Row)!, At: i)).First(static entry => entry.Row.BatchIndex == 1).At;

        for (var i = 0; i < page.Entries.Count; i++)
        {
            var at = i;
            await RefusedAsync(pair, With(page, entries => entries.RemoveAt(at)), $"without entry {i + 1}");
            await RefusedAsync(pair, With(page, entries => entries.Insert(at, entries[at])), $"entry {i + 1} twice");
            if (i > 0)
                await RefusedAsync(pair, With(page, entries => (entries[at - 1], entries[at]) = (entries[at], entries[at - 1])), $"entries {i} and {i + 1} swapped");
        }

        // With the root that belongs to so many entries: only the batch is cut.
        var whole = pair.Leader.ReadLog(0, int.MaxValue);
        using (var view = pair.Leader.Engine.OpenView())
        {
            var root = new EventDbx.Reading.LogNodes(view, pair.Leader.LogSize).RootAt((ulong)batch + 1);
            var cut = With(whole, entries => entries.RemoveRange(batch + 1, entries.Count - batch - 1)) with { Root = root, Checkpoint = default };
            Assert.Contains("ends in a batch", (await RefusedAsync(pair, cut, "a cut batch")).Message, StringComparison.Ordinal);
        }

        Assert.Equal(page.Entries.Count, await pair.Mirror.Mirror.ApplyAsync(page, default));
    }

    [Fact]
    public async Task A_page_whose_roots_keys_end_or_checkpoint_are_not_those_of_the_leader_is_refused()
    {
        await using var pair = Pair.Open();
        var page = await PageAsync(pair);
        var other = Hash32.Of("another"u8);
        var origin = pair.Leader.LogOrigin;
        ReadOnlyMemory<byte> Signed(FakeSigner key, Checkpoint checkpoint) => Encoding.UTF8.GetBytes(SignedNote.Of(checkpoint.Text(), [key.Sign(checkpoint.Origin, checkpoint.Text())]).ToString());
        var stranger = new FakeSigner("a stranger's");
        var size = (ulong)page.Entries.Count;

        foreach (var (what, forged, code) in ((string, LogPage, RefusalCode)[])
        [
            ("root", page with { Root = other }, RefusalCode.IntegrityViolation),
            ("root before", page with { RootBefore = other }, RefusalCode.Diverged),
            ("root of the end", page with { End = page.End with { Root = other } }, RefusalCode.IntegrityViolation),
            ("size of the end", page with { End = page.End with { Size = size - 1 } }, RefusalCode.IntegrityViolation),
            ("epoch of the end", page with { End = page.End with { Epoch = 2 } }, RefusalCode.IntegrityViolation),
            ("epoch beyond all", page with { End = page.End with { Epoch = uint.MaxValue } }, RefusalCode.IntegrityViolation),
            ("epoch of nobody", page with { End = page.End with { Epoch = 0 } }, RefusalCode.Diverged),
            ("database", page with { End = page.End with { DatabaseId = Guid.CreateVersion7() } }, RefusalCode.InvalidArgument),
            ("a gap", page with { After = 1 }, RefusalCode.InvalidArgument),
            ("no key", With(page, static entries => entries[0] = entries[0] with { AggregateKey = default }), RefusalCode.IntegrityViolation),
            ("half a key", With(page, static entries => entries[0] = entries[0] with { AggregateKey = entries[0].AggregateKey[..16] }), RefusalCode.IntegrityViolation),
            ("another key", With(page, static entries => entries[0] = entries[0] with { AggregateKey = new byte[32] }), RefusalCode.IntegrityViolation),
            ("another key later", With(page, static entries => entries[1] = entries[1] with { AggregateKey = new byte[32] }), RefusalCode.IntegrityViolation),
            ("no checkpoint at all", page with { Checkpoint = "nothing"u8.ToArray() }, RefusalCode.IntegrityViolation),
            ("checkpoint of another root", page with { Checkpoint = Signed(pair.LeaderKey, new(origin, 2, other)) }, RefusalCode.IntegrityViolation),
            ("checkpoint beyond the page", page with { Checkpoint = Signed(pair.LeaderKey, new(origin, size + 1, page.Root)) }, RefusalCode.IntegrityViolation),
            ("checkpoint of nothing", page with { Checkpoint = Signed(pair.LeaderKey, new(origin, 0, Hash32.Empty)) }, RefusalCode.IntegrityViolation),
            ("checkpoint of a later epoch", page with { Checkpoint = Signed(pair.LeaderKey, new(origin + "/e2", size, page.Root)) }, RefusalCode.IntegrityViolation),
            ("checkpoint of a stranger", page with { Checkpoint = Signed(stranger, new(origin, size, page.Root)) }, RefusalCode.IntegrityViolation),
            ("checkpoint without a key", page with { CheckpointKey = "" }, RefusalCode.IntegrityViolation),
        ])
        {
            Assert.Equal((what, code), (what, (await RefusedAsync(pair, forged, what)).Code));
        }

        await pair.Mirror.Mirror.ApplyAsync(page, default);
        Assert.Equal(pair.LeaderKey.VerifierKey(origin), pair.Mirror.Mirror.State!.CheckpointKey);
    }

    [Fact]
    public async Task Within_an_epoch_the_first_key_of_the_leaders_checkpoints_is_the_only_one()
    {
        await using var pair = Pair.Open();
        var page = await PageAsync(pair);
        await pair.Mirror.Mirror.ApplyAsync(page, default);
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var next = pair.Leader.ReadLog(pair.Mirror.LogSize, int.MaxValue);
        var checkpoint = new Checkpoint(pair.Leader.LogOrigin, next.End.Size, next.Root);
        var note = SignedNote.Of(checkpoint.Text(), [pair.MirrorKey.Sign(checkpoint.Origin, checkpoint.Text())]);

        var refused = await RefusedAsync(
            pair, next with { Checkpoint = Encoding.UTF8.GetBytes(note.ToString()), CheckpointKey = pair.MirrorKey.VerifierKey(checkpoint.Origin) }, "another key");

        Assert.Equal(RefusalCode.IntegrityViolation, refused.Code);
        Assert.Contains("before it were", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, await pair.Mirror.Mirror.ApplyAsync(next, default));
    }

    [Fact]
    public async Task A_page_of_a_history_that_has_parted_is_refused_as_that()
    {
        await using var pair = Pair.Open();
        await PageAsync(pair);
        await pair.Mirror.FollowAsync(pair.Leader);
        using var image = Crash.DirectoryImage.Copy(pair.LeaderOptions.Directory);
        await using var other = Database.Open(pair.LeaderOptions with { Directory = image.Path });
        foreach (var database in (Database[])[pair.Leader, other])
        {
            for (var i = 0; i < 3; i++)
                await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"n-{i}")), default);
        }

        await pair.Mirror.FollowAsync(pair.Leader);

        var size = pair.Mirror.LogSize;
        // What is there already, a part of it and more, and nothing but more.
        foreach (var after in (ulong[])[size - 3, size - 1])
            Assert.Equal(RefusalCode.Diverged, (await RefusedAsync(pair, other.ReadLog(after, int.MaxValue), $"after {after}")).Code);
        await other.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "n-9")), default);
        Assert.Equal(RefusalCode.Diverged, (await RefusedAsync(pair, other.ReadLog(size, int.MaxValue), "more")).Code);
        Assert.Equal(0, await pair.Mirror.Mirror.ApplyAsync(pair.Leader.ReadLog(size - 2, int.MaxValue), default));
    }

    /// <summary>A mirror that has begun, and the whole of a small leader with a batch, a lifecycle, a schema and a checkpoint.</summary>
    static async Task<LogPage> PageAsync(Pair pair)
    {
        var session = pair.Leader.OpenSession(new("staff", "jo"));
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()) with { Note = "first", EventId = Guid.CreateVersion7() }, default);
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await session.AppendBatchAsync([TestStore.Draft(TestStore.Aggregate()), TestStore.Draft(TestStore.Aggregate("order", "o-2")), TestStore.Draft(TestStore.Aggregate("order", "o-2"))], default);
        await session.CreateAsync(TestStore.Aggregate("order", "empty"), "later", default);
        await session.ChangeSchemaAsync("order", [EventDbx.Schemas.SchemaEdit.Create(["placed"], 3)], default);
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "empty")), default);
        await session.ArchiveAsync(TestStore.Aggregate("order", "o-2"), "done", default);
        await session.ReadCheckpointAsync(0, default);
        await pair.Mirror.BeginAsync(pair.Leader);
        return pair.Leader.ReadLog(0, int.MaxValue);
    }

    static LogPage With(LogPage page, Action<List<LogEntryRow>> change)
    {
        List<LogEntryRow> entries = [.. page.Entries];
        change(entries);
        return page with { Entries = entries };
    }

    static async Task<Refusal> RefusedAsync(Pair pair, LogPage page, string what)
    {
        var (size, root, state) = (pair.Mirror.LogSize, pair.Mirror.LogRoot, pair.Mirror.Mirror.State!.CheckpointSize);
        var rows = Families.All.Sum(family => RawRows.All(pair.Mirror.Engine, family).Count);
        try
        {
            await pair.Mirror.Mirror.ApplyAsync(page, default);
        }
        catch (RefusedException refused)
        {
            Assert.Equal((size, root, state), (pair.Mirror.LogSize, pair.Mirror.LogRoot, pair.Mirror.Mirror.State!.CheckpointSize));
            Assert.Equal(rows, Families.All.Sum(family => RawRows.All(pair.Mirror.Engine, family).Count));
            return refused.Refusal;
        }

        throw new Xunit.Sdk.XunitException($"A page was taken that is not the leader's: {what}.");
    }
}
