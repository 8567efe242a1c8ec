using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using CsCheck;
using EventDbx.Events;

namespace EventDbx.Tests.Events;

/// <summary>Payloads against System.Text.Json, which is asked the questions that it does not ask by itself.</summary>
public sealed class JsonOracleTests
{
    static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    static readonly Gen<string> Space = Gen.String[Gen.Char[" \n\t\r"], 0, 2];

    static readonly Gen<string> Text = Gen.OneOf(
        Gen.Const("\"\""), Gen.Const("\"a\""), Gen.Const("\"\\u0061\""), Gen.Const("\"b c\""), Gen.Const("\"é😀\""),
        Gen.Const("\"\\ud83d\\ude00\""), Gen.Const("\"{\\\"x\\\": [1, 2] }\""), Gen.Const("\"\\\\\""), Gen.Const("\" // \\n\""),
        Gen.String[Gen.Char['a', 'z'], 1, 8].Select(letters => $"\"{letters}\""));

    static readonly Gen<string> Scalar = Gen.OneOf(
        Text, Gen.Const("null"), Gen.Const("true"), Gen.Const("false"), Gen.Const("0"), Gen.Const("-0.50"), Gen.Const("1E+400"),
        Gen.Int.Select(number => $"{number}"));

    static readonly Gen<string> Document = Value(depth: 4);

    // Bytes that mean something in JSON, so that most changes hurt.
    static readonly Gen<byte> Telling = Gen.Char["{}[]\",:\\u0dD8e-+.1 \0\u007f"].Select(letter => (byte)letter);

    [Fact]
    public void Documents_keep_their_meaning_and_their_members() => Document.Sample(document =>
    {
        var sent = Encoding.UTF8.GetBytes(document);
        var accepted = JsonPayload.TryParse(sent, out var payload, out _);
        if (!accepted || !Oracle(sent))
            return accepted == Oracle(sent);

        using var before = JsonDocument.Parse(sent);
        using var after = JsonDocument.Parse(payload.Text);
        return JsonElement.DeepEquals(before.RootElement, after.RootElement)
            && Encoding.UTF8.GetString(payload.Text.Span) == WithoutSpace(document)
            && MembersMatch(payload, after.RootElement);
    });

    [Fact]
    public void Documents_with_any_byte_changed_are_accepted_exactly_when_the_oracle_accepts_them() =>
        Gen.Select(Document, Gen.Int[0, int.MaxValue], Gen.OneOf(Gen.Byte, Telling), Gen.Int[0, 2])
            .Sample((document, pick, value, kind) =>
            {
                var bytes = Encoding.UTF8.GetBytes(document);
                var at = pick % bytes.Length;
                byte[] sent = kind switch
                {
                    0 => [.. bytes[..at], value, .. bytes[(at + 1)..]],
                    1 => [.. bytes[..at], value, .. bytes[at..]],
                    _ => [.. bytes[..at], .. bytes[(at + 1)..]],
                };
                var accepted = JsonPayload.TryParse(sent, out _, out var refusal);

                return accepted == Oracle(sent) && (accepted || refusal.Message.Length > 0);
            }, iter: 6_000);

    static Gen<string> Value(int depth) => depth == 0
        ? Scalar
        : Gen.OneOf(
            Scalar,
            Gen.Select(Space, Value(depth - 1), Space).Select((left, value, right) => left + value + right).Array[0, 4]
                .Select(values => $"[{string.Join(",", values)}]"),
            Gen.Select(Space, Text, Space, Value(depth - 1))
                .Select((left, name, right, value) => $"{left}{name}{right}:{left}{value}{right}")
                .Array[0, 5].Select(members => $"{{{string.Join(",", members)}}}"));

    static bool Oracle(byte[] sent)
    {
        if (!Utf8.IsValid(sent))
            return false;
        try
        {
            using var document = JsonDocument.Parse(sent, Strict);
            ReadStrings(document.RootElement);
            return true;
        }
        catch (Exception refused) when (refused is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    // Reading a string is when System.Text.Json looks at its surrogates.
    static void ReadStrings(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                element.GetString();
                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                    ReadStrings(item);
                break;
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    Assert.NotNull(member.Name);
                    ReadStrings(member.Value);
                }

                break;
        }
    }

    static bool MembersMatch(JsonPayload payload, JsonElement root)
    {
        var expected = root.ValueKind switch
        {
            JsonValueKind.Object => root.EnumerateObject().Select(member => (member.Name, member.Value.GetRawText())),
            JsonValueKind.Null => [],
            _ => [("_value", root.GetRawText())],
        };
        List<(string, string)> actual = [];
        foreach (var member in payload.Members)
            actual.Add((Encoding.UTF8.GetString(payload.NameOf(member)), Encoding.UTF8.GetString(payload.ValueOf(member))));

        return actual.SequenceEqual(expected.OrderBy(member => Hex(member.Item1), StringComparer.Ordinal));

        static string Hex(string name) => Convert.ToHexString(Encoding.UTF8.GetBytes(name));
    }

    static string WithoutSpace(string document)
    {
        StringBuilder kept = new();
        var inString = false;
        for (var i = 0; i < document.Length; i++)
        {
            if (inString && document[i] == '\\')
                kept.Append(document[i++]);
            else if (document[i] == '"')
                inString = !inString;
            if (inString || !char.IsWhiteSpace(document[i]))
                kept.Append(document[i]);
        }

        return kept.ToString();
    }
}
