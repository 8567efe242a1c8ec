using System.Globalization;

namespace EventDbx.Schemas;

/// <summary>A set of characters of a pattern: ranges and Unicode categories, perhaps negated, perhaps whatever the case.</summary>
internal sealed class PatternSet
{
    const int AsciiMax = 127;

    // In the order of UnicodeCategory.
    static readonly string[] Names =
    [
        "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn",
    ];

    // Two words of bits: what holds for ASCII is asked once, when the pattern is compiled.
    readonly ulong _low, _high;
    readonly (int From, int To)[] _ranges;
    readonly PatternSet[] _parts;
    readonly int _categories;
    readonly bool _negated, _anyCase;

    /// <param name="ranges">Inclusive.</param>
    /// <param name="categories">One bit for each <see cref="UnicodeCategory"/>.</param>
    /// <param name="parts">Other sets in it.</param>
    public PatternSet(IEnumerable<(int From, int To)> ranges, int categories = 0, IEnumerable<PatternSet>? parts = null, bool negated = false, bool anyCase = false)
    {
        (_ranges, _categories, _parts, _negated, _anyCase) = ([.. ranges], categories, [.. parts ?? []], negated, anyCase);
        for (var value = 0; value <= AsciiMax; value++)
        {
            if (!Find(new(value)))
                continue;
            if (value < 64)
                _low |= 1UL << value;
            else
                _high |= 1UL << (value - 64);
        }
    }

    public static PatternSet Of(int value, bool anyCase) => new([(value, value)], anyCase: anyCase);

    /// <summary><c>.</c></summary>
    public static PatternSet Any(bool lines) => new(lines ? [] : [('\n', '\n')], negated: true);

    /// <summary><c>\d \w \s</c>, by the small letter.</summary>
    public static PatternSet Known(char letter, bool negated) => letter switch
    {
        'd' => new([], Bit(UnicodeCategory.DecimalDigitNumber), negated: negated),
        // White space beyond the categories of separators.
        's' => new([('\t', '\r'), (' ', ' '), (0x85, 0x85)], Category("Z"), negated: negated),
        _ => new([(0x200C, 0x200D)], Category("L") | Category("M") | Category("Nd") | Category("Nl") | Category("Pc"), negated: negated),
    };

    /// <summary>The bits of a general category by its short name, <c>L</c> or <c>Lu</c>; 0 when there is none.</summary>
    public static int Category(string name)
    {
        var bits = 0;
        for (var i = 0; i < Names.Length; i++)
        {
            if (name.Length is 1 or 2 && Names[i].StartsWith(name, StringComparison.Ordinal))
                bits |= 1 << i;
        }

        return bits;
    }

    /// <summary>What <c>\w</c> and <c>\b</c> call part of a word.</summary>
    public static PatternSet Word { get; } = Known('w', negated: false);

    public bool Has(Rune rune)
    {
        var value = rune.Value;
        if (value > AsciiMax)
            return Find(rune);
        return ((value < 64 ? _low >> value : _high >> (value - 64)) & 1) != 0;
    }

    static int Bit(UnicodeCategory category) => 1 << (int)category;

    bool Find(Rune rune) => _negated != (Holds(rune)
        || (_anyCase && (Holds(Rune.ToLowerInvariant(rune)) || Holds(Rune.ToUpperInvariant(rune)))));

    bool Holds(Rune rune)
    {
        foreach (var (from, to) in _ranges)
        {
            if (rune.Value >= from && rune.Value <= to)
                return true;
        }

        foreach (var part in _parts)
        {
            if (part.Has(rune))
                return true;
        }

        return _categories != 0 && (_categories & Bit(Rune.GetUnicodeCategory(rune))) != 0;
    }
}
