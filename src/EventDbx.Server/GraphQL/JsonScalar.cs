using System.Buffers;
using GraphQL.Types;
using GraphQLParser.AST;

namespace EventDbx.Server.GraphQL;

/// <summary>The scalar <c>JSON</c>: any value, with its number literals as they are written, in both directions.</summary>
/// <remarks>From variables it is a slice of the body; from a literal of the query it is written out of the syntax tree.</remarks>
internal sealed class JsonScalar : ScalarGraphType
{
    public JsonScalar()
    {
        Name = "JSON";
        Description = "Any JSON value. Numbers keep their literals (`1.50`, thirty digits), members their order. Send it as a variable, or as a literal without variables in it.";
    }

    public override bool CanParseLiteral(GraphQLValue value) => IsJson(value);

    public override object? ParseLiteral(GraphQLValue value)
    {
        if (value is GraphQLNullValue)
            return null;
        if (!IsJson(value))
            return ThrowLiteralConversionError(value);
        using var output = new Rest.PooledBuffer();
        Write(output, value);
        return new RawJson(output.Written.ToArray());
    }

    public override bool CanParseValue(object? value) => value is null or RawJson;

    public override object? ParseValue(object? value) => value is null or RawJson ? value : ThrowValueConversionError(value);

    public override object? Serialize(object? value) => value is null or RawJson ? value : ThrowSerializationError(value);

    /// <summary>No names and no variables: neither is JSON. The parser has bounded how deep it goes.</summary>
    static bool IsJson(GraphQLValue value) => value switch
    {
        GraphQLNullValue or GraphQLIntValue or GraphQLFloatValue or GraphQLBooleanValue => true,
        GraphQLStringValue text => IsUnicode(text.Value.Span),
        GraphQLListValue list => list.Values?.TrueForAll(IsJson) ?? true,
        GraphQLObjectValue members => members.Fields?.TrueForAll(static field => IsJson(field.Value)) ?? true,
        _ => false,
    };

    /// <summary>Whether every surrogate has its other half: an escape can write one alone, which no UTF-8 has.</summary>
    static bool IsUnicode(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out _, out var taken) != OperationStatus.Done)
                return false;
            text = text[taken..];
        }

        return true;
    }

    static void Write(IBufferWriter<byte> output, GraphQLValue value)
    {
        switch (value)
        {
            case GraphQLIntValue number:
                output.Write(Encoding.UTF8.GetBytes(number.Value.ToString()));
                break;
            case GraphQLFloatValue number:
                output.Write(Encoding.UTF8.GetBytes(number.Value.ToString()));
                break;
            case GraphQLBooleanValue truth:
                output.Write(truth.BoolValue ? "true"u8 : "false"u8);
                break;
            case GraphQLStringValue text:
                RecordJson.WriteText(output, text.Value.ToString());
                break;
            case GraphQLListValue list:
                output.Write("["u8);
                for (var i = 0; i < (list.Values?.Count ?? 0); i++)
                {
                    if (i > 0)
                        output.Write(","u8);
                    Write(output, list.Values![i]);
                }

                output.Write("]"u8);
                break;
            case GraphQLObjectValue members:
                output.Write("{"u8);
                for (var i = 0; i < (members.Fields?.Count ?? 0); i++)
                {
                    if (i > 0)
                        output.Write(","u8);
                    RecordJson.WriteText(output, members.Fields![i].Name.StringValue);
                    output.Write(":"u8);
                    Write(output, members.Fields[i].Value);
                }

                output.Write("}"u8);
                break;
            default:
                output.Write("null"u8);
                break;
        }
    }
}
