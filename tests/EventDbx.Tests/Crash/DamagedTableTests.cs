using EventDbx.Recovery;

namespace EventDbx.Tests.Crash;

/// <summary>A flipped bit in the middle of a table: RocksDB sees it when it reads that block, and not before.</summary>
[CiTier("It changes a store in every place, one after the other.")]
public sealed class DamagedTableTests
{
    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task What_lies_before_the_damaged_block_of_the_log_is_kept(bool encrypted, bool closed)
    {
        await using var live = LiveStore.Create(encrypted);
        await live.Content.AddAsync(live, rounds: 12);
        ((LiveStore.Watched)live.Database.Engine).Inner.FlushMemtables();
        using var whole = live.Image();
        if (closed)
            await Database.Open(live.Options with { Directory = whole.Path }).DisposeAsync();
        using var image = DirectoryImage.Copy(whole.Path);
        Flip(Directory.GetFiles(image.Store, "*.sst").MaxBy(static f => new FileInfo(f).Length)!);

        var kept = await Recovered.CheckAsync(image, live);

        Assert.InRange(kept, 1UL, live.Size - 1);
    }

    [Fact]
    public async Task A_damaged_block_of_an_index_costs_nothing()
    {
        await using var live = LiveStore.Create(encrypted: true);
        await live.Content.AddAsync(live, rounds: 3);
        ((LiveStore.Watched)live.Database.Engine).Inner.FlushMemtables();
        using var closed = live.Image();
        await Database.Open(live.Options with { Directory = closed.Path }).DisposeAsync();
        foreach (var table in Directory.GetFiles(closed.Store, "*.sst").OrderByDescending(static f => new FileInfo(f).Length).Skip(1).Take(3).ToList())
        {
            using var image = DirectoryImage.Copy(closed.Path);
            Flip(Path.Combine(image.Store, Path.GetFileName(table)), at: 20);
            Assert.Equal(live.Size, await Recovered.CheckAsync(image, live));
        }
    }

    static void Flip(string path, long? at = null)
    {
        using var file = File.OpenHandle(path, access: FileAccess.ReadWrite);
        var place = at ?? RandomAccess.GetLength(file) / 2;
        var one = new byte[1];
        RandomAccess.Read(file, one, place);
        one[0] ^= 0x10;
        RandomAccess.Write(file, one, place);
    }
}
