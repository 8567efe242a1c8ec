using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>What kind of value a column takes.</summary>
public enum ColumnKind
{
    Integer,
    Float,
    Decimal,
    Boolean,
    Text,
    Timestamp,
    Date,
    Json,
    Binary,
    Object,
}

/// <summary>A form that a text may have to have.</summary>
public enum TextFormat
{
    Email,
    Url,
    CreditCard,
}

/// <summary>Bounds of a length; null where there is none.</summary>
public sealed record LengthBounds(ulong? Min, ulong? Max);

/// <summary>Bounds of a value, as text in the column's own type; null where there is none.</summary>
public sealed record RangeBounds(string? Min, string? Max);

/// <summary>The type of one field and the rules for its values.</summary>
public sealed record Column
{
    public required ColumnKind Kind { get; init; }

    /// <summary>Digits in all and after the point; of decimals only.</summary>
    public byte Precision { get; init; }

    public byte Scale { get; init; }

    /// <summary>Absent is refused. A null that is present is not absent: it fails the type.</summary>
    public bool Required { get; init; }

    public ImmutableArray<string> Contains { get; init; } = [];

    public ImmutableArray<string> DoesNotContain { get; init; } = [];

    /// <summary>Each has to match somewhere in the text.</summary>
    public ImmutableArray<string> Regex { get; init; } = [];

    public TextFormat? Format { get; init; }

    public LengthBounds? Length { get; init; }

    public RangeBounds? Range { get; init; }

    /// <summary>The dotted path, from the root, of a field that has to hold the same value.</summary>
    public string? MustMatch { get; init; }

    /// <summary>Columns of the members of an object.</summary>
    public ImmutableSortedDictionary<string, Column> Properties { get; init; } = NoColumns;

    /// <summary>Sorted as everything here is: by the bytes of the names.</summary>
    public static ImmutableSortedDictionary<string, Column> NoColumns { get; } = ImmutableSortedDictionary.Create<string, Column>(Utf8Order.Instance);

    /// <summary>Whether it is a bare type, and so is written as a string.</summary>
    public bool IsBare => !Required && Contains.IsEmpty && DoesNotContain.IsEmpty && Regex.IsEmpty && Format is null && Length is null
        && Range is null && MustMatch is null && Properties.IsEmpty;

    /// <summary>The type in its canonical spelling: <c>decimal(12,2)</c>.</summary>
    public string TypeName => Kind switch
    {
        ColumnKind.Integer => "integer",
        ColumnKind.Float => "float",
        ColumnKind.Decimal => $"decimal({Precision},{Scale})",
        ColumnKind.Boolean => "boolean",
        ColumnKind.Text => "text",
        ColumnKind.Timestamp => "timestamp",
        ColumnKind.Date => "date",
        ColumnKind.Json => "json",
        ColumnKind.Binary => "binary",
        ColumnKind.Object => "object",
    };

    /// <summary>Reads a type in any of its spellings; null when it is none.</summary>
    public static Column? OfType(string text)
    {
        var name = text.Trim().ToLowerInvariant();
        ColumnKind? kind = name switch
        {
            "integer" or "int" => ColumnKind.Integer,
            "float" or "double" => ColumnKind.Float,
            "boolean" or "bool" => ColumnKind.Boolean,
            "text" or "string" => ColumnKind.Text,
            "timestamp" => ColumnKind.Timestamp,
            "date" => ColumnKind.Date,
            "json" => ColumnKind.Json,
            "binary" or "bytes" => ColumnKind.Binary,
            "object" => ColumnKind.Object,
            _ => null,
        };
        if (kind is { } known)
            return new() { Kind = known };
        var open = name.IndexOf('(', StringComparison.Ordinal);
        if (open < 0 || name[..open].TrimEnd() is not ("decimal" or "numeric") || name[^1] != ')')
            return null;
        var parts = name[(open + 1)..^1].Split(',');
        return parts.Length == 2 && TryByte(parts[0], out var precision) && TryByte(parts[1], out var scale)
            ? new() { Kind = ColumnKind.Decimal, Precision = precision, Scale = scale }
            : null;
    }

    static bool TryByte(string text, out byte number) =>
        byte.TryParse(text.Trim(), System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out number);

    /// <inheritdoc/>
    public bool Equals(Column? other) => other is not null && SchemaJson.Text(this) == SchemaJson.Text(other);

    public override int GetHashCode() => (int)Kind;
}

/// <summary>The order of names everywhere: by their UTF-8 bytes.</summary>
internal sealed class Utf8Order : IComparer<string>
{
    public static Utf8Order Instance { get; } = new();

    public int Compare(string? x, string? y)
    {
        if (x is null || y is null)
            return x is null ? y is null ? 0 : -1 : 1;
        // Code units order as bytes do, but for surrogates, which stand for what lies above all of the basic plane.
        var at = x.AsSpan().CommonPrefixLength(y);
        if (at == x.Length || at == y.Length)
            return x.Length - y.Length;
        var (left, right) = (x[at], y[at]);
        var (high, other) = (char.IsSurrogate(left), char.IsSurrogate(right));
        return high == other ? left - right : high ? 1 : -1;
    }
}
