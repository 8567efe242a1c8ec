using System.Buffers;
using System.Buffers.Text;

namespace EventDbx.Backups;

/// <summary>Keys and secrets that a backup must not hold, each in every form in which it may stand in a file: the text, the bytes that it stands for, and those in hex and in base64.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class SecretTexts
{
    /// <summary>Stands where one stood.</summary>
    public const string Blank = "(left out)";

    /// <summary>Characters of a secret that is looked for: a key has 44, and what is much shorter may stand anywhere.</summary>
    const int CharactersMin = 16;

    /// <summary>Bytes of a form that is none of text.</summary>
    const int BytesMin = 12;

    /// <summary>Bytes of a file that are looked at together.</summary>
    const int WindowBytes = 64 * 1024;

    readonly string[] _secrets;

    /// <summary>Those that may stand in a text, the longest first: a part of one is no other one.</summary>
    readonly string[] _texts;

    /// <summary>Those that may stand in a file, a character for each byte.</summary>
    readonly SearchValues<string> _forms;

    readonly int _longest;

    /// <param name="secrets">As text; short ones are not looked for.</param>
    public SecretTexts(IEnumerable<string> secrets)
    {
        _secrets = [.. secrets.Select(static secret => secret.Trim()).Where(static secret => secret.Length >= CharactersMin).Distinct(StringComparer.Ordinal)];
        HashSet<string> texts = new(StringComparer.Ordinal), forms = new(StringComparer.Ordinal);
        foreach (var secret in _secrets)
        {
            texts.Add(secret);
            AddFormsOf(Encoding.UTF8.GetBytes(secret));
            if (TryDecode(secret) is { Length: >= BytesMin } bytes)
                AddFormsOf(bytes);
        }

        foreach (var text in texts)
            forms.Add(AsBytes(Encoding.UTF8.GetBytes(text)));
        _texts = [.. texts.OrderByDescending(static text => text.Length)];
        _forms = SearchValues.Create([.. forms], StringComparison.Ordinal);
        _longest = forms.Count == 0 ? 0 : forms.Max(static form => form.Length);

        void AddFormsOf(byte[] bytes)
        {
            forms.Add(AsBytes(bytes));
            texts.Add(Convert.ToHexString(bytes));
            texts.Add(Convert.ToHexStringLower(bytes));
            // Padding or not: what stands before it is looked for.
            texts.Add(Convert.ToBase64String(bytes).TrimEnd('='));
            texts.Add(Base64Url.EncodeToString(bytes));
        }
    }

    /// <summary>None at all.</summary>
    public static SecretTexts None { get; } = new([]);

    /// <summary>These and others.</summary>
    public SecretTexts And(IEnumerable<string> others) => new(_secrets.Concat(others));

    /// <summary>The text, with <see cref="Blank"/> where one of them stood.</summary>
    public string RemoveFrom(string text)
    {
        foreach (var secret in _texts)
            text = text.Replace(secret, Blank, StringComparison.Ordinal);
        return text;
    }

    /// <summary>Whether one of them stands in what follows.</summary>
    /// <param name="content">Read on from where it is.</param>
    /// <param name="bytes">How much of it is looked at.</param>
    public bool StandIn(Stream content, long bytes)
    {
        if (_longest == 0)
            return false;
        var read = new byte[WindowBytes];
        var window = new char[WindowBytes + _longest];
        for (var kept = 0; bytes > 0 && content.Read(read, 0, (int)Math.Min(bytes, read.Length)) is > 0 and var more; bytes -= more)
        {
            Encoding.Latin1.GetChars(read.AsSpan(0, more), window.AsSpan(kept));
            var seen = window.AsSpan(0, kept + more);
            if (seen.ContainsAny(_forms))
                return true;
            // One may begin here and end in what comes next.
            kept = Math.Min(_longest - 1, seen.Length);
            seen[^kept..].CopyTo(window);
        }

        return false;
    }

    static string AsBytes(byte[] bytes) => Encoding.Latin1.GetString(bytes);

    static byte[]? TryDecode(string text)
    {
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var count) ? bytes[..count] : null;
    }
}
