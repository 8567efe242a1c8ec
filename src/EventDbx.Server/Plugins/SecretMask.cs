using System.Collections.Immutable;

namespace EventDbx.Server.Plugins;

/// <summary>Takes the secrets of a plugin out of what its other end says, before it is told to anybody: some services answer with what they were sent.</summary>
internal sealed class SecretMask
{
    /// <summary>Shorter values are no secrets, and would be found in every sentence.</summary>
    const int CharactersMin = 4;

    /// <summary>Of a value of several words (<c>Bearer …</c>) each that is as long as this is hidden by itself as well.</summary>
    const int WordMin = 8;

    readonly string[] _secrets;

    SecretMask(IEnumerable<string> secrets) =>
        // The longest first: a part of one is no other one.
        _secrets = [.. secrets.Distinct(StringComparer.Ordinal).OrderByDescending(secret => secret.Length)];

    /// <summary>Of the values of headers and variables, and the signing secret.</summary>
    public static SecretMask Of(PluginConfig config) => new(SecretsOf(config).Where(value => value.Length >= CharactersMin));

    /// <summary>The same as texts, however short; of several words each as well.</summary>
    public static ImmutableArray<string> SecretsOf(PluginConfig config)
    {
        List<string> values = [.. config.Headers.Where(header => !IsPublic(header.Key)).Select(header => header.Value)];
        if (config.SigningSecret is { } secret)
            values.Add(secret);
        if (config.Program is { } program)
            values.AddRange(program.Env.Values);
        return [.. values.SelectMany(PartsOf).Where(value => value.Length > 0)];
    }

    /// <summary>A value, and of several words each that is long enough to be a secret by itself.</summary>
    public static IEnumerable<string> PartsOf(string value) => value.Split(' ').Where(word => word.Length >= WordMin).Prepend(value);

    /// <summary>Headers that say in what form things are: no secret of anybody.</summary>
    public static bool IsPublic(string header) => header.Equals("Content-Type", StringComparison.OrdinalIgnoreCase) || header.Equals("Accept", StringComparison.OrdinalIgnoreCase);

    /// <summary>Without secrets.</summary>
    public string Hide(string text)
    {
        foreach (var secret in _secrets)
            text = text.Replace(secret, PluginJson.Hidden, StringComparison.Ordinal);
        return text;
    }

    /// <summary>As a failure tells it: in one line, without secrets, <see cref="ServerLimits.PluginTextMax"/> characters at most and then <c>…</c>.</summary>
    public string Told(string text)
    {
        StringBuilder line = new(Math.Min(text.Length, 1024));
        foreach (var c in Hide(text))
        {
            // Controls, and the marks that end a line or turn the direction of text.
            if (char.IsControl(c) || c is (>= '\u2028' and <= '\u202e') or (>= '\u2066' and <= '\u2069'))
                line.Append(line.Length > 0 && line[^1] != ' ' ? " " : "");
            else
                line.Append(c);
        }

        var told = line.ToString().Trim();
        if (told.Length <= ServerLimits.PluginTextMax)
            return told;
        var end = char.IsHighSurrogate(told[ServerLimits.PluginTextMax - 1]) ? ServerLimits.PluginTextMax - 1 : ServerLimits.PluginTextMax;
        return told[..end] + "…";
    }
}
