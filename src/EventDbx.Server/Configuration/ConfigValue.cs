using System.Globalization;
using System.Net;

namespace EventDbx.Server.Configuration;

/// <summary>A value on its way into a <see cref="ServerConfig"/>: from TOML (typed) or from a command line (text).</summary>
/// <param name="Content">A <see cref="long"/>, <see cref="bool"/>, <see cref="string"/>, list of strings, or anything else, which no key accepts.</param>
/// <param name="IsText">Text may be read as a number or a truth value; a TOML string may not.</param>
public readonly record struct ConfigValue(object? Content, bool IsText)
{
    public static ConfigValue OfText(string text) => new(text, IsText: true);

    internal int Integer(int min, int max) => (int)Long(min, max);

    internal long Long(long min, long max)
    {
        long? number = Content switch
        {
            long n => n,
            string text when IsText && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) => n,
            _ => null,
        };
        return number >= min && number <= max
            ? number.Value
            : throw new ConfigValueException(max == long.MaxValue
                ? $"a whole number, {min} or more"
                : string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}"));
    }

    internal bool Truth() => Content switch
    {
        bool truth => truth,
        "true" when IsText => true,
        "false" when IsText => false,
        _ => throw new ConfigValueException("true or false"),
    };

    internal string Text(string what)
    {
        var text = Content is string content ? content.Trim() : "";
        return text.Length > 0 ? text : throw new ConfigValueException(what);
    }

    /// <summary>Several texts: an array of strings, or text with commas between them. None of them is empty.</summary>
    internal ConfigList Texts(string what)
    {
        var texts = Content switch
        {
            IReadOnlyList<string> items => items,
            string text when IsText => text.Split(',', StringSplitOptions.TrimEntries),
            _ => throw new ConfigValueException(what),
        };
        return texts.All(text => text.Trim().Length > 0) ? new([.. texts.Select(text => text.Trim())]) : throw new ConfigValueException(what);
    }

    /// <summary>An address and port, such as <c>127.0.0.1:7070</c> or <c>[::1]:7070</c>.</summary>
    internal string Endpoint()
    {
        const string what = "an IP address and a port, such as \"127.0.0.1:7070\" or \"[::1]:7070\"";
        var text = Text(what);
        var colon = text.LastIndexOf(':');
        return colon > 0
            && (text[..colon].Contains('.', StringComparison.Ordinal) || text[colon - 1] == ']')
            && IPEndPoint.TryParse(text, out _)
            ? text
            : throw new ConfigValueException(what);
    }

    internal string Address()
    {
        const string what = "an IP address, such as \"127.0.0.1\" or \"::1\"";
        var text = Text(what);
        return IPAddress.TryParse(text, out _) && (text.Contains(':', StringComparison.Ordinal) || text.Count(c => c == '.') == 3)
            ? text
            : throw new ConfigValueException(what);
    }

    internal T OneOf<T>(params ReadOnlySpan<(string Name, T Meaning)> names)
    {
        foreach (var (name, meaning) in names)
        {
            if (Content is string text && text.Trim() == name)
                return meaning;
        }

        throw new ConfigValueException(AnyOf(names));
    }

    static string AnyOf<T>(ReadOnlySpan<(string Name, T Meaning)> names)
    {
        List<string> quoted = [];
        foreach (var (name, _) in names)
            quoted.Add($"\"{name}\"");
        return quoted.Count < 2 ? quoted[0] : string.Join(", ", quoted[..^1]) + " or " + quoted[^1];
    }
}

/// <summary>A value is not what its key accepts; <paramref name="accepted"/> is, in words that follow "must be".</summary>
public sealed class ConfigValueException(string accepted) : Exception($"must be {accepted}")
{
    public string Accepted => accepted;
}
