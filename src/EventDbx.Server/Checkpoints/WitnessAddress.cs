using System.Globalization;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Checkpoints;

/// <summary>A witness that checkpoints are sent to, as <c>log.witnesses</c> names it: <c>VKEY URL</c>.</summary>
/// <param name="Key">Its key, algorithm 04: what its cosignatures are held against.</param>
/// <param name="Url">Its submission prefix; <c>/add-checkpoint</c> stands behind it.</param>
public sealed record WitnessAddress(NoteKey Key, Uri Url)
{
    /// <summary>Where checkpoints are posted.</summary>
    public Uri AddCheckpoint => new(Url.AbsoluteUri.TrimEnd('/') + "/add-checkpoint");

    /// <summary>The witnesses of a configuration.</summary>
    public static IReadOnlyList<WitnessAddress> Of(ServerConfig config) => [.. config.LogWitnesses.Select(Parse)];

    /// <summary>A setting, checked.</summary>
    internal static ConfigList Checked(ConfigValue value)
    {
        var texts = value.Texts("a list of \"VKEY URL\", one for each witness, as in [\"w.example+01234567+BAAA… https://w.example\"]");
        if (texts.Count > WitnessesMax)
            throw new ConfigValueException($"a list of up to {WitnessesMax} witnesses: a checkpoint has no room for more cosignatures");
        var known = new HashSet<(string, uint)>();
        foreach (var text in texts)
        {
            if (!known.Add((Parse(text).Key.Name, Parse(text).Key.Id)))
                throw new ConfigValueException("a list in which each witness stands once");
        }

        return texts;
    }

    /// <summary>An origin, checked: the name of a key, and short enough for a key's name with the mark of an epoch behind it.</summary>
    internal static string CheckedOrigin(ConfigValue value)
    {
        var what = $"a name without white space and plus, such as \"example.com/orders\", of up to {OriginMax} characters, and none of another epoch";
        var origin = value.Text(what);
        // What stands behind the last slash in a later epoch is ours to set.
        var leaf = origin[(origin.LastIndexOf('/') + 1)..];
        // Nor a character that nobody sees: a byte order mark at the beginning is dropped by whoever reads the file it is printed into.
        return SignedNote.IsKeyName(origin) && !origin.EnumerateRunes().Any(IsUnseen) && origin.Length <= OriginMax && leaf.Length > 0
            && !(origin.Contains('/', StringComparison.Ordinal) && leaf.Length > 1 && leaf[0] == 'e' && leaf.AsSpan(1).IndexOfAnyExceptInRange('0', '9') < 0)
            ? origin
            : throw new ConfigValueException(what);
    }

    static bool IsUnseen(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate;

    const int OriginMax = 200;

    /// <summary>Witnesses at most: a note has that many signatures beside the log's own.</summary>
    const int WitnessesMax = SignedNote.SignaturesMax - 1;

    static WitnessAddress Parse(string text)
    {
        var at = text.IndexOf(' ', StringComparison.Ordinal);
        string? why = "there is no URL behind the key";
        if (at <= 0 || !NoteKey.TryParse(text[..at], out var key, out why))
            throw new ConfigValueException($"a list of \"VKEY URL\"; {why}");
        if (key.Algorithm != NoteAlgorithm.Cosignature)
            throw new ConfigValueException($"a list of \"VKEY URL\" with keys of witnesses (04); that of {key.Name} is one of a log (01)");
        return Uri.TryCreate(text[(at + 1)..].Trim(), UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.Query.Length == 0 && url.Fragment.Length == 0
            ? new(key, url)
            : throw new ConfigValueException("a list of \"VKEY URL\" with URLs of http or https, without a query");
    }
}
