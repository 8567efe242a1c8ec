using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Tests.Checkpoints;

public sealed class TilePathTests
{
    [Theory]
    [InlineData("0/000", 0, 0UL, 256)]
    [InlineData("0/000.p/1", 0, 0UL, 1)]
    [InlineData("1/067.p/255", 1, 67UL, 255)]
    [InlineData("7/x001/000", 7, 1000UL, 256)]
    [InlineData("0/x001/x234/067", 0, 1234067UL, 256)]
    [InlineData("0/x018/x446/x744/x073/x709/x551/615", 0, ulong.MaxValue, 256)]
    public void A_tile_has_one_name(string name, int level, ulong index, int width)
    {
        Assert.True(TryParse(name, out var tile));
        Assert.Equal(new(level, index, width), tile);
        Assert.Equal(name, tile.ToString());
    }

    [Theory]
    [InlineData("8/000")]
    [InlineData("00/000")]
    [InlineData("-1/000")]
    [InlineData("0/0")]
    [InlineData("0/0000")]
    [InlineData("0/x000")]
    [InlineData("0/x000/001")]
    [InlineData("0/001/001")]
    [InlineData("0/X001/001")]
    [InlineData("0/x01/001")]
    [InlineData("0/00a")]
    [InlineData("0/000.p")]
    [InlineData("0/000.p/0")]
    [InlineData("0/000.p/01")]
    [InlineData("0/000.p/256")]
    [InlineData("0/000.p/-1")]
    [InlineData("0/000/1")]
    [InlineData("0/.p/1")]
    [InlineData("0/x001.p/001")]
    [InlineData("0/x018/x446/x744/x073/x709/x551/616")]
    [InlineData("0/")]
    public void Any_other_spelling_is_no_tile(string name) => Assert.False(TryParse(name, out _));

    [Theory]
    [InlineData(0UL, "")]
    [InlineData(1UL, "0/000.p/1")]
    [InlineData(256UL, "0/000 1/000.p/1")]
    [InlineData(600UL, "0/000 0/001 0/002.p/88 1/000.p/2")]
    public void A_log_of_some_size_has_these_tiles(ulong size, string names) =>
        Assert.Equal(names, string.Join(' ', TilePath.Of(size)));

    [Fact]
    public void Levels_above_hold_the_roots_of_full_tiles_below()
    {
        var tiles = TilePath.Of(65537).ToList();
        Assert.Equal(256 + 1 + 1 + 1, tiles.Count);
        Assert.Equal(["0/255", "0/256.p/1", "1/000", "2/000.p/1"], tiles.Skip(255).Select(tile => tile.ToString()));
    }

    static bool TryParse(string name, out TilePath tile)
    {
        var segments = name.Split('/');
        return TilePath.TryParse(segments[0], segments.AsSpan(1), out tile);
    }
}
