using CsCheck;
using EventDbx.Integrity;
using EventDbx.Storage;

namespace EventDbx.Tests.Storage;

public sealed class WatermarkTests : IDisposable
{
    static readonly Guid DatabaseId = new("5f2b1d6e-c0a8-4c7d-9b3e-8a1f0d2c4b6a");
    readonly Scratch _scratch = new();

    string Mark => _scratch.At("watermark");

    static WatermarkSlot Slot(ulong logSize) => new()
    {
        LogSize = logSize,
        LogRoot = Hash32.Of(BitConverter.GetBytes(logSize)),
        DatabaseId = DatabaseId,
        Epoch = 3,
    };

    /// <summary>Slots: 0 says 5, 1 says 6, 2 says 4, in that order of writing 4, 5, 6.</summary>
    void WriteThree()
    {
        using var watermark = Watermark.Open(Mark);
        watermark.WriteSynced(Slot(4), clean: false);
        watermark.Write(Slot(5));
        watermark.Write(Slot(6));
    }

    [Fact]
    public void A_missing_file_has_no_slots_and_is_not_created_by_reading()
    {
        using var watermark = Watermark.Open(Mark);

        Assert.False(watermark.Exists);
        Assert.Null(watermark.Newest);
        Assert.Null(watermark.Synced);
        Assert.Equal(0, watermark.InvalidSlots);
        Assert.False(watermark.StoppedCleanly);
        Assert.False(File.Exists(Mark));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_first_write_creates_the_file_whole_and_for_the_owner_only(bool synced)
    {
        using (var watermark = Watermark.Open(Mark))
        {
            if (synced)
                watermark.WriteSynced(Slot(7), clean: false);
            else
                watermark.Write(Slot(7));
        }

        using var read = Watermark.Open(Mark);
        Assert.Equal(Slot(7) with { Sequence = 1 }, read.Newest);
        Assert.Equal(read.Newest, read.Synced);
        Assert.Equal(0, read.InvalidSlots);
        Assert.Equal(3 * 4096, new FileInfo(Mark).Length);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(DurableFile.Mode, File.GetUnixFileMode(Mark));
    }

    [Fact]
    public void Everything_written_reads_back()
    {
        var slot = Slot(ulong.MaxValue - 1) with { Epoch = uint.MaxValue };
        using (var watermark = Watermark.Open(Mark))
            watermark.WriteSynced(slot, clean: true);

        using var read = Watermark.Open(Mark);

        Assert.Equal(slot with { Sequence = 1, Clean = true }, read.Newest);
    }

    [Fact]
    public void Slots_0_and_1_are_written_in_turn_and_2_only_when_synced()
    {
        WriteThree();
        var before = File.ReadAllBytes(Mark);
        using (var watermark = Watermark.Open(Mark))
            watermark.Write(Slot(7));

        var after = File.ReadAllBytes(Mark);

        Assert.Equal([5UL, 6UL, 4UL], SizesIn(before));
        Assert.Equal([7UL, 6UL, 4UL], SizesIn(after));
        using (var watermark = Watermark.Open(Mark))
        {
            watermark.Write(Slot(8));
            watermark.WriteSynced(Slot(9), clean: false);
            watermark.Write(Slot(10));
        }

        Assert.Equal([10UL, 8UL, 9UL], SizesIn(File.ReadAllBytes(Mark)));
    }

    [Fact]
    public void A_clean_stop_is_told_from_any_other_end()
    {
        using (var watermark = Watermark.Open(Mark))
        {
            watermark.Write(Slot(5));
            Assert.False(watermark.StoppedCleanly);
            watermark.WriteSynced(Slot(5), clean: true);
            Assert.True(watermark.StoppedCleanly);
        }

        using (var watermark = Watermark.Open(Mark))
        {
            Assert.True(watermark.StoppedCleanly);
            watermark.WriteSynced(Slot(5), clean: false);
        }

        using (var watermark = Watermark.Open(Mark))
            Assert.False(watermark.StoppedCleanly);
    }

    [Fact]
    public void A_commit_above_a_clean_mark_is_refused_because_a_crash_would_look_like_a_stop()
    {
        using var watermark = Watermark.Open(Mark);
        watermark.WriteSynced(Slot(5), clean: true);

        Assert.Throws<InvalidOperationException>(() => watermark.Write(Slot(6)));
        watermark.WriteSynced(Slot(5), clean: false);
        watermark.Write(Slot(6));

        Assert.Equal(6UL, watermark.Newest!.Value.LogSize);
    }

    [Fact]
    public void A_clean_mark_beside_a_damaged_slot_is_not_taken_for_a_clean_stop()
    {
        using (var watermark = Watermark.Open(Mark))
            watermark.WriteSynced(Slot(5), clean: true);
        _scratch.FlipBit("watermark", 30);

        using var read = Watermark.Open(Mark);

        Assert.False(read.StoppedCleanly);
        Assert.Equal(5UL, read.Newest!.Value.LogSize);
    }

    [Fact]
    public void Any_one_flipped_bit_makes_its_slot_invalid_and_leaves_the_others()
    {
        WriteThree();
        var content = File.ReadAllBytes(Mark);
        ulong[] newestWithout = [6, 5, 6];

        using var file = File.OpenHandle(Mark, access: FileAccess.ReadWrite);
        for (var at = 0; at < content.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                RandomAccess.Write(file, [(byte)(content[at] ^ (1 << bit))], at);
                using var read = Watermark.Open(Mark);
                var slot = at / 4096;
                Assert.Equal(1, read.InvalidSlots);
                Assert.Equal(newestWithout[slot], read.Newest!.Value.LogSize);
                Assert.Equal(slot == 2 ? null : 4UL, read.Synced?.LogSize);
            }

            RandomAccess.Write(file, content.AsSpan(at, 1), at);
        }
    }

