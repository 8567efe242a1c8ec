using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;
using EventDbx.Server.Rest;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.GraphQL;

/// <summary>The page in a browser: GraphiQL with a box for the token, from this assembly and from nowhere else. tools/graphql-page makes it.</summary>
internal static class GraphQLPage
{
    const string Prefix = "graphql-page/", Index = "index.html", Packed = ".gz";

    /// <summary>Nothing from elsewhere, nothing to elsewhere. Styles stand in the document as well: dialogs of the page put some there.</summary>
    const string Policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws: wss:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    static readonly FrozenDictionary<string, byte[]> Files = Read();

    /// <summary>Its names, for tests: those of the files it loads.</summary>
    public static IEnumerable<string> Names => Files.Keys;

    public static Task ShowAsync(RestCall call)
    {
        Guard(call.Http.Response.Headers);
        call.Http.Response.Headers.CacheControl = "no-store";
        return Answer.BytesAsync(call.Http, Files[Index], "text/html; charset=utf-8");
    }

    public static Task ScriptAsync(RestCall call) => SendAsync(call, "page.js", "text/javascript; charset=utf-8");

    public static Task StyleAsync(RestCall call) => SendAsync(call, "page.css", "text/css; charset=utf-8");

    /// <summary>A browser keeps it, and asks each time whether it is the same still: a newer server has another.</summary>
    static Task SendAsync(RestCall call, string name, string type)
    {
        if (Surfaces.RefusalOf(Surface.GraphQL, call.Config) is { } off)
            throw new RefusedException(off);
        var packed = Files[name + Packed];
        var gzip = TakesGzip(call.Http.Request.Headers.AcceptEncoding);
        var headers = call.Http.Response.Headers;
        Guard(headers);
        headers.CacheControl = "no-cache";
        headers.Vary = "Accept-Encoding";
        var tag = $"\"{Convert.ToHexStringLower(SHA256.HashData(packed).AsSpan(0, 8))}{(gzip ? "-gzip" : "")}\"";
        headers.ETag = tag;
        if (EntityTag.IsAmong(call.Http.Request.Headers.IfNoneMatch, tag))
        {
            call.Http.Response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        if (!gzip)
            return Answer.BytesAsync(call.Http, Unpacked(packed), type);
        headers.ContentEncoding = "gzip";
        return Answer.BytesAsync(call.Http, packed, type);
    }

    static void Guard(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
    }

    /// <summary>Whether gzip is among what is taken. Who takes it with quality 0 does not.</summary>
    static bool TakesGzip(Microsoft.Extensions.Primitives.StringValues accepted) =>
        Microsoft.Net.Http.Headers.StringWithQualityHeaderValue.TryParseList(accepted, out var codings)
        && codings.Any(coding => coding.Value.Equals("gzip", StringComparison.OrdinalIgnoreCase) && coding.Quality != 0);

    static byte[] Unpacked(byte[] packed)
    {
        using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var plain = new MemoryStream();
        gzip.CopyTo(plain);
        return plain.ToArray();
    }

    static FrozenDictionary<string, byte[]> Read()
    {
        var assembly = typeof(GraphQLPage).Assembly;
        var files = new Dictionary<string, byte[]>();
        foreach (var name in assembly.GetManifestResourceNames())
        {
            if (!name.StartsWith(Prefix, StringComparison.Ordinal))
                continue;
            using var from = assembly.GetManifestResourceStream(name)!;
            var bytes = new byte[from.Length];
            from.ReadExactly(bytes);
            files[name[Prefix.Length..]] = bytes;
        }

        return files.ToFrozenDictionary();
    }
}
