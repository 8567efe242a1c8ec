using System.CommandLine.Parsing;
using System.Globalization;

namespace EventDbx.Cli;

/// <summary>Options of the kinds that several commands have, each with one way of refusing a value.</summary>
internal static class Options
{
    /// <summary>A whole number within bounds; null when the option is not given.</summary>
    public static Option<long?> WholeNumber(string name, string description, long min = 0, long max = long.MaxValue, params string[] aliases) => new(name, aliases)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max)
                return number;

            result.AddError(max == long.MaxValue
                ? $"`{name}` must be a whole number, {min} or more, not `{text}`."
                : string.Create(CultureInfo.InvariantCulture, $"`{name}` must be a whole number from {min} to {max}, not `{text}`."));
            return null;
        },
    };

    /// <summary>A version, or how many of them; null when the option is not given.</summary>
    public static Option<ulong?> Version(string name, string description, params string[] aliases) => new(name, aliases)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                return number;

            result.AddError($"`{name}` must be a whole number, 0 or more, not `{text}`.");
            return null;
        },
    };

    /// <summary>A time in seconds, such as <c>0.5</c>; up to a day.</summary>
    public static TimeSpan? Seconds(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds) && seconds <= 86_400)
            return TimeSpan.FromSeconds(seconds);

        result.AddError($"`{((OptionResult)result.Parent!).Option.Name}` is a number of seconds, such as 5 or 0.5, not `{text}`.");
        return null;
    }

    public static Option<string> Text(string name, string valueName, string description, params string[] aliases) => new(name, aliases)
    {
        HelpName = valueName,
        Description = description,
    };

    /// <summary>The same, wherever on a command line it stands.</summary>
    public static Option<string> Anywhere(this Option<string> option)
    {
        option.Recursive = true;
        return option;
    }

    public static Option<bool> Switch(string name, string description) => new(name) { Description = description };

    /// <summary><c>true</c> or <c>false</c>, in writing; null when the option is not given.</summary>
    /// <remarks>As text: the parser takes nothing else for the value of an option of that type, and the refusal would be its own.</remarks>
    public static Option<string?> Truth(string name, string description) => new(name)
    {
        HelpName = "true|false",
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (text is "true" or "false")
                return text;

            result.AddError($"`{name}` must be true or false, not `{text}`.");
            return null;
        },
    };

    /// <summary>One of a few words; null when the option is not given.</summary>
    public static Option<string?> OneOf(string name, string description, params string[] words) => new(name)
    {
        HelpName = string.Join('|', words),
        Description = description,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (Array.Find(words, word => string.Equals(word, text, StringComparison.OrdinalIgnoreCase)) is { } known)
                return known;

            result.AddError($"`{name}` is {string.Join(" or ", words)}, not `{text}`.");
            return null;
        },
    };

    /// <summary>A moment; null when the option is not given.</summary>
    public static Timestamp? TimeOf(this Call call, Option<string> option) => call.Get(option) is not { } text ? null
        : Timestamp.TryParse(text, out var time, out var refusal) ? time
        : throw new UsageException($"`{option.Name}`: {refusal.Message}");

    /// <summary>Refuses two options that exclude each other.</summary>
    public static void NotBoth(this Call call, Option one, Option other)
    {
        if (call.Has(one) && call.Has(other))
            throw new UsageException($"`{one.Name}` and `{other.Name}` exclude each other.");
    }
}
