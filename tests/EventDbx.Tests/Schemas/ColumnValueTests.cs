using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>What each type takes, at its edges.</summary>
public sealed class ColumnValueTests
{
    [Theory]
    [InlineData("integer", "9223372036854775807", true)]
    [InlineData("integer", "9223372036854775808", false)]
    [InlineData("integer", "-9223372036854775808", true)]
    [InlineData("integer", "-9223372036854775809", false)]
    [InlineData("integer", "1.0", false)]
    [InlineData("integer", "1e3", false)]
    [InlineData("integer", "-0", false)]
    [InlineData("integer", "\" +5\\t\"", true)]
    [InlineData("integer", "\"007\"", true)]
    [InlineData("integer", "\"5 5\"", false)]
    [InlineData("integer", "\"5\\u0000\"", false)]
    [InlineData("integer", "\"\"", false)]
    [InlineData("integer", "\"٣\"", false)]
    [InlineData("integer", "true", false)]
    [InlineData("integer", "null", false)]
    [InlineData("float", "1", true)]
    [InlineData("float", "1e308", true)]
    [InlineData("float", "1e309", false)]
    [InlineData("float", "\" 1e5 \"", true)]
    [InlineData("float", "\"inf\"", true)]
    [InlineData("float", "\"-Infinity\"", true)]
    [InlineData("float", "\"NaN\"", true)]
    [InlineData("float", "\".5\"", true)]
    [InlineData("float", "\"1,000\"", false)]
    [InlineData("float", "\"0x10\"", false)]
    [InlineData("float", "\"1\\u0000\"", false)]
    [InlineData("float", "\"∞\"", false)]
    [InlineData("float", "false", false)]
    [InlineData("boolean", "0", true)]
    [InlineData("boolean", "1", true)]
    [InlineData("boolean", "1.0", false)]
    [InlineData("boolean", "-1", false)]
    [InlineData("boolean", "\" True \"", true)]
    [InlineData("boolean", "\"0\"", true)]
    [InlineData("boolean", "\"yes\"", false)]
    [InlineData("boolean", "null", false)]
    [InlineData("decimal(5,2)", "123.45", true)]
    [InlineData("decimal(5,2)", "1234.56", false)]
    [InlineData("decimal(5,2)", "1.234", false)]
    [InlineData("decimal(5,2)", "1.500", true)]
    [InlineData("decimal(5,2)", "\"1.500\"", false)]
    [InlineData("decimal(5,2)", "\"-123.45\"", true)]
    [InlineData("decimal(5,2)", "\"+1_2.5_0\"", true)]
    [InlineData("decimal(5,2)", "\"_12\"", false)]
    [InlineData("decimal(5,2)", "\"12_\"", false)]
    [InlineData("decimal(5,2)", "\"1_.5\"", false)]
    [InlineData("decimal(5,2)", "\"1e2\"", false)]
    [InlineData("decimal(5,2)", "1e2", true)]
    [InlineData("decimal(5,2)", "1.25e1", true)]
    [InlineData("decimal(5,2)", "125e-2", true)]
    [InlineData("decimal(5,2)", "125e-3", false)]
    [InlineData("decimal(5,0)", "1e2", false)]
    [InlineData("decimal(5,0)", "100", true)]
    [InlineData("decimal(5,0)", "100.0", false)]
    [InlineData("decimal(2,2)", "0.05", false)]
    [InlineData("decimal(3,2)", "0.05", true)]
    [InlineData("decimal(3,2)", "\"00000.05\"", true)]
    [InlineData("decimal(3,2)", "\".05\"", true)]
    [InlineData("decimal(3,2)", "\"5.\"", true)]
    [InlineData("decimal(3,2)", "\".\"", false)]
    [InlineData("decimal(3,2)", "\"1..2\"", false)]
    [InlineData("decimal(40,0)", "79228162514264337593543950335", true)]
    [InlineData("decimal(40,0)", "79228162514264337593543950336", false)]
    [InlineData("decimal(40,28)", "\"1.00000000000000000000000000004\"", true)]
    [InlineData("decimal(40,27)", "\"1.00000000000000000000000000004\"", false)]
    [InlineData("decimal(40,9)", "1e-4", true)]
    [InlineData("decimal(40,9)", "1e-6", false)]
    [InlineData("decimal(40,9)", "0.000001", true)]
    [InlineData("decimal(40,9)", "1e15", true)]
    [InlineData("decimal(40,9)", "1e16", false)]
    [InlineData("decimal(40,9)", "1e99999999999", false)]
    [InlineData("decimal(40,9)", "0e99999999999", true)]
    [InlineData("decimal(40,9)", "true", false)]
    [InlineData("date", "\"2024-02-29\"", true)]
    [InlineData("date", "\"2025-02-29\"", false)]
    [InlineData("date", "\"1900-02-29\"", false)]
    [InlineData("date", "\"2000-02-29\"", true)]
    [InlineData("date", "\"0000-02-29\"", true)]
    [InlineData("date", "\"2025-1-1\"", true)]
    [InlineData("date", "\"2025-1-01\"", true)]
    [InlineData("date", "\"2025-001-1\"", false)]
    [InlineData("date", "\"2025-13-01\"", false)]
    [InlineData("date", "\"2025-00-01\"", false)]
    [InlineData("date", "\"2025-01-00\"", false)]
    [InlineData("date", "\"25-01-01\"", false)]
    [InlineData("date", "\" 2025-01-01\"", false)]
    [InlineData("date", "\"2025-01-01T00:00:00Z\"", false)]
    [InlineData("date", "20250101", false)]
    [InlineData("timestamp", "\"2025-01-31T23:59:59Z\"", true)]
    [InlineData("timestamp", "\"2025-01-31t23:59:59z\"", true)]
    [InlineData("timestamp", "\"2025-01-31 23:59:59.123456789123+14:00\"", true)]
    [InlineData("timestamp", "\"2025-01-31T23:59:60Z\"", true)]
    [InlineData("timestamp", "\"2025-01-31T23:59:61Z\"", false)]
    [InlineData("timestamp", "\"2025-01-31T24:00:00Z\"", false)]
    [InlineData("timestamp", "\"2025-01-31T23:59Z\"", false)]
    [InlineData("timestamp", "\"2025-01-31T23:59:59\"", false)]
    [InlineData("timestamp", "\"2025-01-31T23:59:59.Z\"", false)]
    [InlineData("timestamp", "\"2025-01-31T23:59:59+0100\"", false)]
    [InlineData("timestamp", "\"2025-01-31T23:59:59+24:00\"", false)]
    [InlineData("timestamp", "\"2025-02-29T00:00:00Z\"", false)]
    [InlineData("timestamp", "\" 2025-01-31T23:59:59Z\"", false)]
    [InlineData("timestamp", "1738368000", false)]
    [InlineData("binary", "\"\"", true)]
    [InlineData("binary", "\"YQ==\"", true)]
    [InlineData("binary", "\"YR==\"", false)]
    [InlineData("binary", "\"YWI=\"", true)]
    [InlineData("binary", "\"YWJ=\"", false)]
    [InlineData("binary", "\"YQ\"", false)]
    [InlineData("binary", "\"Y===\"", false)]
    [InlineData("binary", "\"====\"", false)]
    [InlineData("binary", "\"YW I=\"", false)]
    [InlineData("binary", "\"_-8=\"", false)]
    [InlineData("binary", "\"\\/+8=\"", true)]
    [InlineData("binary", "[1]", false)]
    [InlineData("json", "[null]", true)]
    [InlineData("object", "{\"a\":1}", true)]
    [InlineData("object", "\"{}\"", false)]
    [InlineData("text", "\"\"", true)]
    [InlineData("text", "null", false)]
    public void Types_take_what_they_say(string type, string value, bool accepted) =>
        Assert.Equal(accepted ? "" : "v:type", FirstOf(Schemata.Compiled($$$$"""{"v":"{{{{type}}}}"}""").Broken($$$$"""{"v":{{{{value}}}}}""")));

