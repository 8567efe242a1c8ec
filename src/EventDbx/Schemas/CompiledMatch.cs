using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>One <c>must_match</c>: two paths whose values have to be equal in the type they share.</summary>
internal sealed class CompiledMatch
{
    readonly Column _column;
    readonly string _path, _target;
    readonly byte[][] _from, _to;
    readonly bool _isSecret;

    CompiledMatch(Column column, ImmutableArray<string> from, bool isSecret)
    {
        (_column, _path, _target, _isSecret) = (column, string.Join('.', from), column.MustMatch!, isSecret);
        _from = [.. from.Select(Encoding.UTF8.GetBytes)];
        _to = [.. _target.Split('.').Select(Encoding.UTF8.GetBytes)];
    }

    /// <summary>All of a schema: a level before what is nested in it, each in the order of names.</summary>
    public static CompiledMatch[] AllOf(AggregateSchema schema)
    {
        List<CompiledMatch> matches = [];
        Collect(schema.ColumnTypes, [], schema, matches);
        return [.. matches];
    }

    public void Check(in JsonPayload payload, Findings findings)
    {
        if (!TryFind(payload, _from, out var source))
            return;
        if (!TryFind(payload, _to, out var target))
        {
            findings.Add(_path, SchemaRule.MustMatch, $"The field `{_path}` has to match `{_target}`, which is missing.");
            return;
        }

        if (AreEqual(source, target) is false)
        {
            var found = _isSecret ? "a value that is hidden" : SchemaRefusal.Shown(source);
            findings.Add(_path, SchemaRule.MustMatch, $"The field `{_path}` is {found}; it has to match `{_target}`, which holds another value.");
        }
    }

    // Null when one of them is not of the type: that has been said already.
    bool? AreEqual(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        switch (_column.Kind)
        {
            case ColumnKind.Text or ColumnKind.Binary:
                if (left[0] != (byte)'"' || right[0] != (byte)'"')
                    return null;
                if (left.SequenceEqual(right))
                    return true;
                using (JsonText one = new(left, stackalloc char[JsonText.StackCharacters]))
                using (JsonText other = new(right, stackalloc char[JsonText.StackCharacters]))
                {
                    var areOfType = _column.Kind == ColumnKind.Text
                        || (Base64Text.TryLength(one.Characters, out _) && Base64Text.TryLength(other.Characters, out _));
                    return areOfType ? one.Characters.SequenceEqual(other.Characters) : null;
                }

            case ColumnKind.Object when left[0] != (byte)'{' || right[0] != (byte)'{':
                return null;
            case ColumnKind.Json or ColumnKind.Object:
                // Minified texts are mostly equal when their values are; trees are built only when they are not.
                return left.SequenceEqual(right) || JsonTree.Parse(left).SameAs(JsonTree.Parse(right));
            default:
                return ColumnValue.TryRead(_column.Kind, left, out var a) && ColumnValue.TryRead(_column.Kind, right, out var b)
                    ? a.CompareTo(b, _column.Kind) == 0
                    : null;
        }
    }

    static void Collect(
        ImmutableSortedDictionary<string, Column> columns, ImmutableArray<string> above, AggregateSchema schema, List<CompiledMatch> matches)
    {
        foreach (var (name, column) in columns)
        {
            var path = above.Add(name);
            if (column.MustMatch is not null)
                matches.Add(new(column, path, schema.HiddenFields.Contains(path[0])));
        }

        foreach (var (name, column) in columns)
        {
            if (!column.Properties.IsEmpty)
                Collect(column.Properties, above.Add(name), schema, matches);
        }
    }

    static bool TryFind(in JsonPayload payload, byte[][] path, out ReadOnlySpan<byte> value)
    {
        value = default;
        var members = payload.Members;
        var (low, high) = (0, members.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var order = payload.NameOf(members[middle]).SequenceCompareTo(path[0]);
            if (order == 0)
            {
                value = payload.ValueOf(members[middle]);
                for (var i = 1; i < path.Length; i++)
                {
                    if (value[0] != (byte)'{' || !ObjectWalk.TryFind(value, path[i], out value))
                        return false;
                }

                return true;
            }

            if (order < 0)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return false;
    }
}
