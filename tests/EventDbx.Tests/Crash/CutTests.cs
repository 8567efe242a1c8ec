namespace EventDbx.Tests.Crash;

/// <summary>The newest write-ahead log, cut at every kind of byte, beside watermarks that cover more or less of it.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class CutTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task A_cut_above_the_watermark_opens_and_one_below_is_refused_unchanged(bool encrypted) => Effort.SeededAsync(async random =>
    {
        await using var live = LiveStore.Create(encrypted);
        await live.Content.AddAsync(live, rounds: 2);
        var rows = live.LogRows();
        var (opened, refused) = (0, 0);
        foreach (var cut in Cuts(live, random, Effort.Choose(30, 300, 20_000)))
        {
            using var image = live.Image();
            using (var wal = File.OpenHandle(image.In(live.Wal), access: FileAccess.ReadWrite))
                RandomAccess.SetLength(wal, cut);
            var whole = live.Commits.Where(c => c.WalBytes <= cut).ToList();
            ulong? left = whole.Count == 0 ? null : whole[^1].Size;
            var covered = Watermark(live, left ?? 0, random);
            await File.WriteAllBytesAsync(image.In("watermark"), live.Watermarks[covered]);
            if (left >= covered)
                await OpensAsync(image, live, rows, left.Value, again: opened++ % 8 == 0);
            else
                await RefusesAsync(image, live, left ?? 0, covered, recover: refused++ % 10 == 0);
        }

        // Where the cuts fall is drawn: of thirty some are of either kind.
        Assert.True(opened > 2 && refused > 2, $"{opened} opened, {refused} refused");
    });

    /// <summary>Each end of a commit and the bytes around it, then anywhere.</summary>
    static IEnumerable<long> Cuts(LiveStore live, Random random, int count)
    {
        var edges = live.Commits.Select(c => c.WalBytes).SelectMany(static e => (long[])[e - 1, e, e + 1]);
        var end = live.Commits[^1].WalBytes;
        var anywhere = Enumerable.Range(0, count).Select(_ => random.NextInt64(end));
        var chosen = edges.Concat(anywhere).Where(c => c <= end).Append(0).Append(end).Distinct().ToArray();
        random.Shuffle(chosen);
        return chosen.Take(count);
    }

    /// <summary>One that the cut leaves alone, one just beyond it, or any.</summary>
    static ulong Watermark(LiveStore live, ulong left, Random random)
    {
        var sizes = live.Watermarks.Keys.ToList();
        return random.Next(4) switch
        {
            0 => sizes.Last(s => s <= left),
            1 => sizes.Find(s => s > left) is var next and > 0 ? next : sizes[^1],
            2 => sizes[random.Next(sizes.FindLastIndex(s => s <= left) + 1)],
            _ => sizes[random.Next(sizes.Count)],
        };
    }

    static async Task OpensAsync(DirectoryImage image, LiveStore live, List<Row> rows, ulong left, bool again)
    {
        var options = live.Options with { Directory = image.Path };
        await using var database = Database.Open(options);
        Assert.Equal(left, database.LogSize);
        Assert.Equal(rows.Take((int)left), LiveStore.LogRows(database), SameRow.Instance);
        if (!again)
            return;

        // What a torn log is followed by is found again after the next kill, and the one after that.
        await live.Content.AskAsync(database, left);
        var session = database.OpenSession();
        await session.AppendAsync(Engine.TestStore.Draft(Engine.TestStore.Aggregate("after", "cut")), default);
        using var killed = DirectoryImage.Copy(image.Path);
        await using var second = Database.Open(options with { Directory = killed.Path });
        await second.OpenSession().AppendAsync(Engine.TestStore.Draft(Engine.TestStore.Aggregate("after", "cut")), default);
        using var killedAgain = DirectoryImage.Copy(killed.Path);
        await using var third = Database.Open(options with { Directory = killedAgain.Path });
        Assert.Equal(left + 2, third.LogSize);
        Assert.Equal(2UL, third.OpenSession().GetAggregate(Engine.TestStore.Aggregate("after", "cut")).Version);
        await live.Content.AskAsync(third, left);
        Assert.Equal(left + 2, third.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken).LogSize);
    }

    static async Task RefusesAsync(DirectoryImage image, LiveStore live, ulong left, ulong covered, bool recover)
    {
        var before = image.Fingerprint();

        var refused = Assert.Throws<StoreRefusedException>(() => Database.Open(live.Options with { Directory = image.Path }));

        Assert.Equal(before, image.Fingerprint());
        if (covered > 0)
            Assert.Contains($"entries {left + 1} to {covered} are missing", refused.Message, StringComparison.Ordinal);
        Assert.Contains("dbx recover", refused.Message, StringComparison.Ordinal);
        if (recover)
            Assert.Equal(left, await Recovered.CheckAsync(image, live));
    }

    sealed class SameRow : IEqualityComparer<Row>
    {
        public static SameRow Instance { get; } = new();

        public bool Equals(Row x, Row y) => x.Key.AsSpan().SequenceEqual(y.Key) && x.Value.AsSpan().SequenceEqual(y.Value);

        public int GetHashCode(Row obj) => obj.Key.Length;
    }
}
