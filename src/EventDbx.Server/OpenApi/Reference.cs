using System.Security.Cryptography;

namespace EventDbx.Server.OpenApi;

/// <summary>What the routes are: a document for programs, and the page that shows it. Both are made when they are first asked for.</summary>
/// <param name="version">Of the server.</param>
internal sealed class Reference(string version)
{
    readonly Lazy<Page> _document = new(() => new(OpenApiWriter.Write(version), "application/json", null));
    readonly Lazy<Page> _page = new(MakePage);

    public Page Document => _document.Value;

    public Page Html => _page.Value;

    /// <summary>One file, with its script and its style in it, which a policy names by their hashes: nothing else is run, and nothing is asked of anybody else.</summary>
    static Page MakePage()
    {
        var (script, style) = (Resources.Text("openapi/page/docs.js"), Resources.Text("openapi/page/docs.css"));
        var html = Resources.Text("openapi/page/docs.html")
            .Replace("/*style*/", style, StringComparison.Ordinal).Replace("/*script*/", script, StringComparison.Ordinal);
        return new(
            Encoding.UTF8.GetBytes(html), "text/html; charset=utf-8",
            $"default-src 'none'; script-src {HashOf(script)}; style-src {HashOf(style)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    }

    static string HashOf(string text) => $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";
}

/// <summary>An answer that stays the same.</summary>
/// <param name="Bytes">Of it.</param>
/// <param name="ContentType">Of it.</param>
/// <param name="Policy">Its Content-Security-Policy; null where nothing is run.</param>
internal sealed record Page(byte[] Bytes, string ContentType, string? Policy)
{
    /// <summary>Changes with the bytes.</summary>
    public string Tag { get; } = $"\"{Convert.ToHexStringLower(SHA256.HashData(Bytes).AsSpan(0, 16))}\"";
}

/// <summary>Files that are a part of this assembly.</summary>
internal static class Resources
{
    public static byte[] Read(string name)
    {
        using var file = typeof(Resources).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"{name} is no part of this program.");
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    public static string Text(string name) => Encoding.UTF8.GetString(Read(name));
}
