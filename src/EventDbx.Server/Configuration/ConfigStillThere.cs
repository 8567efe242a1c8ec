using EventDbx.Recovery;

namespace EventDbx.Server.Configuration;

/// <summary>Whether the configuration that an open was made from is still the one that is there: while it waited for the data directory a restore may have brought another, with other keys and secrets.</summary>
public static class ConfigStillThere
{
    /// <summary>Refuses where it is another: then the open may be made from that one. What was not set and is made meanwhile (a data key, the secret that signs tokens) is none.</summary>
    /// <param name="file">As it was read.</param>
    /// <exception cref="StoreRefusedException">It is another, which <see cref="StoreRefusedException.ConfigReplaced"/> says; or it cannot be read any more.</exception>
    public static void Demand(ConfigFile file)
    {
        if (file.IsReadOnce)
            return;
        ServerConfig now;
        try
        {
            now = file.Reload().Saved;
        }
        catch (ConfigException wrong)
        {
            throw new StoreRefusedException($"The configuration {file.Path} was changed while the data directory was waited for: {wrong.Message}", wrong);
        }

        if (ConfigEditor.Write(WithWhatIsMade(now, file.Saved)) != ConfigEditor.Write(file.Saved))
            throw new StoreRefusedException($"The configuration {file.Path} was changed while the data directory was waited for. Nothing was opened; run it again, with the one that is there now.") { ConfigReplaced = true };
    }

    /// <summary>Keys and secrets are those of a store, and decide; another setting is as good as one that was changed a moment later.</summary>
    static ServerConfig WithWhatIsMade(ServerConfig now, ServerConfig before) => before with
    {
        DataEncryptionKey = before.DataEncryptionKey is null && before.DataEncryptionKeyFile is null && before.DataEncryptionKeyCommand.Count == 0 ? null : now.DataEncryptionKey,
        DataEncryptionKeyFile = now.DataEncryptionKeyFile, DataEncryptionKeyCommand = now.DataEncryptionKeyCommand, DataEncryptionKeyNext = now.DataEncryptionKeyNext,
        DataEncryptionKeysRetired = now.DataEncryptionKeysRetired, Encryption = now.Encryption,
        AuthSecret = before.AuthSecret is null ? null : now.AuthSecret, AuthKeyId = before.AuthSecret is null || before.AuthKeyId is null ? before.AuthKeyId : now.AuthKeyId,
        AuthPreviousSecret = now.AuthPreviousSecret, AuthPreviousKeyId = now.AuthPreviousKeyId, AuthPreviousUntil = now.AuthPreviousUntil,
    };
}
