using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Storage;

namespace EventDbx.Tests.Integrity;

/// <summary>Nodes, paths and tiles read back from a store, against the tree that the same leaves make in memory.</summary>
public sealed class LogNodesTests
{
    /// <summary>Two levels of tiles beside the leaves, and an unfinished one on each.</summary>
    const int LongLog = 65_536 + (3 * 256) + 77;

    [Fact]
    public async Task Every_inclusion_and_consistency_path_of_a_log_is_the_one_of_the_model()
    {
        using var engine = new MemoryEngine();
        var leaves = await FillAsync(engine, events: 600);
        using var view = engine.OpenView();
        var cache = new TileCache(2);
        var random = new Random(7);
        for (var i = 0; i < 150; i++)
        {
            var size = random.Next(1, leaves.Length + 1);
            var (index, first) = (random.Next(size), random.Next(1, size + 1));
            var nodes = new LogNodes(view, Committed(leaves, size), cache);

            Assert.Equal(MerkleModel.AsHashes(MerkleModel.Inclusion(index, leaves.AsSpan(0, size))), nodes.Path(ProofPath.Inclusion((ulong)index, (ulong)size)));
            Assert.Equal(MerkleModel.AsHashes(MerkleModel.Consistency(first, leaves.AsSpan(0, size))), nodes.Path(ProofPath.Consistency((ulong)first, (ulong)size)));
            Assert.Equal(Hash32.Read(MerkleModel.Root(leaves.AsSpan(0, size))), nodes.RootAt((ulong)size));
        }
    }

    [Fact]
    public void Paths_through_several_levels_of_tiles_hold()
    {
        using var engine = new MemoryEngine();
        var (leaves, roots) = FillWithControl(engine, LongLog);
        using var view = engine.OpenView();
        var nodes = new LogNodes(view, new TreePoint(LongLog, roots[LongLog]), new TileCache());
        var random = new Random(11);
        ulong[] edges = [0, 255, 256, 65_535, 65_536, LongLog - 1];
        foreach (var index in edges.Concat(Enumerable.Range(0, 200).Select(_ => (ulong)random.Next(LongLog))))
        {
            Assert.True(MerkleProof.Includes(index, LongLog, leaves[index], roots[LongLog], nodes.Path(ProofPath.Inclusion(index, LongLog))));
            Assert.True(MerkleProof.Extends(index + 1, LongLog, roots[index + 1], roots[LongLog], nodes.Path(ProofPath.Consistency(index + 1, LongLog))));
            Assert.Equal(roots[index + 1], nodes.RootAt(index + 1));
        }
    }

    [Fact]
    public void A_tile_has_the_hashes_of_its_level_and_a_log_has_no_tile_beyond_its_end()
    {
        using var engine = new MemoryEngine();
        var (leaves, _) = FillWithControl(engine, LongLog);
        using var view = engine.OpenView();
        var nodes = new LogNodes(view, LongLog);

        Assert.Equal(Bytes(leaves.AsSpan(0, 256)), nodes.Tile(0, 0, 256));
        Assert.Equal(Bytes(leaves.AsSpan(256, 44)), nodes.Tile(0, 1, 44));
        Assert.Equal(Bytes(leaves.AsSpan(LongLog - 77)), nodes.Tile(0, LongLog / 256, 77));
        Assert.Equal(Bytes([.. Enumerable.Range(0, 256).Select(i => Root(leaves.AsSpan(i * 256, 256)))]), nodes.Tile(1, 0, 256));
        Assert.Equal(Bytes([Root(leaves.AsSpan(0, 65_536))]), nodes.Tile(2, 0, 1));

        Assert.Null(nodes.Tile(0, LongLog / 256, 78));
        Assert.Null(nodes.Tile(0, (LongLog / 256) + 1, 1));
        Assert.Null(nodes.Tile(2, 0, 2));
        Assert.Null(nodes.Tile(3, 0, 1));
        Assert.Null(nodes.Tile(0, 0, 0));
        Assert.Null(nodes.Tile(0, 0, 257));
        Assert.Null(nodes.Tile(-1, 0, 1));
        Assert.Null(nodes.Tile(8, 0, 1));
        Assert.Null(nodes.Tile(0, ulong.MaxValue, 1));
    }

