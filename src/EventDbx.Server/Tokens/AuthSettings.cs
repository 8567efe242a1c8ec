using System.Globalization;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tokens;

/// <summary>What tokens are signed with and held against.</summary>
/// <param name="Secret">The key of the signature, at least <see cref="TokenBounds.SecretBytesMin"/> bytes.</param>
/// <param name="KeyId">Names the secret, in the head of every token.</param>
/// <param name="Issuer">Claim <c>iss</c>.</param>
/// <param name="Audience">Claim <c>aud</c>.</param>
/// <param name="DefaultTtl">The lifetime of a token that names none.</param>
/// <param name="ClockSkew">How far the clocks of issue and use may be apart.</param>
public sealed record AuthSettings(byte[] Secret, string KeyId, string Issuer, string Audience, TimeSpan DefaultTtl, TimeSpan ClockSkew)
{
    /// <summary>The secret before it, while tokens that it signed are still taken; null: there is none.</summary>
    public RetiredSecret? Previous { get; init; }

    /// <summary>The settings in force. A secret that is missing is made, and is on disk before this returns.</summary>
    /// <remarks>Of two processes that find none, both go on with the one that was written first.</remarks>
    /// <exception cref="ConfigException">The secret is too short, or not base64.</exception>
    public static async Task<AuthSettings> EnsureAsync(ConfigFile file, CancellationToken cancellation)
    {
        var config = file.Config;
        if (config.AuthSecret is null || config.AuthKeyId is null)
        {
            var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(TokenBounds.SecretBytesMin));
            var keyId = $"key-{file.Clock.GetUtcNow().UtcDateTime.ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture)}";
            var (givenSecret, givenKeyId) = (config.AuthSecret, config.AuthKeyId);
            // What the file holds by now goes before what we would make; what this run was given goes before both.
            var saved = await file.UpdateAsync(
                now => now with
                {
                    AuthSecret = now.AuthSecret ?? (givenSecret is null ? secret : null), AuthKeyId = now.AuthKeyId ?? (givenKeyId is null ? keyId : null),
                },
                cancellation).ConfigureAwait(false);
            config = config with { AuthSecret = givenSecret ?? saved.AuthSecret, AuthKeyId = givenKeyId ?? saved.AuthKeyId };
        }

        return Of(config, file.SourceOf("auth.secret"));
    }

    /// <summary>The settings of a configuration that has a secret and its name.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where it is from, for the message.</param>
    /// <exception cref="ConfigException">It has none, or not one that is safe.</exception>
    public static AuthSettings Of(ServerConfig config, string source) => new(
        SecretOf("auth.secret", config.AuthSecret, source), config.AuthKeyId ?? throw new ConfigException($"{source}: `auth.key_id` is missing; it names `auth.secret`."),
        config.AuthIssuer, config.AuthAudience,
        TimeSpan.FromSeconds(Math.Max(TokenBounds.DefaultTtlSecondsMin, config.AuthDefaultTtlSecs)), TimeSpan.FromSeconds(Math.Clamp(config.AuthClockSkewSecs, 0, 300)))
    {
        Previous = RetiredSecret.Of(config, source),
    };

    /// <summary>A secret that is safe to sign with.</summary>
    internal static byte[] SecretOf(string key, string? text, string source)
    {
        var form = $"at least {TokenBounds.SecretBytesMin} bytes in standard base64";
        if (text is null)
            throw new ConfigException($"{source}: `{key}` is missing; it is {form}.");
        var bytes = new byte[text.Length];
        if (!Convert.TryFromBase64String(text, bytes, out var length))
            throw new ConfigException($"{source}: `{key}` must be {form}; what stands there is not base64.");
        if (length < TokenBounds.SecretBytesMin)
            throw new ConfigException($"{source}: `{key}` must be {form}; what stands there has {length} bytes.");
        return bytes[..length];
    }
}