    [Theory]
    [InlineData("email", "a@b", true)]
    [InlineData("email", "a.!#$%&'*+/=?^_`{|}~-@example.com", true)]
    [InlineData("email", "a@b@c", false)]
    [InlineData("email", "@b", false)]
    [InlineData("email", "a@", false)]
    [InlineData("email", "a b@c", false)]
    [InlineData("email", "a@-b.c", false)]
    [InlineData("email", "a@b-.c", false)]
    [InlineData("email", "a@b..c", false)]
    [InlineData("email", "a@b.c.", false)]
    [InlineData("email", "a@bücher.example", true)]
    [InlineData("email", "ä@b.example", false)]
    [InlineData("email", "a@[127.0.0.1]", true)]
    [InlineData("email", "a@[127.1]", false)]
    [InlineData("email", "a@[2001:db8::1]", true)]
    [InlineData("email", "a@[2001:db8::1%1]", false)]
    [InlineData("email", "a@[example.com]", false)]
    [InlineData("url", "http://example.com", true)]
    [InlineData("url", "urn:isbn:0451450523", true)]
    [InlineData("url", "mailto:jane@example.com", true)]
    [InlineData("url", "/etc/passwd", false)]
    [InlineData("url", "//example.com", false)]
    [InlineData("url", "http://", false)]
    [InlineData("url", "1http://example.com", false)]
    [InlineData("url", " http://example.com", false)]
    [InlineData("credit_card", "4026000000000002", true)] // Visa Electron
    [InlineData("credit_card", "6759649826438453", true)] // Maestro
    [InlineData("credit_card", "5018000000000009", true)] // Maestro
    [InlineData("credit_card", "501800000009", true)] // Maestro, 12
    [InlineData("credit_card", "50180000008", false)]
    [InlineData("credit_card", "6007220000000004", true)] // Forbrugsforeningen
    [InlineData("credit_card", "5019717010103742", true)] // Dankort
    [InlineData("credit_card", "4222222222222", true)] // Visa, 13
    [InlineData("credit_card", "2200000000000004", true)] // Mir
    [InlineData("credit_card", "5555555555554444", true)] // Mastercard
    [InlineData("credit_card", "2223003122003222", true)]
    [InlineData("credit_card", "378282246310005", true)] // American Express
    [InlineData("credit_card", "30569309025904", true)] // Diners Club
    [InlineData("credit_card", "6011111111111117", true)] // Discover
    [InlineData("credit_card", "6250941006528599", true)] // UnionPay
    [InlineData("credit_card", "3530111333300000", true)] // JCB
    [InlineData("credit_card", "4111 1111 1111 1111", false)]
    [InlineData("credit_card", "4111111111111112", false)]
    [InlineData("credit_card", "402600000000002", false)] // Visa Electron has 16, and is asked before Visa
    [InlineData("credit_card", "9111111111111111", false)]
    [InlineData("credit_card", "", false)]
    public void Formats_take_what_they_say(string format, string text, bool accepted) =>
        Assert.Equal(accepted ? "" : "v:format", Schemata.Compiled($$$$"""{"v":{"type":"text","format":"{{{{format}}}}"}}""").Broken($$$$"""{"v":"{{{{text}}}}"}"""));

