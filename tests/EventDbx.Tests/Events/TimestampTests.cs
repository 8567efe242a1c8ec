using System.Text;
using CsCheck;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

public sealed class TimestampTests
{
    [Theory]
    [InlineData("1970-01-01T00:00:00Z", 0)]
    [InlineData("1970-01-01T00:00:00.0000001Z", 1)]
    [InlineData("1969-12-31T23:59:59.9999999Z", -1)]
    [InlineData("1970-01-01T00:00:00.001Z", 10_000)]
    [InlineData("1970-01-01T00:00:00.000001Z", 10)]
    [InlineData("1970-01-01T00:00:00.100Z", 1_000_000)]
    [InlineData("2025-01-31T23:59:59.1234567Z", 17383679991234567)]
    [InlineData("0001-01-01T00:00:00Z", -621355968000000000)]
    [InlineData("9999-12-31T23:59:59.9999999Z", 2534023007999999999)]
    public void Text_in_our_form_and_ticks_lead_to_each_other(string text, long ticks)
    {
        Assert.True(Timestamp.TryParse(text, out var timestamp, out _));
        Assert.Equal(ticks, timestamp.Ticks100ns);
        Assert.Equal(text, timestamp.ToString());
    }

    [Theory]
    [InlineData("1970-01-01t00:00:01z", "1970-01-01T00:00:01Z")]
    [InlineData("1970-01-01T00:00:01+00:00", "1970-01-01T00:00:01Z")]
    [InlineData("1970-01-01T00:00:01-00:00", "1970-01-01T00:00:01Z")]
    [InlineData("1970-01-01T01:00:01+01:00", "1970-01-01T00:00:01Z")]
    [InlineData("1969-12-31T12:30:01.5-11:30", "1970-01-01T00:00:01.500Z")]
    [InlineData("1970-01-01T23:59:01+23:59", "1970-01-01T00:00:01Z")]
    [InlineData("1970-01-01T00:00:00.0Z", "1970-01-01T00:00:00Z")]
    [InlineData("1970-01-01T00:00:00.0000000Z", "1970-01-01T00:00:00Z")]
    [InlineData("1970-01-01T00:00:00.12Z", "1970-01-01T00:00:00.120Z")]
    [InlineData("1970-01-01T00:00:00.1230000Z", "1970-01-01T00:00:00.123Z")]
    [InlineData("1970-01-01T00:00:00.1234Z", "1970-01-01T00:00:00.123400Z")]
    [InlineData("1970-01-01T00:00:00.12345Z", "1970-01-01T00:00:00.123450Z")]
    [InlineData("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z")]
    [InlineData("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z")]
    [InlineData("9999-12-31T23:59:59-00:00", "9999-12-31T23:59:59Z")]
    [InlineData("0001-01-01T01:00:00+01:00", "0001-01-01T00:00:00Z")]
    public void Every_form_of_RFC_3339_is_accepted_and_printed_in_ours(string text, string printed)
    {
        Assert.True(Timestamp.TryParse(text, out var timestamp, out _));
        Assert.Equal(printed, timestamp.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("1970-01-01")]
    [InlineData("1970-01-01T00:00Z")]
    [InlineData("1970-01-01 00:00:00Z")]
    [InlineData("1970-01-01T00:00:00")]
    [InlineData("1970-01-01T00:00:00ZZ")]
    [InlineData(" 1970-01-01T00:00:00Z")]
    [InlineData("1970-01-01T00:00:00Z ")]
    [InlineData("1970-01-01T00:00:00Z\n")]
    [InlineData("1970-01-01T00:00:00,5Z")]
    [InlineData("1970-01-01T00:00:00+0100")]
    [InlineData("1970-01-01T00:00:00+01")]
    [InlineData("1970-01-01T00:00:00+24:00")]
    [InlineData("1970-01-01T00:00:00+01:60")]
    [InlineData("1970-01-01T00:00:00\u221201:00")]
    [InlineData("1970-1-1T00:00:00.00Z")]
    [InlineData("+1970-01-01T00:00:00Z")]
    [InlineData("-197-01-01T00:00:00Z")]
    [InlineData("10000-01-01T00:00:00Z")]
    [InlineData("١٩٧٠-01-01T00:00:00Z")]
    [InlineData("1970-01-01T00:00:00.5")]
    public void Other_forms_are_refused_with_the_form_that_is_accepted(string text) =>
        AssertRefused(text, "the form is 2025-01-31T23:59:59.1234567Z");

    [Theory]
    [InlineData("0000-01-01T00:00:00Z")]
    [InlineData("1970-00-01T00:00:00Z")]
    [InlineData("1970-13-01T00:00:00Z")]
    [InlineData("1970-01-00T00:00:00Z")]
    [InlineData("1970-01-32T00:00:00Z")]
    [InlineData("2023-02-29T00:00:00Z")]
    [InlineData("1900-02-29T00:00:00Z")]
    [InlineData("2024-02-30T00:00:00Z")]
    [InlineData("1970-01-01T24:00:00Z")]
    [InlineData("1970-01-01T00:60:00Z")]
    [InlineData("1970-01-01T00:00:61Z")]
    public void Moments_that_no_calendar_has_are_refused(string text) => AssertRefused(text, "the calendar has no such moment");

    [Theory]
    [InlineData("0001-01-01T00:00:00+00:01")]
    [InlineData("9999-12-31T23:59:59.9999999-00:01")]
    public void Moments_that_an_offset_moves_out_of_range_are_refused(string text) => AssertRefused(text, "outside the years");

    [Theory]
    [InlineData("1970-01-01T00:00:00.12345678Z", "it has 8 fraction digits; at most 7")]
    [InlineData("1970-01-01T00:00:00.00000000Z", "it has 8 fraction digits; at most 7")]
    [InlineData("1970-01-01T00:00:00.123456789+01:00", "it has 9 fraction digits; at most 7")]
    [InlineData("1970-01-01T00:00:00.Z", "at least one digit")]
    [InlineData("2016-12-31T23:59:60Z", "leap second")]
    [InlineData("1990-12-31T15:59:60-08:00", "leap second")]
    public void Times_we_would_have_to_round_are_refused_with_the_reason(string text, string reason) =>
        AssertRefused(text, reason);

    [Fact]
    public void A_very_long_text_is_refused_with_a_short_message()
    {
        Assert.False(Timestamp.TryParse($"1970-01-01T00:00:00.{new string('1', 100_000)}Z", out _, out var refusal));
        Assert.InRange(refusal.Message.Length, 1, 300);
    }

    [Fact]
    public void Every_tick_survives_the_way_through_text() =>
        Gen.Select(Gen.Long[Timestamp.MinValue.Ticks100ns, Timestamp.MaxValue.Ticks100ns], Gen.Int[0, 7])
            .Sample((ticks, digitsLost) =>
            {
                var unit = (long)Math.Pow(10, digitsLost);
                Timestamp timestamp = new(ticks / unit * unit);
                var utf8 = new byte[Timestamp.TextLengthMax];

                return Timestamp.TryParse(timestamp.ToString(), out var parsed, out _)
                    && parsed == timestamp
                    && timestamp.TryFormat(utf8, out var written)
                    && Encoding.UTF8.GetString(utf8, 0, written) == timestamp.ToString()
                    && Timestamp.From(timestamp.ToDateTimeOffset()) == timestamp;
            });

    [Fact]
    public void A_time_with_an_offset_is_kept_in_UTC() => Assert.Equal(
        "2025-01-31T22:00:00Z", Timestamp.From(new DateTimeOffset(2025, 1, 31, 23, 0, 0, TimeSpan.FromHours(1))).ToString());

    [Fact]
    public void A_number_outside_the_years_1_to_9999_is_no_timestamp()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new Timestamp(Timestamp.MinValue.Ticks100ns - 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Timestamp(Timestamp.MaxValue.Ticks100ns + 1));
        Assert.False(Timestamp.IsInRange(long.MinValue));
        Assert.False(Timestamp.IsInRange(long.MaxValue));
    }

    [Fact]
    public void A_target_that_is_too_short_is_not_written() =>
        Assert.False(default(Timestamp).TryFormat(new byte[19], out _));

    static void AssertRefused(string text, string reason)
    {
        Assert.False(Timestamp.TryParse(text, out var timestamp, out var refusal));
        Assert.Equal(default, timestamp);
        Assert.Equal(RefusalCode.InvalidArgument, refusal.Code);
        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
    }
}
