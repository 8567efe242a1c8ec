using EventDbx.Storage;

namespace EventDbx.Tests.Storage;

public sealed class StoreInventoryTests : IDisposable
{
    readonly Scratch _scratch = new();

    string Inventory => _scratch.At("event_store.inventory");

    string Store => _scratch.At("event_store");

    public StoreInventoryTests()
    {
        Put("CURRENT", "MANIFEST-000005\n"u8);
        Put("MANIFEST-000005", Given(1, 700));
        Put("IDENTITY", "8c7e"u8);
        Put("OPTIONS-000007", "[Version]"u8);
        Put("000004.log", Given(2, 300_000));
        Put("000008.sst", Given(3, 10_000));
        Put("000009.sst", Given(4, 100));
        Put("archive/000003.log", Given(5, 50));
        Put("LOCK", []);
        Put("LOG", "2026/01/01 opened"u8);
        StoreInventory.Write(Inventory, Store, [1, 2, 3]);
    }

    [Fact]
    public void An_untouched_store_matches_and_comparing_changes_nothing()
    {
        var before = _scratch.Fingerprint();

        Assert.True(StoreInventory.Matches(Inventory, Store, out var difference), difference);

        Assert.Equal("", difference);
        Assert.Equal(before, _scratch.Fingerprint());
    }

    [Fact]
    public void The_page_is_plain_text()
    {
        var lines = File.ReadAllLines(Inventory);

        Assert.Equal("eventdbx store inventory 1", lines[0]);
        Assert.Equal("store row 010203", lines[1]);
        Assert.Matches("^whole 300000 [0-9a-f]{64} 000004\\.log$", lines[2]);
        Assert.Matches("^last 10000 [0-9a-f]{64} 000008\\.sst$", lines[3]);
        Assert.Matches("^whole 50 [0-9a-f]{64} archive%2F000003\\.log$", lines[^2]);
        Assert.Matches("^sum [0-9a-f]{64}$", lines[^1]);
        Assert.Equal(11, lines.Length);
    }

    [Theory]
    [InlineData("CURRENT", 0)]
    [InlineData("CURRENT", 15)]
    [InlineData("MANIFEST-000005", 699)]
    [InlineData("IDENTITY", 2)]
    [InlineData("OPTIONS-000007", 1)]
    [InlineData("000004.log", 0)]
    [InlineData("000004.log", 150_000)]
    [InlineData("000004.log", 299_999)]
    [InlineData("000008.sst", 9_999)]
    [InlineData("000008.sst", 10_000 - 4096)]
    [InlineData("000009.sst", 0)]
    [InlineData("archive/000003.log", 0)]
    public void One_flipped_bit_is_found(string name, int at)
    {
        _scratch.FlipBit("event_store/" + name, at, bit: 7);

        Differs($"The file \"{Uri.EscapeDataString(name)}\" is not what it was when the store was closed: it was ");
    }

    [Fact]
    public void Every_bit_of_the_manifest_is_sealed()
    {
        // Without the large files, because each comparison reads everything.
        File.Delete(Path.Combine(Store, "000004.log"));
        StoreInventory.Write(Inventory, Store, [1, 2, 3]);
        for (var bit = 0; bit < 700 * 8; bit++)
        {
            _scratch.FlipBit("event_store/MANIFEST-000005", bit / 8, bit % 8);
            Assert.False(StoreInventory.Matches(Inventory, Store, out _), $"bit {bit}");
            _scratch.FlipBit("event_store/MANIFEST-000005", bit / 8, bit % 8);
        }
    }

    [Theory]
    [InlineData("000004.log")]
    [InlineData("000008.sst")]
    [InlineData("CURRENT")]
    public void A_missing_file_is_found(string name)
    {
        File.Delete(Path.Combine(Store, name));

        Differs($"The file \"{name}\" is missing: ");
    }

    [Fact]
    public void An_added_file_is_found()
    {
        Put("000010.log", []);

        Differs("The file \"000010.log\" was not in the store ");
    }

    [Fact]
    public void A_renamed_file_is_found()
    {
        File.Move(Path.Combine(Store, "000004.log"), Path.Combine(Store, "000044.log"));

        Differs("The file \"000044.log\" was not in the store ");
    }