    [Fact]
    public void Cut_at_any_length_the_whole_slots_stand_and_the_others_are_reported()
    {
        WriteThree();
        ulong?[] newest = [null, 5, 6, 6];

        using var file = File.OpenHandle(Mark, access: FileAccess.ReadWrite);
        for (var length = 3 * 4096; length >= 0; length--)
        {
            RandomAccess.SetLength(file, length);
            using var read = Watermark.Open(Mark);
            Assert.Equal(3 - (length / 4096), read.InvalidSlots);
            Assert.Equal(newest[length / 4096], read.Newest?.LogSize);
        }
    }

    [Fact]
    public void Torn_at_any_byte_a_write_leaves_the_old_slot_or_the_new_or_an_invalid_one()
    {
        WriteThree();
        var before = File.ReadAllBytes(Mark);
        using (var watermark = Watermark.Open(Mark))
            watermark.Write(Slot(7));
        var after = File.ReadAllBytes(Mark);

        using var file = File.OpenHandle(Mark, access: FileAccess.ReadWrite);
        RandomAccess.Write(file, before, 0);
        for (var torn = 0; torn <= 4096; torn++)
        {
            RandomAccess.Write(file, after.AsSpan(0, torn), 0);
            using var read = Watermark.Open(Mark);
            Assert.Contains(read.Newest!.Value, (WatermarkSlot[])[Slot(6) with { Sequence = 3 }, Slot(7) with { Sequence = 4 }]);
        }
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 0)]
    public void A_slot_copied_to_another_place_is_invalid_there(int from, int to)
    {
        WriteThree();
        var content = File.ReadAllBytes(Mark);
        content.AsSpan(from * 4096, 4096).CopyTo(content.AsSpan(to * 4096));
        File.WriteAllBytes(Mark, content);

        using var read = Watermark.Open(Mark);

        Assert.Equal(1, read.InvalidSlots);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    public void A_file_filled_with_one_byte_has_three_invalid_slots(byte filling)
    {
        var content = new byte[3 * 4096];
        content.AsSpan().Fill(filling);
        _scratch.Write("watermark", content);

        using var read = Watermark.Open(Mark);

        Assert.Equal(3, read.InvalidSlots);
        Assert.Null(read.Newest);
    }

    [Fact]
    public void Reading_changes_nothing_even_of_a_damaged_file()
    {
        WriteThree();
        _scratch.FlipBit("watermark", 5000);
        var before = _scratch.Fingerprint();

        using (Watermark.Open(Mark))
            Assert.Equal(before, _scratch.Fingerprint());

        Assert.Equal(before, _scratch.Fingerprint());
    }

    [Fact]
    public void The_next_writes_replace_the_damaged_slot_first()
    {
        WriteThree();
        _scratch.FlipBit("watermark", 4096 + 40);
        using var watermark = Watermark.Open(Mark);
        Assert.Equal(1, watermark.InvalidSlots);

        watermark.Write(Slot(7));

        Assert.Equal(0, watermark.InvalidSlots);
        Assert.Equal([5UL, 7UL, 4UL], SizesIn(File.ReadAllBytes(Mark)));
    }

    [Fact]
    public void Writing_allocates_nothing()
    {
        using var watermark = Watermark.Open(Mark);
        watermark.Write(Slot(1));
        watermark.Write(Slot(2));
        var slot = Slot(3);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            watermark.Write(slot);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Reopened_after_any_writes_it_says_what_was_written_last() =>
        Gen.Bool.Array[0, 20].Sample(
            writes =>
            {
                File.Delete(Mark);
                (WatermarkSlot? newest, WatermarkSlot? synced) = (null, null);
                for (var i = 0; i < writes.Length; i++)
                {
                    using var watermark = Watermark.Open(Mark);
                    var slot = Slot((ulong)i);
                    newest = slot with { Sequence = (ulong)i + 1 };
                    if (writes[i] || i == 0)
                        synced = newest;
                    if (writes[i])
                        watermark.WriteSynced(slot, clean: false);
                    else
                        watermark.Write(slot);
                }

                using var read = Watermark.Open(Mark);
                return read.Newest == newest && read.Synced == synced && read.InvalidSlots == 0;
            },
            iter: 50,
            threads: 1);

    static ulong[] SizesIn(byte[] content) =>
        [.. Enumerable.Range(0, 3).Select(slot => System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(content.AsSpan((slot * 4096) + 24)))];

    public void Dispose() => _scratch.Dispose();
}
