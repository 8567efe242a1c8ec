using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tokens;

/// <summary>The secret before the one in use: tokens that it signed are taken until a moment, and refused from then on.</summary>
/// <param name="Secret">The key of their signatures.</param>
/// <param name="KeyId">Names it in their heads; never that of the secret in use.</param>
/// <param name="Until">By the clock of the server, without <see cref="AuthSettings.ClockSkew"/>: the same clock set it.</param>
public sealed record RetiredSecret(byte[] Secret, string KeyId, Timestamp Until)
{
    /// <summary>The one that a configuration has; null where it has none.</summary>
    /// <param name="config">The configuration.</param>
    /// <param name="source">Where it is from, for the message.</param>
    /// <exception cref="ConfigException">A part of it is missing, or it cannot be told from the secret in use.</exception>
    internal static RetiredSecret? Of(ServerConfig config, string source)
    {
        if (config is { AuthPreviousSecret: null, AuthPreviousKeyId: null, AuthPreviousUntil: null })
            return null;
        if (config is not { AuthPreviousSecret: { } secret, AuthPreviousKeyId: { } keyId, AuthPreviousUntil: { } until })
        {
            throw new ConfigException(
                $"{source}: `auth.previous_secret`, `auth.previous_key_id` and `auth.previous_until` go together, and one of them is missing. Without all three no older token is taken.");
        }

        if (keyId == config.AuthKeyId)
            throw new ConfigException($"{source}: `auth.previous_key_id` is that of `auth.secret`, \"{keyId}\"; a token names its secret by it, so they must differ.");
        return new(AuthSettings.SecretOf("auth.previous_secret", secret, source), keyId, Timestamp.TryParse(until, out var time, out _) ? time : throw new ConfigException($"{source}: `auth.previous_until` is no time."));
    }

    /// <summary>The moment as text, if it is one.</summary>
    internal static string CheckedUntil(ConfigValue value)
    {
        const string what = "a time in quotes, such as \"2026-01-31T12:00:00Z\"";
        return Timestamp.TryParse(value.Text(what), out var time, out _) ? time.ToString() : throw new ConfigValueException(what);
    }
}