    [Theory]
    [InlineData(64, 63, true)]
    [InlineData(65, 63, false)]
    [InlineData(64, 64, false)]
    public void An_email_address_has_bounded_parts(int local, int label, bool accepted) =>
        Formats_take_what_they_say("email", $"{new string('a', local)}@{new string('b', label)}.example", accepted);

    [Theory]
    [InlineData("float", "\"nan\"", "0", "1")]
    [InlineData("float", "\"inf\"", null, "1")]
    [InlineData("integer", "-1", "0", null)]
    [InlineData("date", "\"2025-1-1\"", "2025-01-02", null)]
    [InlineData("timestamp", "\"2025-01-01T00:00:00.000000001Z\"", null, "2025-01-01T00:00:00Z")]
    [InlineData("decimal(20,4)", "0.0001", null, "0")]
    public void Ranges_hold_to_the_last_digit(string type, string value, string? min, string? max)
    {
        string Bound(string? text) => text is null ? "null" : $"\"{text}\"";
        var schema = Schemata.Compiled($$$$"""{"v":{"type":"{{{{type}}}}","range":{"min":{{{{Bound(min)}}}},"max":{{{{Bound(max)}}}}}}}""");
        Assert.StartsWith("v:range", schema.Broken($$$$"""{"v":{{{{value}}}}}"""), StringComparison.Ordinal);
    }

    static string FirstOf(string broken) => broken.Split(' ')[0];
}
