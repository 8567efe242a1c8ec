using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Tokens;

/// <summary>The signing secret is replaced: a new one signs from now on, and what the old one signed is taken for a while.</summary>
/// <remarks>First the configuration on disk, then memory, then the control entry: a secret that leaked dies even where the log takes no more writes.</remarks>
public sealed partial class TokenAuthority
{
    static readonly string[] RotatedKeys = ["auth.secret", "auth.key_id", "auth.previous_secret", "auth.previous_key_id", "auth.previous_until"];

    /// <summary>Makes a new secret.</summary>
    /// <param name="by">Who does it: root.</param>
    /// <param name="overlap">How long tokens of the present one are still taken, in whole seconds; zero: they are refused from the next request on.</param>
    /// <exception cref="RefusedException">Not root, not from here, or the configuration was not written. Where the message says that the secret is replaced, it is.</exception>
    public async Task<SecretRotation> RotateSecretAsync(Session by, TimeSpan overlap, CancellationToken cancellation)
    {
        DemandRoot(by);
        cancellation.ThrowIfCancellationRequested();
        if (overlap < TimeSpan.Zero || overlap > TokenBounds.OverlapMax)
        {
            throw new RefusedException(RefusalCode.InvalidArgument, string.Create(CultureInfo.InvariantCulture,
                $"An overlap of {overlap.TotalSeconds:0} seconds; from 0 to {TokenBounds.OverlapMax.TotalSeconds:0} are taken."));
        }

        var file = _file ?? throw new RefusedException(RefusalCode.InvalidArgument, "This server was given its secret by the program that it runs in, which keeps it: there is no configuration here to write a new one to.");
        if (file.Overrides.FirstOrDefault(found => RotatedKeys.Contains(found.Key.Name)) is { } variable)
        {
            throw new RefusedException(RefusalCode.InvalidArgument,
                $"{variable.Key.Name} comes from the environment variable {variable.Variable}, which stands above the configuration. Replace it there, with the old one as auth.previous_*, and restart the server.");
        }

        var rotation = await ReplaceSecretAsync(file, overlap, cancellation).ConfigureAwait(false);
        try
        {
            await by.NoteKeyAsync("auth.secret", BodyOf(rotation), CancellationToken.None).ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            throw new RefusedException(refused.Refusal with { Message = $"The secret is replaced, {rotation.KeyId} signs from now on, but the log could not take the entry about it: {refused.Message}" });
        }

        return rotation;
    }

    async Task<SecretRotation> ReplaceSecretAsync(ConfigFile file, TimeSpan overlap, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var before = _signer.Settings;
            var now = Now;
            var until = new Timestamp(WholeSecond(now).Ticks100ns + overlap.Ticks);
            var next = before with
            {
                Secret = RandomNumberGenerator.GetBytes(TokenBounds.SecretBytesMin), KeyId = NextKeyId(now, before),
                Previous = overlap == TimeSpan.Zero ? null : new(before.Secret, before.KeyId, until),
            };
            await file.UpdateAsync(saved => With(saved, before, next, file.Path), CancellationToken.None).ConfigureAwait(false);
            _signer = new(next);
            return new(next.KeyId, before.KeyId, next.Previous?.Until)
            {
                Dropped = before.Previous is { } older && now.CompareTo(older.Until) < 0 ? older : null,
            };
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or ConfigException)
        {
            throw new RefusedException(RefusalCode.Unavailable, $"The secret was not replaced, for {file.Path} cannot be written: {cause.Message}");
        }
        finally
        {
            _changing.Release();
        }
    }

    static ServerConfig With(ServerConfig saved, AuthSettings before, AuthSettings next, string path)
    {
        // Somebody may have written another one meanwhile, which takes effect at the next start: not to be lost unseen.
        if (saved.AuthKeyId != before.KeyId || saved.AuthSecret is not { } text || !AuthSettings.SecretOf("auth.secret", text, path).AsSpan().SequenceEqual(before.Secret))
        {
            throw new RefusedException(RefusalCode.InvalidArgument,
                $"The auth.secret in {path} is not the one in use: it was changed since the server started. Restart the server, which takes it up; then replace it.");
        }

        return saved with
        {
            AuthSecret = Convert.ToBase64String(next.Secret), AuthKeyId = next.KeyId,
            AuthPreviousSecret = next.Previous is { } previous ? Convert.ToBase64String(previous.Secret) : null,
            AuthPreviousKeyId = next.Previous?.KeyId, AuthPreviousUntil = next.Previous?.Until.ToString(),
        };
    }

    /// <summary>A name that neither of the two secrets has: several may be made in one second.</summary>
    static string NextKeyId(Timestamp now, AuthSettings before)
    {
        var name = $"key-{now.ToDateTimeOffset().UtcDateTime.ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture)}";
        for (var n = 2; ; n++)
        {
            var candidate = n == 2 ? name : string.Create(CultureInfo.InvariantCulture, $"{name}-{n - 1}");
            if (candidate != before.KeyId && candidate != before.Previous?.KeyId)
                return candidate;
        }
    }

    static byte[] BodyOf(SecretRotation rotation)
    {
        var output = new ArrayBufferWriter<byte>();
        TokenJson.WriteRotation(output, rotation);
        return output.WrittenSpan.ToArray();
    }
}