    [Fact]
    public async Task A_log_that_grew_since_gives_the_same_old_tiles_and_whole_new_ones()
    {
        using var engine = new MemoryEngine();
        var cache = new TileCache();
        var leaves = await FillAsync(engine, events: 300);
        using (var view = engine.OpenView())
            Assert.Equal(44, new LogNodes(view, Committed(leaves, 300), cache).Tile(0, 1, 44)!.Length / Hash32.Length);
        var more = await FillAsync(engine, events: 300);
        using (var view = engine.OpenView())
        {
            Assert.Equal(Bytes(MerkleModel.AsHashes(more[256..512])), new LogNodes(view, Committed(more, 600), cache).Tile(0, 1, 256));
            Assert.Equal(Bytes(MerkleModel.AsHashes(leaves[256..])), new LogNodes(view, Committed(more, 600), cache).Tile(0, 1, 44));
        }
    }

    [Theory]
    [InlineData(7UL, "Tile 0 of level 0 of the log tree hashes to")]
    [InlineData(599UL, "The first 600 entries are stored with root")]
    public async Task A_tile_that_does_not_lead_to_the_root_that_was_committed_is_not_given_out_and_not_remembered(ulong version, string says)
    {
        using var engine = new MemoryEngine();
        var leaves = await FillAsync(engine, events: 600);
        var committed = Committed(leaves, 600);
        var cache = new TileCache();
        var key = Keyspace.Versioned(TestStore.Aggregate(), version);
        byte[] kept;
        using (var view = engine.OpenView())
            kept = Checked.Get(view, Family.Index, key)!.Value.ToArray();
        Assert.True(IndexRow.TryRead(kept, out var index));
        var forged = new byte[IndexRow.EncodedBytes];
        (index with { Leaf = Hash32.Empty }).Write(forged);
        engine.Commit(new Row(key, forged), sync: true);
        var (tile, width) = ((version - 1) / 256, version > 512 ? 88 : 256);
        using (var view = engine.OpenView())
        {
            var refusal = Answers.RefusalOf(() => new LogNodes(view, committed, cache).Tile(0, tile, width));
            Assert.Equal(RefusalCode.IntegrityViolation, refusal.Code);
            Assert.StartsWith(says, refusal.Message, StringComparison.Ordinal);
            Assert.Equal(RefusalCode.IntegrityViolation, Answers.RefusalOf(() => new LogNodes(view, committed, cache).Path(ProofPath.Inclusion(version - 1, 600))).Code);
            Assert.Equal(Bytes(MerkleModel.AsHashes(leaves[256..512])), new LogNodes(view, committed with { Size = 512, Root = Committed(leaves, 512).Root }, cache).Tile(0, 1, 256));
        }

        engine.Commit(new Row(key, kept), sync: true);
        using (var view = engine.OpenView())
            Assert.Equal(Bytes(MerkleModel.AsHashes(leaves[(int)(tile * 256)..(int)((tile * 256) + (ulong)width)])), new LogNodes(view, committed, cache).Tile(0, tile, width));
    }

    static TreePoint Committed(byte[][] leaves, int size) => new((ulong)size, Hash32.Read(MerkleModel.Root(leaves.AsSpan(0, size))));

