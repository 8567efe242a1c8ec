using System.Text;
using EventDbx.Backups;
using EventDbx.Documents;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Plugins;
using EventDbx.Server.Replication;
using EventDbx.Server.Tls;
using EventDbx.Storage;

namespace EventDbx.Server.Backups;

/// <summary>What of an installation goes into a backup: for a server and a command alike.</summary>
public static class BackupScope
{
    const string LeftOutKeys = "it was left out with --without-keys";

    /// <summary>What a backup consists of.</summary>
    /// <param name="order">What was asked for.</param>
    /// <param name="dataDirectory">The data directory.</param>
    /// <param name="file">The configuration in force; null where there is none.</param>
    /// <param name="encrypted">Whether the store is.</param>
    /// <param name="version">Of the product.</param>
    /// <param name="documents">Of the store: plugins have secrets.</param>
    public static BackupRequest Of(BackupOrder order, string dataDirectory, ConfigFile? file, bool encrypted, string version, IDocuments documents)
    {
        dataDirectory = Path.GetFullPath(dataDirectory);
        var config = file?.Config;
        // By their path in the data directory: what has no place in a backup, and why.
        var leaveOut = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [PidFile.Name] = "", [SocketPlace.FileName] = "", ["upgrade-state.json"] = "", [BackupRecord.FileName] = "", ["logs"] = "logs stay where they are",
            [KeyFile.LogFileName] = "the key that signs checkpoints is in no backup: keep a copy of it apart",
            [TlsFiles.OwnKeyName] = "private keys of TLS are in no backup",
        };
        List<BackupOmission> elsewhere = [];
        if (config?.TlsKeyFile is { } tlsKey)
            Leave(tlsKey, "private keys of TLS are in no backup");
        if (file is not null)
        {
            foreach (var path in (string[])[file.Path, file.RealPath, file.Path + ".lock"])
            {
                if (InDirectory(path) is { } name)
                    leaveOut[name] = "";
            }
        }

        var identity = config is null ? Path.Combine(dataDirectory, "replication.key") : NodeIdentity.PathOf(config, dataDirectory);
        if (!order.Keys)
            Leave(identity, LeftOutKeys);
        else if (InDirectory(identity) is null)
            elsewhere.Add(new(identity, "the key of this node lies outside of the data directory"));
        AddKeyOfStore();
        return new()
        {
            CreatedBy = $"eventdbx {version}", Since = order.Since, Keys = order.Keys, LeftOut = elsewhere,
            LeaveOut = path => leaveOut.GetValueOrDefault(path) ?? WhyNot(path),
            Secrets = () => KeyText.Of(file, dataDirectory, documents),
            // In an encrypted store it is sealed, and what would open it is left out.
            Blank = path => path == PluginBook.DocumentName && !order.Keys && !encrypted ? BlankPlugins.Of : null,
            ReadConfig = secrets => ReadConfig(file, order.Keys, encrypted, InDirectory, secrets),
        };

        string? WhyNot(string path)
        {
            if (Restores.RestoredConfig.IsKept(path))
                return "it is a configuration that a restore has replaced, with its keys";
            // Whichever of them is in force: the others may be of this very store.
            return !order.Keys && path.StartsWith("config.toml", StringComparison.OrdinalIgnoreCase)
                ? "it is another configuration, with its keys, and keys were left out with --without-keys" : null;
        }

        string? InDirectory(string path) =>
            // By the paths that both lead to: either may go through a link.
            Path.GetRelativePath(RealPath.Of(dataDirectory), RealPath.Of(Path.GetFullPath(path, dataDirectory))) is var relative && !relative.StartsWith("..", StringComparison.Ordinal) && !Path.IsPathRooted(relative)
                ? relative.Replace(Path.DirectorySeparatorChar, '/') : null;

        void Leave(string path, string why)
        {
            if (InDirectory(path) is { } name)
                leaveOut[name] = why;
            else
                elsewhere.Add(new(Path.GetFullPath(path, dataDirectory), why));
        }

        void AddKeyOfStore()
        {
            if (!encrypted)
                return;
            if (!order.Keys)
            {
                // The one that the file names, and the one that the environment puts above it.
                if (file is not null)
                {
                    foreach (var keyFile in ((string?[])[KeyFileOf(file.Saved, file), KeyFileOf(file.Config, file)]).OfType<string>().Distinct())
                        Leave(keyFile, LeftOutKeys);
                }

                elsewhere.Add(new("data_encryption_key", LeftOutKeys));
            }
            else if (file is null || !HoldsKey(file, InDirectory))
                elsewhere.Add(new("data_encryption_key", "the configuration does not hold it: it comes from the environment, a file or a command elsewhere"));
        }
    }

    /// <summary>Whether a backup says that it was made without keys.</summary>
    public static bool HasLeftOutKeys(BackupManifest manifest) => manifest.LeftOut.Any(static omission => omission.Reason == LeftOutKeys);

    /// <summary>The configuration as a backup without keys has it: without a single secret.</summary>
    public static ServerConfig WithoutSecrets(ServerConfig config) => config with
    {
        DataEncryptionKey = null, DataEncryptionKeyNext = null, DataEncryptionKeysRetired = ConfigList.Empty, DataEncryptionKeyCommand = ConfigList.Empty,
        AdminMasterKeyHash = null, AuthSecret = null, AuthPreviousSecret = null, TelemetryOtlpHeaders = null,
    };

    static BackupConfig? ReadConfig(ConfigFile? file, bool keys, bool encrypted, Func<string, string?> inDirectory, SecretTexts secrets)
    {
        if (file?.Reload() is not { } now)
            return null;
        if (keys && now.Saved is { DataEncryptionKey: null, DataEncryptionKeyFile: null } saved && encrypted && KeyFileOf(now.Config, now) is { } keyFile && inDirectory(keyFile) is not null)
        {
            // The environment names it, and does not go along: whoever restores is told here.
            var naming = saved with { DataEncryptionKeyFile = keyFile };
            return new(Encoding.UTF8.GetBytes(now.Exists ? now.TextWith(naming) : ConfigText.Whole(ConfigEditor.Write(naming))), now.Path, HasKeys: true);
        }

        if (!now.Exists)
            return null;
        return keys
            ? new(Encoding.UTF8.GetBytes(now.Text), now.Path, !encrypted || HoldsKey(now, inDirectory))
            : WithoutKeys(now, secrets.And(KeyText.Of(now)));
    }

    /// <summary>Comments stay, but for what one of them would give away.</summary>
    static BackupConfig WithoutKeys(ConfigFile file, SecretTexts secrets)
    {
        var settings = WithoutSecrets(file.Saved);
        var text = file.TextWith(settings);
        var blank = secrets.RemoveFrom(text);
        if (blank != text && !file.Says(blank, settings))
            throw new RefusedException(RefusalCode.InvalidArgument, $"A key or secret stands in another setting of {file.Path}: a backup without keys would hold it. Take it out there.");
        return new(Encoding.UTF8.GetBytes(blank), file.Path, HasKeys: false) { Blanked = blank == text ? null : BackupOmission.BlankedBegins + "a key or secret stood in a comment of it" };
    }

    static bool HoldsKey(ConfigFile file, Func<string, string?> inDirectory) =>
        file.Saved.DataEncryptionKey is not null || (KeyFileOf(file.Config, file) is { } path && inDirectory(path) is not null);

    static string? KeyFileOf(ServerConfig config, ConfigFile file) =>
        config.DataEncryptionKeyFile is { } path ? Path.GetFullPath(path, Path.GetDirectoryName(file.Path)!) : null;
}
