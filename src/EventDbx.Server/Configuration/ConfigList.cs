using System.Collections;

namespace EventDbx.Server.Configuration;

/// <summary>Several texts as one setting, in their order. Two lists of equal texts are equal.</summary>
public sealed class ConfigList(params IReadOnlyList<string> items) : IReadOnlyList<string>, IEquatable<ConfigList>
{
    /// <summary>Of none.</summary>
    public static ConfigList Empty { get; } = new();

    public int Count => items.Count;

    public string this[int index] => items[index];

    public bool Equals(ConfigList? other) => other is not null && this.SequenceEqual(other);

    public override bool Equals(object? obj) => Equals(obj as ConfigList);

    public override int GetHashCode() => items.Aggregate(items.Count, HashCode.Combine);

    public IEnumerator<string> GetEnumerator() => items.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
