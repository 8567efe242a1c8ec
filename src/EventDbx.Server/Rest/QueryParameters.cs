using System.Globalization;

namespace EventDbx.Server.Rest;

/// <summary>The query of a request, held against the parameters that its route takes: one that is not known is refused, not ignored.</summary>
internal sealed class QueryParameters
{
    static readonly QueryParameters None = new([]);

    readonly (string Name, string Value)[] _given;

    QueryParameters((string, string)[] given) => _given = given;

    /// <exception cref="RefusedException">A parameter is unknown, stands twice, or is not percent-encoded UTF-8.</exception>
    public static QueryParameters Parse(string query, IReadOnlyList<string> known)
    {
        if (query.Length == 0)
            return None;
        var given = new List<(string Name, string Value)>();
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = RequestTarget.Decode(equals < 0 ? pair : pair[..equals], "A parameter of the query", plusIsSpace: true);
            if (!known.Contains(name))
            {
                throw new RefusedException(RefusalCode.UnknownMember, known.Count == 0
                    ? $"This route takes no parameters, and was given `{Shown.Of(name)}`."
                    : $"`{Shown.Of(name)}` is no parameter of this route{NearestName.Hint(name, known)}; known are {string.Join(", ", known)}.");
            }

            if (given.Exists(other => other.Name == name))
                throw new RefusedException(RefusalCode.UnknownMember, $"The parameter `{name}` stands twice; give it once.");
            given.Add((name, equals < 0 ? "" : RequestTarget.Decode(pair[(equals + 1)..], $"The parameter `{name}`", plusIsSpace: true)));
        }

        return new([.. given]);
    }

    public string? Text(string name)
    {
        foreach (var (known, value) in _given)
        {
            if (known == name)
                return value;
        }

        return null;
    }

    public ulong? Number(string name) => Text(name) is not { } text ? null
        : WholeNumber.TryRead(text, out var number) ? number
        : throw Refused(name, text, $"a whole number from 0 to {ulong.MaxValue}");

    public bool? Truth(string name) => Text(name) switch
    {
        null => null,
        "true" => true,
        "false" => false,
        var text => throw Refused(name, text, "true or false"),
    };

    /// <summary>An offset's plus may stand as it is, though elsewhere in a query it means a space.</summary>
    public Timestamp? Time(string name) => Text(name) is not { } text ? null
        : Timestamp.TryParse(text.Replace(' ', '+'), out var time, out var refusal) ? time
        : throw new RefusedException(refusal with { Message = $"`{name}`: {refusal.Message}" });

    /// <summary>Items on a page: lowered to what a page may have.</summary>
    public int Take(int unless, int max) => Number("take") is { } take ? (int)Math.Min(take, (ulong)max) : Math.Min(unless, max);

    public static RefusedException Refused(string name, string text, string wanted) =>
        new(RefusalCode.InvalidArgument, $"`{name}` is \"{Shown.Of(text)}\"; it takes {wanted}.");
}
