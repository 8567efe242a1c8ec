using System.Text;
using CsCheck;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

public sealed class EventIdsTests
{
    [Fact]
    public void The_example_of_RFC_9562_comes_out_of_its_time_and_random_bits()
    {
        // Appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
        Assert.True(Timestamp.TryParse("2022-02-22T14:22:22.00-05:00", out var time, out _));

        var id = EventIds.New(time, [0x0C, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F]);

        Assert.Equal("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", EventIds.Format(id));
    }

    [Fact]
    public void Every_id_we_make_is_a_version_7_that_is_read_back_and_sorts_by_its_time() =>
        Gen.Select(Gen.Long[0, Timestamp.MaxValue.Ticks100ns], Gen.Byte.Array[10], Gen.Byte.Array[10])
            .Sample((ticks, first, second) =>
        {
            var id = EventIds.New(new Timestamp(ticks), first);
            var earlier = EventIds.New(new Timestamp(Math.Max(0, ticks - TimeSpan.TicksPerMillisecond)), second);
            var utf8 = new byte[EventIds.TextLength];

            return id.Version == 7
                && (id.Variant & 0xC) == 0x8
                && EventIds.TryParse(EventIds.Format(id), out var parsed, out _)
                && parsed == id
                && EventIds.TryFormat(id, utf8)
                && Encoding.ASCII.GetString(utf8) == EventIds.Format(id)
                && (ticks < TimeSpan.TicksPerMillisecond
                    || string.CompareOrdinal(EventIds.Format(earlier), EventIds.Format(id)) < 0);
        });

    [Fact]
    public void A_clock_before_1970_counts_as_1970() =>
        Assert.Equal("00000000-0000-7000-8000-000000000000", EventIds.Format(EventIds.New(new Timestamp(-1), new byte[10])));

    [Theory]
    [InlineData(9)]
    [InlineData(11)]
    public void Another_number_of_random_bytes_is_a_bug_of_the_caller(int bytes) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => EventIds.New(default, new byte[bytes]));

    [Theory]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8057")]
    [InlineData("01890A5D-AC96-774B-BCCE-B302099A8057", "01890a5d-ac96-774b-bcce-b302099a8057")]
    [InlineData("C232AB00-9414-11ec-B3C8-9f6bdeced846", "c232ab00-9414-11ec-b3c8-9f6bdeced846")]
    [InlineData("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000001")]
    [InlineData("ffffffff-ffff-ffff-ffff-fffffffffffe", "ffffffff-ffff-ffff-ffff-fffffffffffe")]
    public void A_UUID_of_any_version_and_case_is_accepted_and_printed_in_lower_case(string text, string printed)
    {
        Assert.True(EventIds.TryParse(text, out var id, out _));
        Assert.Equal(printed, EventIds.Format(id));
    }

    [Theory]
    [InlineData("", "not a UUID")]
    [InlineData("01890a5dac96774bbcceb302099a8057", "not a UUID")]
    [InlineData("{01890a5d-ac96-774b-bcce-b302099a8057}", "not a UUID")]
    [InlineData("(01890a5d-ac96-774b-bcce-b302099a8057)", "not a UUID")]
    [InlineData("urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057", "not a UUID")]
    [InlineData(" 01890a5d-ac96-774b-bcce-b302099a8057", "not a UUID")]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a8057 ", "not a UUID")]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a805", "not a UUID")]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a80577", "not a UUID")]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a805g", "not a UUID")]
    [InlineData("0x890a5d-ac96-774b-bcce-b302099a8057", "not a UUID")]
    [InlineData("+1890a5d-ac96-774b-bcce-b302099a8057", "not a UUID")]
    [InlineData("01890a5dac96-774b-bcce-b302099a8057-", "not a UUID")]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a805\u0667", "not a UUID")]
    [InlineData("00000000-0000-0000-0000-000000000000", "nil")]
    [InlineData("ffffffff-ffff-ffff-ffff-ffffffffffff", "max")]
    [InlineData("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "max")]
    public void Anything_else_is_refused_with_the_reason(string text, string reason)
    {
        Assert.False(EventIds.TryParse(text, out var id, out var refusal));
        Assert.Equal(default, id);
        Assert.Equal(RefusalCode.InvalidArgument, refusal.Code);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }
}
