using System.Collections.Immutable;
using System.Globalization;

namespace EventDbx.Schemas;

#pragma warning disable CA1720 // The kinds are named as the types are in JSON.
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
#pragma warning restore CA1720

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

/// <summary>The type of one field and the rules for its values. Equal by content.</summary>
public sealed record Column
{
    public required ColumnKind Kind { get; init; }

    /// <summary>Digits in all; of decimals only.</summary>
    public byte Precision { get; init; }

    /// <summary>Digits after the point; of decimals only.</summary>
    public byte Scale { get; init; }

    /// <summary>Absent is refused. A null that is present is not absent: it fails the type.</summary>
    public bool Required { get; init; }

    /// <summary>Each has to stand somewhere in the text.</summary>
    public ImmutableArray<string> Contains { get; init; } = [];

    /// <summary>None may stand anywhere in the text.</summary>
    public ImmutableArray<string> DoesNotContain { get; init; } = [];

    /// <summary>Each has to match somewhere in the text.</summary>
    public ImmutableArray<string> Regex { get; init; } = [];

    public TextFormat? Format { get; init; }

    /// <summary>Of a text in Unicode scalar values, of a binary in bytes.</summary>
    public LengthBounds? Length { get; init; }

    public RangeBounds? Range { get; init; }

    /// <summary>The dotted path, from the root, of a field that has to hold the same value.</summary>
    public string? MustMatch { get; init; }

    /// <summary>Columns of the members of an object.</summary>
    public ImmutableSortedDictionary<string, Column> Properties
    {
        get;
        init => field = Utf8Order.Sorted(value);
    } = None;

    /// <summary>No columns, in the order of names.</summary>
    public static ImmutableSortedDictionary<string, Column> None { get; } = ImmutableSortedDictionary.Create<string, Column>(Utf8Order.Instance);

    /// <summary>Whether it is a type without rules, and so is written as a string.</summary>
    public bool IsBare => !Required && Contains.IsEmpty && DoesNotContain.IsEmpty && Regex.IsEmpty && Format is null && Length is null
        && Range is null && MustMatch is null && Properties.IsEmpty;

    /// <summary>The same type without any rules.</summary>
    public Column Bare => new() { Kind = Kind, Precision = Precision, Scale = Scale };

    /// <summary>The type in its canonical spelling: <c>decimal(12,2)</c>.</summary>
    public string TypeName => Kind switch
    {
        ColumnKind.Integer => "integer",
        ColumnKind.Float => "float",
        ColumnKind.Decimal => string.Create(CultureInfo.InvariantCulture, $"decimal({Precision},{Scale})"),
        ColumnKind.Boolean => "boolean",
        ColumnKind.Text => "text",
        ColumnKind.Timestamp => "timestamp",
        ColumnKind.Date => "date",
        ColumnKind.Json => "json",
        ColumnKind.Binary => "binary",
        ColumnKind.Object => "object",
    };

    /// <summary>The canonical spellings, for messages.</summary>
    internal static readonly string[] TypeNames =
        ["integer", "float", "decimal(p,s)", "boolean", "text", "timestamp", "date", "json", "binary", "object"];

    /// <summary>Reads a type in any of its spellings, without rules; null when it is none.</summary>
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

    /// <summary>This type under the rules of another column; with <paramref name="keepProperties"/>, this one's nested columns.</summary>
    internal Column Under(Column rules, bool keepProperties) =>
        rules with { Kind = Kind, Precision = Precision, Scale = Scale, Properties = keepProperties ? Properties : rules.Properties };

    public bool Equals(Column? other) =>
        other is not null && Kind == other.Kind && Precision == other.Precision && Scale == other.Scale
        && Required == other.Required && Format == other.Format && Length == other.Length && Range == other.Range
        && MustMatch == other.MustMatch && Contains.SequenceEqual(other.Contains, StringComparer.Ordinal)
        && DoesNotContain.SequenceEqual(other.DoesNotContain, StringComparer.Ordinal)
        && Regex.SequenceEqual(other.Regex, StringComparer.Ordinal) && Utf8Order.Same(Properties, other.Properties);

    public override int GetHashCode() => HashCode.Combine(Kind, Precision, Scale, Required, Format, MustMatch, Properties.Count);

    // Only digits: the framework's own parser takes NUL characters behind them.
    static bool TryByte(string text, out byte number)
    {
        number = 0;
        var digits = text.AsSpan().Trim();
        return !digits.ContainsAnyExceptInRange('0', '9') && byte.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
