using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>The order of names everywhere: by their UTF-8 bytes.</summary>
internal sealed class Utf8Order : IComparer<string>
{
    public static Utf8Order Instance { get; } = new();

    /// <summary>The empty set of names, in this order.</summary>
    public static ImmutableSortedSet<string> NoNames { get; } = ImmutableSortedSet.Create<string>(Instance);

    public int Compare(string? x, string? y)
    {
        if (x is null || y is null)
            return x is null ? y is null ? 0 : -1 : 1;
        var at = x.AsSpan().CommonPrefixLength(y);
        if (at == x.Length || at == y.Length)
            return x.Length - y.Length;
        // Code units order as bytes do, but for surrogates, which stand for what lies above all of the basic plane.
        var (left, right) = (x[at], y[at]);
        var (high, other) = (char.IsSurrogate(left), char.IsSurrogate(right));
        return high == other ? left - right : high ? 1 : -1;
    }

    /// <summary>The same names in this order, whatever order they were made in.</summary>
    public static ImmutableSortedSet<string> Sorted(ImmutableSortedSet<string> names) =>
        names.KeyComparer == Instance ? names : names.WithComparer(Instance);

    /// <inheritdoc cref="Sorted(ImmutableSortedSet{string})"/>
    public static ImmutableSortedDictionary<string, T> Sorted<T>(ImmutableSortedDictionary<string, T> named) =>
        named.KeyComparer == Instance ? named : named.WithComparers(Instance);

    /// <summary>Whether both say the same under the same names.</summary>
    public static bool Same<T>(ImmutableSortedDictionary<string, T> left, ImmutableSortedDictionary<string, T> right) where T : class
    {
        if (ReferenceEquals(left, right))
            return true;
        if (left.Count != right.Count)
            return false;
        foreach (var (name, value) in left)
        {
            if (!right.TryGetValue(name, out var other) || !value.Equals(other))
                return false;
        }

        return true;
    }
}
