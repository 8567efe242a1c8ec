using System.Diagnostics.CodeAnalysis;

namespace EventDbx.Access;

/// <summary>What a caller may do: actions, and the aggregates on which.</summary>
/// <remarks>
/// <code>
/// action     aggregate.append     aggregate.*     *     *.*
/// resource   aggregate:TYPE:ID    aggregate:TYPE = all ids    *      globs; in a name : * ? % are percent-encoded
/// </code>
/// No action allows nothing; no resource allows every aggregate, as published. Checked by <see cref="Session"/>, and nowhere else.
/// </remarks>
public sealed class Grants
{
    const string Prefix = "aggregate:";

    readonly bool[] _actions;
    readonly (Glob Type, Glob Id)[]? _resources;

    Grants(bool root, bool[] actions, (Glob, Glob)[]? resources) => (Root, _actions, _resources) = (root, actions, resources);

    /// <summary>The owner of the directory, and root tokens.</summary>
    public static Grants Everything { get; } = new(root: true, [.. AccessActions.All.Select(_ => true)], resources: null);

    /// <summary>Whether tokens, settings and everything else may be managed as well.</summary>
    public bool Root { get; }

    /// <summary>Whether every aggregate is within reach.</summary>
    public bool Unrestricted => _resources is null;

    /// <summary>Reads patterns, or says which of them is none.</summary>
    /// <param name="actions">Each matches at least one action of <see cref="AccessActions"/>.</param>
    /// <param name="resources">Empty: all.</param>
    public static bool TryParse(
        IReadOnlyList<string> actions, IReadOnlyList<string> resources, [NotNullWhen(true)] out Grants? grants, out Refusal refusal)
    {
        (grants, refusal) = (null, default);
        var allowed = new bool[AccessActions.All.Count];
        foreach (var action in actions)
        {
            var pattern = Glob.Of(action);
            var all = action is "*" or "*.*";
            var any = false;
            foreach (var known in AccessActions.All)
            {
                if (all || pattern.Matches(AccessActions.NameOf(known)))
                    allowed[(int)known] = any = true;
            }

            if (!any)
            {
                var names = AccessActions.All.Select(AccessActions.NameOf).ToArray();
                refusal = new(RefusalCode.InvalidArgument,
                    $"`{action}` is no action{NearestName.Hint(action, names)}; known are {string.Join(", ", names)}, and patterns of them such as aggregate.*.");
                return false;
            }
        }

        var everywhere = resources.Count == 0;
        var parsed = new List<(Glob, Glob)>();
        foreach (var resource in resources)
        {
            if (resource is "*" or "*.*")
            {
                everywhere = true;
                continue;
            }

            if (ParseResource(resource) is not { } both)
            {
                refusal = new(RefusalCode.InvalidArgument,
                    $"`{resource}` is no resource; the form is aggregate:TYPE:ID or aggregate:TYPE, with * and ? as wildcards, or * for all. In a name, : * ? and % are percent-encoded.");
                return false;
            }

            everywhere |= both.Type.MatchesAll && both.Id.MatchesAll;
            parsed.Add(both);
        }

        grants = new(root: false, allowed, everywhere ? null : [.. parsed]);
        return true;
    }

    static (Glob Type, Glob Id)? ParseResource(string resource)
    {
        if (!resource.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        var rest = resource[Prefix.Length..];
        var colon = rest.IndexOf(':', StringComparison.Ordinal);
        var (type, id) = colon < 0 ? (rest, "*") : (rest[..colon], rest[(colon + 1)..]);
        if (type.Length == 0 || id.Length == 0 || Glob.OfEncoded(type) is not { } types || Glob.OfEncoded(id) is not { } ids)
            return null;
        return (types, ids);
    }

    /// <summary>Whether the action is allowed on this aggregate; without one, on any at all.</summary>
    public bool Allows(AccessAction action, AggregateKey? aggregate = null)
    {
        var granted = action switch
        {
            AccessAction.AggregateRead => Has(AccessAction.AggregateRead) || Has(AccessAction.AggregateAppend),
            AccessAction.FeedRead => Has(AccessAction.FeedRead) || (Has(AccessAction.AggregateRead) && Unrestricted),
            // These speak of every aggregate at once.
            AccessAction.LogRead => Has(AccessAction.LogRead) && Unrestricted,
            _ => Has(action),
        };
        return granted && (aggregate is null || Reaches(aggregate));
    }

    /// <summary>
    /// Whether checkpoints, their consistency, tiles and the log's key are shown: log.read, on whatever resources. They say how long the log
    /// is, and hashes that are salted; control entries, salts and the verification of everything need log.read on everything.
    /// </summary>
    public bool AllowsLogProofs => Has(AccessAction.LogRead);

    /// <summary>Whether the aggregate is among the resources.</summary>
    internal bool Reaches(AggregateKey aggregate)
    {
        if (_resources is null)
            return true;
        foreach (var (type, id) in _resources)
        {
            if (type.Matches(aggregate.Type) && id.Matches(aggregate.Id))
                return true;
        }

        return false;
    }

    bool Has(AccessAction action) => _actions[(int)action];
}