    [Theory]
    [InlineData("000004.log", 1)]
    [InlineData("000004.log", -1)]
    [InlineData("000008.sst", 1)]
    [InlineData("000008.sst", -1)]
    [InlineData("000009.sst", -100)]
    public void A_file_grown_or_cut_is_found(string name, int by)
    {
        using (var file = File.OpenHandle(Path.Combine(Store, name), access: FileAccess.ReadWrite))
            RandomAccess.SetLength(file, RandomAccess.GetLength(file) + by);

        Differs($"The file \"{name}\" is not what it was ");
    }

    [Fact]
    public void Two_files_that_changed_places_are_found()
    {
        Put("000010.sst", Given(6, 10_000));
        StoreInventory.Write(Inventory, Store, [1, 2, 3]);
        File.Move(Path.Combine(Store, "000008.sst"), _scratch.At("aside"));
        File.Move(Path.Combine(Store, "000010.sst"), Path.Combine(Store, "000008.sst"));
        File.Move(_scratch.At("aside"), Path.Combine(Store, "000010.sst"));

        Differs("The file \"000008.sst\" is not what it was ");
    }

    [Fact]
    public void The_blocks_of_a_table_are_left_to_their_own_checksums()
    {
        _scratch.FlipBit("event_store/000008.sst", 10_000 - 4096 - 1);

        Assert.True(StoreInventory.Matches(Inventory, Store, out _));
    }

    [Fact]
    public void What_holds_no_data_may_change()
    {
        Put("LOG", "another line"u8);
        Put("LOG.old.1784", "old"u8);
        File.Delete(Path.Combine(Store, "LOCK"));
        File.SetLastWriteTimeUtc(Path.Combine(Store, "CURRENT"), DateTime.UnixEpoch);

        Assert.True(StoreInventory.Matches(Inventory, Store, out var difference), difference);
    }

    [Fact]
    public void A_missing_store_is_a_difference_and_no_failure()
    {
        Directory.Delete(Store, recursive: true);

        Differs("The store cannot be compared with its inventory: ");
    }

    [Fact]
    public void Without_an_inventory_nothing_matches()
    {
        Assert.True(StoreInventory.Delete(Inventory));
        Assert.False(StoreInventory.Delete(Inventory));

        Differs("There is no inventory: the store was not closed by a clean stop.");
    }

    [Fact]
    public void A_left_over_temporary_inventory_is_no_inventory()
    {
        File.Move(Inventory, Inventory + DurableFile.TemporarySuffix);

        Differs("There is no inventory: ");
    }

    [Fact]
    public void An_inventory_with_any_one_bit_changed_or_any_byte_cut_is_damaged()
    {
        var content = File.ReadAllBytes(Inventory);
        using var file = File.OpenHandle(Inventory, access: FileAccess.ReadWrite);
        for (var at = 0; at < content.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                RandomAccess.Write(file, [(byte)(content[at] ^ (1 << bit))], at);
                Differs($"The inventory \"{Inventory}\" is damaged.");
            }

            RandomAccess.Write(file, content.AsSpan(at, 1), at);
        }

        for (var length = content.Length - 1; length >= 0; length--)
        {
            RandomAccess.SetLength(file, length);
            Differs($"The inventory \"{Inventory}\" is damaged.");
        }
    }

    [Fact]
    public void Names_with_spaces_and_line_breaks_are_kept_apart()
    {
        if (OperatingSystem.IsWindows())
            return;
        Put("a b\nsum c", "x"u8);
        StoreInventory.Write(Inventory, Store, [1, 2, 3]);

        Assert.True(StoreInventory.Matches(Inventory, Store, out var difference), difference);
        File.Delete(Path.Combine(Store, "a b\nsum c"));
        Differs("The file \"a%20b%0Asum%20c\" is missing: ");
    }

    void Differs(string beginning)
    {
        Assert.False(StoreInventory.Matches(Inventory, Store, out var difference));
        Assert.StartsWith(beginning, difference, StringComparison.Ordinal);
    }

    void Put(string name, ReadOnlySpan<byte> content) => _scratch.Write("event_store/" + name, content);

    static byte[] Given(int seed, int bytes)
    {
        var content = new byte[bytes];
        new Random(seed).NextBytes(content);
        return content;
    }

    public void Dispose() => _scratch.Dispose();
}
