using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EventDbx.Schemas;

/// <summary>The forms of texts: email addresses, URLs, card numbers.</summary>
internal static class TextFormats
{
    const int LocalMax = 64;
    const int DomainMax = 255;
    const int LabelMax = 63;

    static readonly SearchValues<char> Local =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.!#$%&'*+/=?^_`{|}~-");

    /// <summary>The name in JSON.</summary>
    public static string NameOf(TextFormat format) => format switch
    {
        TextFormat.Email => "email",
        TextFormat.Url => "url",
        TextFormat.CreditCard => "credit_card",
    };

    /// <summary>What is accepted, for messages.</summary>
    public static string Accepts(TextFormat format) => format switch
    {
        TextFormat.Email => "an email address such as jane@example.com",
        TextFormat.Url => "an absolute URL such as https://example.com/path",
        TextFormat.CreditCard => "the digits of a card number of a known brand, with its check digit, nothing between them",
    };

    public static bool Matches(TextFormat format, ReadOnlySpan<char> text) => format switch
    {
        TextFormat.Email => IsEmail(text),
        TextFormat.Url => IsUrl(text),
        TextFormat.CreditCard => CardNumber.IsValid(text),
    };

    static bool IsEmail(ReadOnlySpan<char> text)
    {
        var at = text.LastIndexOf('@');
        if (at is < 1 or > LocalMax || text[..at].ContainsAnyExcept(Local))
            return false;
        var domain = text[(at + 1)..];
        if (domain is ['[', .., ']'])
            return IsAddress(domain[1..^1]);
        if (IsDomain(domain))
            return true;
        if (domain.Length > DomainMax || !domain.ContainsAnyExceptInRange('\0', '\x7F'))
            return false;
        try
        {
            return IsDomain(new IdnMapping().GetAscii(domain.ToString()));
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    static bool IsDomain(ReadOnlySpan<char> domain)
    {
        if (domain.Length is 0 or > DomainMax)
            return false;
        foreach (var range in domain.Split('.'))
        {
            var label = domain[range];
            if (label.Length is 0 or > LabelMax || label[0] == '-' || label[^1] == '-')
                return false;
            foreach (var letter in label)
            {
                if (!char.IsAsciiLetterOrDigit(letter) && letter != '-')
                    return false;
            }
        }

        return true;
    }

    // The framework's parser also takes 1, 0x7f.1 and a scope behind %: not here.
    static bool IsAddress(ReadOnlySpan<char> text)
    {
        if (!IPAddress.TryParse(text, out var address))
            return false;
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            return !text.ContainsAny("%[]");
        return text.SequenceEqual(address.ToString());
    }

    // Absolute, any scheme. The scheme is looked for first, because a path such as /etc is an absolute file URL to System.Uri.
    static bool IsUrl(ReadOnlySpan<char> text)
    {
        var colon = text.IndexOf(':');
        if (colon < 1 || !char.IsAsciiLetter(text[0]))
            return false;
        foreach (var letter in text[..colon])
        {
            if (!char.IsAsciiLetterOrDigit(letter) && letter is not ('+' or '-' or '.'))
                return false;
        }

        return Uri.TryCreate(text.ToString(), UriKind.Absolute, out _);
    }
}

/// <summary>Card numbers: a brand by its first digits, the brand's length, the check digit.</summary>
internal static class CardNumber
{
    delegate bool Starts(ReadOnlySpan<char> digits);

    // The first brand that the digits start as decides. Order and ranges are those of the existing implementation.
    static readonly (Starts Starts, int Min, int Max)[] Brands =
    [
        // Visa Electron: 4(026|17500|405|508|844|91[37])
        (d => d is ['4', '0', '2', '6', ..] or ['4', '1', '7', '5', '0', '0', ..] or ['4', '4', '0', '5', ..] or ['4', '5', '0', '8', ..]
            or ['4', '8', '4', '4', ..] or ['4', '9', '1', '3' or '7', ..], 16, 16),
        // Maestro: 5(018|0[23]|[68]) and 6(39|7)
        (d => d is ['5', '0', '1', '8', ..] or ['5', '0', '2' or '3', ..] or ['5', '6' or '8', ..] or ['6', '3', '9', ..] or ['6', '7', ..], 12, 19),
        (d => d is ['6', '0', '0', ..], 16, 16), // Forbrugsforeningen
        (d => d is ['5', '0', '1', '9', ..], 16, 16), // Dankort
        (d => d is ['4', ..], 13, 16), // Visa
        (d => d is ['2', '2', '0', >= '0' and <= '4', ..], 16, 19), // Mir
        (d => d is ['5', >= '1' and <= '5', ..] or ['2', >= '2' and <= '7', ..], 16, 16), // Mastercard
        (d => d is ['3', '4' or '7', ..], 15, 15), // American Express
        (d => d is ['3', '0' or '6' or '8' or '9', ..], 14, 14), // Diners Club
        (d => d is ['6', '0' or '4' or '5', ..] or ['6', '2', '2', ..], 16, 16), // Discover
        (d => d is ['6', '2', ..] or ['8', '8', ..], 16, 19), // UnionPay
        (d => d is ['3', '5', ..], 16, 16), // JCB
    ];

    public static bool IsValid(ReadOnlySpan<char> text)
    {
        if (text.IsEmpty || text.ContainsAnyExceptInRange('0', '9'))
            return false;
        foreach (var (starts, min, max) in Brands)
        {
            if (starts(text))
                return text.Length >= min && text.Length <= max && IsChecked(text);
        }

        return false;
    }

    // Luhn: from the right every second digit doubled, the sum of all digits a multiple of ten.
    static bool IsChecked(ReadOnlySpan<char> digits)
    {
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            var digit = digits[^(i + 1)] - '0';
            if (i % 2 == 1)
                digit = digit > 4 ? (2 * digit) - 9 : 2 * digit;
            sum += digit;
        }

        return sum % 10 == 0;
    }
}
