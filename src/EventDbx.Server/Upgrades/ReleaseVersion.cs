using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace EventDbx.Server.Upgrades;

/// <summary>The version of a release: <c>2.1.0</c>, <c>2.2.0-rc.1</c>. Ordered as semver.org says.</summary>
public sealed record ReleaseVersion : IComparable<ReleaseVersion>
{
    /// <summary>Characters of a version: with room for long names of candidates, and short of what a file name has room for.</summary>
    const int LengthMax = 64;

    readonly int _major, _minor, _patch;
    readonly string _candidate;

    ReleaseVersion(int major, int minor, int patch, string candidate) => (_major, _minor, _patch, _candidate) = (major, minor, patch, candidate);

    /// <summary>Releases before it have nothing that this program could install.</summary>
    public static ReleaseVersion Minimum { get; } = new(1, 13, 2, "");

    /// <summary>As releases are tagged: <c>v2.1.0</c>.</summary>
    public string Tag => $"v{this}";

    /// <summary>Whether it was built from a checkout, and is no release.</summary>
    public bool IsDevelopment => _candidate == "dev";

    /// <summary>Whether it is only to become a release: <c>2.2.0-rc.1</c>.</summary>
    public bool IsCandidate => _candidate.Length > 0;

    /// <summary>Reads a version, with a <c>v</c> before it or without.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out ReleaseVersion? version)
    {
        version = null;
        var plain = text.StartsWith('v') ? text[1..] : text;
        if (plain.Length > LengthMax)
            return false;
        var hyphen = plain.IndexOf('-', StringComparison.Ordinal);
        var (numbers, candidate) = hyphen < 0 ? (plain, "") : (plain[..hyphen], plain[(hyphen + 1)..]);
        if (numbers.Split('.') is not [var major, var minor, var patch] || !IsNumber(major, out var one) || !IsNumber(minor, out var two) || !IsNumber(patch, out var three))
            return false;
        if (hyphen >= 0 && !candidate.Split('.').All(IsIdentifier))
            return false;
        version = new(one, two, three, candidate);
        return true;
    }

    public int CompareTo(ReleaseVersion? other)
    {
        if (other is null)
            return 1;
        var numbers = (_major, _minor, _patch).CompareTo((other._major, other._minor, other._patch));
        if (numbers != 0 || _candidate == other._candidate)
            return numbers;
        // A candidate comes before what it is one of.
        return _candidate.Length == 0 ? 1 : other._candidate.Length == 0 ? -1 : CompareCandidates(_candidate.Split('.'), other._candidate.Split('.'));
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{_major}.{_minor}.{_patch}{(_candidate.Length == 0 ? "" : "-")}{_candidate}");

    public static bool operator <(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) < 0;

    public static bool operator >(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) > 0;

    public static bool operator <=(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) <= 0;

    public static bool operator >=(ReleaseVersion left, ReleaseVersion right) => left.CompareTo(right) >= 0;

    static int CompareCandidates(string[] left, string[] right)
    {
        for (var at = 0; at < Math.Min(left.Length, right.Length); at++)
        {
            var (leftIsNumber, rightIsNumber) = (IsNumber(left[at], out var one), IsNumber(right[at], out var other));
            var compared = leftIsNumber && rightIsNumber ? one.CompareTo(other)
                : leftIsNumber != rightIsNumber ? (leftIsNumber ? -1 : 1)
                : string.CompareOrdinal(left[at], right[at]);
            if (compared != 0)
                return compared;
        }

        return left.Length.CompareTo(right.Length);
    }

    static bool IsNumber(string text, out int number)
    {
        number = 0;
        return (text.Length == 1 || !text.StartsWith('0')) && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    static bool IsIdentifier(string text) =>
        text.Length > 0 && text.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-') && (!text.All(char.IsAsciiDigit) || IsNumber(text, out _));
}
