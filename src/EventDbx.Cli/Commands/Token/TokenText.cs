using System.Buffers;
using System.Globalization;
using System.Text;
using EventDbx.Server.Tokens;

namespace EventDbx.Cli.Commands.Token;

/// <summary>Tokens as <c>dbx</c> prints them.</summary>
internal static class TokenText
{
    /// <summary>The token itself and what there is to say about it.</summary>
    public static string Of(IssuedToken issued) => $"token={issued.Token}\n  jti={issued.Listing.Jti:D}\n{Details(issued.Listing)}";

    /// <summary>What lists say of a token: they do not have it, only its hash.</summary>
    public static string Of(TokenListing listing) => $"jti={listing.Jti:D}\n{Details(listing)}";

    public static string Json(IssuedToken issued) => Json(output => TokenJson.WriteIssued(output, issued));

    public static string Json(IReadOnlyList<TokenListing> listings) => Json(output => TokenJson.WriteListings(output, listings));

    /// <summary>Members in the order of their names, as everything that a command puts together itself.</summary>
    public static string Json(TokenRevocation revocation, string given) => Json(output => TokenJson.WriteRevocation(output, revocation, given), sorted: true);

    static string Json(Action<IBufferWriter<byte>> write, bool sorted = false)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return new JsonText().Value(output.WrittenMemory, sorted).ToString();
    }

    static string Details(TokenListing listing)
    {
        var text = new StringBuilder();
        Line("subject", listing.Subject);
        Line("group", listing.Group);
        Line("user", listing.User);
        Line("root", Truth(listing.Root));
        Line("status", $"{listing.Status}");
        Line("issued_by", listing.IssuedBy);
        Line("issued_at", listing.IssuedAt.ToString());
        Line("expires_at", listing.ExpiresAt?.ToString() ?? "never");
        Line("actions", Items(listing.Actions));
        Line("resources", Items(listing.Resources));
        Line("writes_remaining", listing.WritesRemaining?.ToString(CultureInfo.InvariantCulture) ?? "unlimited");
        Line("keep_alive", Truth(listing.Limits.KeepAlive));
        return text.ToString();

        void Line(string name, string value) => text.Append("  ").Append(name).Append('=').Append(PlainText.Of(value)).Append('\n');
    }

    static string Truth(bool truth) => truth ? "true" : "false";

    static string Items(IReadOnlyList<string> items) => items.Count == 0 ? "[none]" : $"[{string.Join(',', items)}]";
}