    sealed class Row(byte[] key, byte[] body) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            Checked.Put(plan, Family.Index, key, body);
            plan.BaseLogSize = plan.LogSize = LogTreeStore.Load(view).Size;
        }

        public void Forget()
        {
        }
    }

    [Fact]
    public async Task Paths_of_an_aggregate_are_streamed_from_its_index_and_agree_with_the_model()
    {
        using var engine = new MemoryEngine();
        var leaves = await FillAsync(engine, events: 450);
        using var view = engine.OpenView();
        foreach (var (index, size) in new[] { (0, 450), (449, 450), (255, 450), (256, 257), (0, 1), (100, 449) })
        {
            var path = AggregateNodes.Path(view, TestStore.Aggregate(), ProofPath.Inclusion((ulong)index, (ulong)size), default);
            Assert.Equal(MerkleModel.AsHashes(MerkleModel.Inclusion(index, leaves.AsSpan(0, size))), path);
        }

        foreach (var (first, size) in new[] { (1, 450), (256, 450), (449, 450), (450, 450), (300, 301) })
        {
            var path = AggregateNodes.Path(view, TestStore.Aggregate(), ProofPath.Consistency((ulong)first, (ulong)size), default);
            Assert.Equal(MerkleModel.AsHashes(MerkleModel.Consistency(first, leaves.AsSpan(0, size))), path);
        }
    }

    [Fact]
    public async Task A_row_that_is_missing_from_the_index_is_named_and_no_path_is_made()
    {
        using var engine = new MemoryEngine();
        await FillAsync(engine, events: 30);
        engine.Commit(new Removal(Keyspace.Versioned(TestStore.Aggregate(), 7)), sync: true);
        using var view = engine.OpenView();

        var ofAggregate = Answers.RefusalOf(() => AggregateNodes.Path(view, TestStore.Aggregate(), ProofPath.Inclusion(29, 30), default));
        var ofLog = Answers.RefusalOf(() => new LogNodes(view, 30).RootAt(30));

        Assert.Equal(RefusalCode.IntegrityViolation, ofAggregate.Code);
        Assert.Contains("Version 7 of order/o-1", ofAggregate.Message, StringComparison.Ordinal);
        Assert.Equal(RefusalCode.IntegrityViolation, ofLog.Code);
        Assert.Contains("version 7", ofLog.Message, StringComparison.Ordinal);
    }

    /// <summary>One aggregate's events and nothing else, so that its leaves are those of the log; all leaves by now.</summary>
    static async Task<byte[][]> FillAsync(MemoryEngine engine, int events)
    {
        await using var database = Database.OpenOn(engine, new() { Directory = "", Encrypted = false });
        var session = database.OpenSession();
        for (var done = 0; done < events; done += 150)
            await session.AppendBatchAsync([.. Enumerable.Range(0, Math.Min(150, events - done)).Select(_ => TestStore.Draft(TestStore.Aggregate()))], default);
        var leaves = new List<byte[]>();
        for (var page = session.ReadFeed(0, 1000, includeControl: true); page.Items.Count > 0; page = session.ReadFeed(page.ReachedPosition, 1000, includeControl: true))
            leaves.AddRange(page.Items.Select(item => Bytes([item.Event!.Hash])));
        return [.. leaves];
    }

    /// <summary>A log of control entries, written past the database: leaves, and the root at every size.</summary>
    static (Hash32[] Leaves, Hash32[] Roots) FillWithControl(MemoryEngine engine, int entries)
    {
        var filler = new Filler(entries);
        engine.Commit(filler, sync: true);
        return (filler.Leaves, filler.Roots);
    }

    static byte[] Bytes(ReadOnlySpan<Hash32> hashes)
    {
        var bytes = new byte[hashes.Length * Hash32.Length];
        for (var i = 0; i < hashes.Length; i++)
            hashes[i].Write(bytes.AsSpan(i * Hash32.Length));
        return bytes;
    }

    static Hash32 Root(ReadOnlySpan<Hash32> leaves)
    {
        var tree = new MerkleTree();
        foreach (var leaf in leaves)
            tree.Append(leaf);
        return tree.Root();
    }

    sealed class Filler(int entries) : IGroupPlanner
    {
        public Hash32[] Leaves { get; } = new Hash32[entries];

        public Hash32[] Roots { get; } = new Hash32[entries + 1];

        public void Plan(IStorageView view, WritePlan plan)
        {
            var log = new LogTree(new());
            for (var i = 0; i < entries; i++)
            {
                var entry = new EntryRow { Flags = EntryRow.RowFlags.Control, Type = "note", Subject = $"{i}", Body = "{}"u8.ToArray(), Salt = new byte[16] };
                var row = Checked.Open(plan, Family.Log, Keyspace.Position((ulong)i + 1), entry.EncodedBytes);
                entry.Write(row.Body);
                row.Close();
                Leaves[i] = entry.Leaf(default, default);
                log.Append(Leaves[i], plan);
                Roots[i + 1] = log.Tree.Root();
            }

            LogTreeStore.PutSize(plan, log.Tree);
            plan.LogSize = (ulong)entries;
        }

        public void Forget() { }
    }

    sealed class Removal(byte[] key) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            var size = LogTreeStore.Load(view).Size;
            (plan.BaseLogSize, plan.LogSize) = (size, size);
            plan.Delete(Family.Index, key);
        }

        public void Forget() { }
    }
}
