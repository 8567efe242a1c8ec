using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace EventDbx.Server.Tokens;

/// <summary>Makes and reads the compact form of tokens: JWT, HS256, nothing else.</summary>
/// <remarks>
/// <code>
/// token      head . claims . signature       each base64url without padding, in its one spelling
/// head       {"typ":"JWT","alg":"HS256","kid":KEY ID}      byte for byte: there is one issuer, so there is one head for each secret
/// signature  HMAC-SHA256 of "head.claims" as it stands
/// </code>
/// </remarks>
internal sealed class TokenSigner
{
    readonly AuthSettings _settings;
    readonly byte[] _head;
    readonly byte[]? _previousHead;

    public TokenSigner(AuthSettings settings)
    {
        _settings = settings;
        _head = HeadOf(settings.KeyId);
        _previousHead = settings.Previous is { } previous ? HeadOf(previous.KeyId) : null;
    }

    /// <summary>What it signs with.</summary>
    public AuthSettings Settings => _settings;

    /// <summary>The token of a record.</summary>
    public string Sign(TokenRecord record) => Sign(new TokenClaims
    {
        Issuer = _settings.Issuer, Audience = _settings.Audience, Subject = record.Subject, Jti = record.Jti, IssuedAt = SecondsOf(record.IssuedAt),
        // The end of a token that is kept alive moves; a signature would hold it fast.
        ExpiresAt = record.ExpiresAt is { } end && !record.Limits.KeepAlive ? SecondsOf(end) : null,
        NotBefore = record.NotBefore is { } start ? SecondsOf(start) : null,
        Root = record.Root, Group = record.Group, User = record.User, Actions = record.Actions, Resources = record.Resources,
        IssuedBy = record.IssuedBy, Limits = record.Limits,
    });

    public string Sign(TokenClaims claims)
    {
        byte[] text = [.. _head, (byte)'.', .. Base64Url.EncodeToUtf8(claims.ToJson())];
        return $"{Encoding.ASCII.GetString(text)}.{Base64Url.EncodeToString(HMACSHA256.HashData(_settings.Secret, text))}";
    }

    /// <summary>The claims of a token that is signed by us, for us. Times are not looked at.</summary>
    /// <param name="token">ASCII.</param>
    /// <param name="claims">The claims; null when the answer is a refusal.</param>
    /// <returns>Why it is not one of ours; null when it is.</returns>
    public string? Verify(ReadOnlySpan<byte> token, out TokenClaims? claims)
    {
        claims = null;
        if (!TrySplit(token, out var head, out var body, out var signature))
            return Malformed;
        if (Decode(signature) is not { Length: HMACSHA256.HashSizeInBytes } mac || Decode(body) is not { } json || Decode(head) is null)
            return Malformed;
        // Which secret: the head names one of two, and nothing in it chooses anything else.
        if ((head.SequenceEqual(_head) ? _settings.Secret : IsOfPrevious(head) ? _settings.Previous!.Secret : null) is not { } secret)
            return "it is not signed with HS256 and a secret that is in use: `auth.secret` was replaced, or this token was never one of ours.";
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(secret, token[..^(signature.Length + 1)], expected);
        if (!CryptographicOperations.FixedTimeEquals(expected, mac))
            return "its signature does not fit the secret that it names: `auth.secret` was changed.";
        if (TokenClaims.Read(json) is not { } read)
            return "its claims are not those of a token for EventDBX.";
        if (read.Issuer != _settings.Issuer)
            return "another issuer made it.";
        if (read.Audience != _settings.Audience)
            return "it was made for another audience.";
        claims = read;
        return null;
    }

    /// <summary>From when on a token that <see cref="Verify"/> takes is refused for its secret; null: not as long as these are the settings.</summary>
    public RetiredSecret? SecretThatEnds(ReadOnlySpan<byte> token) =>
        TrySplit(token, out var head, out _, out _) && IsOfPrevious(head) ? _settings.Previous : null;

    bool IsOfPrevious(ReadOnlySpan<byte> head) => _previousHead is not null && head.SequenceEqual(_previousHead);

    static byte[] HeadOf(string keyId)
    {
        var json = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(json);
        members.Text("typ"u8, "JWT");
        members.Text("alg"u8, "HS256");
        members.Text("kid"u8, keyId);
        members.End();
        return Base64Url.EncodeToUtf8(json.WrittenSpan);
    }

    /// <summary>Whether a text has the form of a token: three parts of base64url.</summary>
    public static bool HasForm(ReadOnlySpan<byte> token) =>
        TrySplit(token, out var head, out var body, out var signature) && Decode(head) is not null && Decode(body) is not null && Decode(signature) is not null;

    /// <summary>Why a text is no token, for the end of a sentence.</summary>
    public const string Malformed = "it does not have the form of one: three parts in base64url with dots between them.";

    static bool TrySplit(ReadOnlySpan<byte> token, out ReadOnlySpan<byte> head, out ReadOnlySpan<byte> body, out ReadOnlySpan<byte> signature)
    {
        head = body = signature = default;
        var first = token.IndexOf((byte)'.');
        var last = token.LastIndexOf((byte)'.');
        if (first <= 0 || last <= first + 1 || last == token.Length - 1 || token[(first + 1)..last].Contains((byte)'.'))
            return false;
        head = token[..first];
        body = token[(first + 1)..last];
        signature = token[(last + 1)..];
        return true;
    }

    /// <summary>The bytes of a part; null unless it is their one spelling (no padding, no white space, no stray bits at the end).</summary>
    static byte[]? Decode(ReadOnlySpan<byte> part)
    {
        if (!Base64Url.IsValid(part, out var length))
            return null;
        var bytes = new byte[length];
        return Base64Url.DecodeFromUtf8(part, bytes, out _, out var written) == OperationStatus.Done && written == length
            && Base64Url.EncodeToUtf8(bytes).AsSpan().SequenceEqual(part)
            ? bytes
            : null;
    }

    // Down: a token does not begin before it was made.
    static long SecondsOf(Timestamp time) => Math.Max(0, time.Ticks100ns / TimeSpan.TicksPerSecond);
}
