using System.Globalization;
using GraphQL.Types;
using GraphQLParser.AST;

namespace EventDbx.Server.GraphQL;

/// <summary>The scalar <c>Long</c>: versions and positions, which outgrow the 32 bits of <c>Int</c>.</summary>
internal sealed class LongScalar : ScalarGraphType
{
    public LongScalar()
    {
        Name = "Long";
        Description = "A whole number from 0 to 18446744073709551615: a version, or a position in the log. It is a JSON number; JavaScript keeps 53 bits of it.";
    }

    public override object? ParseLiteral(GraphQLValue value) => value switch
    {
        GraphQLNullValue => null,
        GraphQLIntValue number when ulong.TryParse(number.Value.Span, NumberStyles.None, CultureInfo.InvariantCulture, out var whole) => whole,
        _ => ThrowLiteralConversionError(value),
    };

    public override bool CanParseLiteral(GraphQLValue value) =>
        value is GraphQLNullValue || (value is GraphQLIntValue number && ulong.TryParse(number.Value.Span, NumberStyles.None, CultureInfo.InvariantCulture, out _));

    public override object? ParseValue(object? value) => value switch
    {
        null or ulong => value,
        int whole when whole >= 0 => (ulong)whole,
        _ => ThrowValueConversionError(value),
    };

    public override object? Serialize(object? value) => value is null or ulong ? value : ThrowSerializationError(value);
}
