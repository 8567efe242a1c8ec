using EventDbx.Backups;
using EventDbx.Encryption;
using EventDbx.Server.Backups;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Restores;

/// <summary>The data keys that go with a restored store.</summary>
/// <remarks>
/// An archive may come from anybody: no program that it names is run, and no file outside of it is read for a key that is to open it. The configuration that is there and the environment are the
/// operator's own, and asked as ever. Before anything is exchanged it is certain that the next command finds a key of the store.
/// </remarks>
public sealed partial class RestoredConfig
{
    /// <summary>Key files of the backup, by where they are going to lie.</summary>
    readonly Dictionary<string, string> _archived = new(StringComparer.Ordinal);

    readonly List<string> _notices = [];
    string? _keyFile; // Where the one that the backup's configuration names is going to lie; null: it is not in the backup.
    ServerConfig? _settled;

    /// <summary>What of the sources of the key was not taken over, or replaced, for people: holds no part of a key.</summary>
    public IReadOnlyList<string> KeyNotices => _notices;

    /// <summary>What should give the key, and is not asked since only the archive names it; null: there is nothing of that kind.</summary>
    public string? NotAsked => IsForeign(Restored.Saved.DataEncryptionKeyCommand)
        ? $"its configuration names the program {Restored.Saved.DataEncryptionKeyCommand[0]} (data_encryption_key_command), and a restore runs none that an archive names"
        : Restored.Saved.DataEncryptionKeyFile is { } named && IsForeign(named)
            ? $"its configuration names the key file {named} (data_encryption_key_file), which is not in it, and a restore reads none elsewhere that an archive names" : null;

    /// <summary>Every data key at hand, of the backup's configuration first. None where the backup is not encrypted.</summary>
    /// <param name="supplied">The content of EVENTDBX_DEK, if it is set.</param>
    /// <param name="contents">The backup, unpacked: a key file within it is not in its place yet.</param>
    /// <param name="cancellation">Ends a command that is to give a key.</param>
    /// <exception cref="ConfigException">One that is given is none.</exception>
    public async Task<IReadOnlyList<DataKey>> KeysAsync(string? supplied, BackupContents contents, CancellationToken cancellation)
    {
        List<DataKey> keys = [];
        _secretsLeftOut = BackupScope.HasLeftOutKeys(contents.Manifest);
        foreach (var named in ((string?[])[Restored.Saved.DataEncryptionKeyFile, Restored.Config.DataEncryptionKeyFile, _present?.Saved.DataEncryptionKeyFile]).OfType<string>().Distinct())
        {
            if (FindKeyFile(named, contents) is not { } inBackup)
                continue;
            var place = System.IO.Path.Combine(_dataDirectory, System.IO.Path.GetRelativePath(contents.DataDirectory, inBackup));
            _archived[place] = await File.ReadAllTextAsync(inBackup, cancellation).ConfigureAwait(false);
            if (named == Restored.Saved.DataEncryptionKeyFile)
                _keyFile = place;
            Add(_archived[place], $"the key file {named} in the backup");
        }

        if (!contents.Manifest.Encrypted)
            return keys;
        foreach (var source in KeySource.Of(Restored, supplied).Where(source => source.Kind == KeySourceKind.Configuration || !IsSaved(source, Restored)).Concat(_present is null ? [] : KeySource.Of(_present, null)))
        {
            try
            {
                Add(await source.Read(cancellation).ConfigureAwait(false), source.Location);
            }
            catch (ConfigException) when (source.Kind is KeySourceKind.File or KeySourceKind.Command)
            {
                // On another machine, perhaps. Whether another one fits is seen when the store is opened.
            }
        }

        foreach (var file in _present is null ? (ConfigFile[])[Restored] : [Restored, _present])
        {
            foreach (var text in (string?[])[file.Saved.DataEncryptionKeyNext, .. file.Saved.DataEncryptionKeysRetired])
            {
                if (text is not null)
                    Add(text, file.Path);
            }
        }

        return keys;

        void Add(string text, string source)
        {
            if (!DataKey.TryParse(text, out var key, out var why))
                throw new ConfigException($"{source}: {why}");
            if (keys.Exists(key.IsSameAs))
                key.Dispose();
            else
                keys.Add(key);
        }
    }

    /// <summary>Settles which keys the configuration is to have, so that every later command in this environment finds one of the store. Nothing is written.</summary>
    /// <param name="exchanged">Names of pieces of the data directory that are replaced or removed: a key that lies there is kept.</param>
    /// <param name="supplied">The content of EVENTDBX_DEK, if it is set.</param>
    /// <param name="encrypted">Whether what is to be restored is.</param>
    /// <param name="opens">Whether it opens so.</param>
    /// <param name="cancellation">Ends a command that is to give a key.</param>
    /// <exception cref="StoreRefusedException">No command could open the store with what stands there and in the environment.</exception>
    public async Task SettleKeysAsync(IEnumerable<string> exchanged, string? supplied, bool encrypted, Func<StoreKeyChoice, bool> opens, CancellationToken cancellation)
    {
        var saved = Retiring(WithKeys(WithoutForeignSources(AsTheStoreIs(Restored.Saved, encrypted), opens)), KeysIn(exchanged));
        if (await WhyNotAsync(saved, supplied, opens, cancellation).ConfigureAwait(false) is not null)
        {
            saved = await WithKeyOfEnvironmentAsync(saved, supplied, opens, cancellation).ConfigureAwait(false);
            if (await WhyNotAsync(saved, supplied, opens, cancellation).ConfigureAwait(false) is { } why)
            {
                throw new StoreRefusedException(
                    $"With the configuration that would come to lie in {Path} no command could open what is restored: {why} Nothing was changed. Set {StoreKey.Variable} to the key of the store in the backup, or to nothing where the configuration gives it.");
            }
        }

        _settled = saved;
    }

    /// <summary>Where the backup had it, or where it is to be from now on.</summary>
    string? FindKeyFile(string named, BackupContents contents) => ArchivedKeyFile.Find(named, contents)
        ?? ArchivedKeyFile.Find(named, contents.DataDirectory, Path, _dataDirectory) ?? ArchivedKeyFile.Find(named, contents.DataDirectory, Path, contents.Manifest.DataDir);

    bool IsForeign(ConfigList command) => command.Count > 0 && !command.Equals(_present?.Saved.DataEncryptionKeyCommand);

    bool IsForeign(string keyFile) => _keyFile is null && !(_present?.Saved.DataEncryptionKeyFile is { } ours && Same(FullPath(ours), FullPath(keyFile)));

    string FullPath(string keyFile) => System.IO.Path.GetFullPath(keyFile, System.IO.Path.GetDirectoryName(Path)!);

    /// <summary>Whether the file names it, and not the environment above it.</summary>
    static bool IsSaved(KeySource source, ConfigFile file) => source.Kind switch
    {
        KeySourceKind.Configuration => true,
        KeySourceKind.Environment => false,
        KeySourceKind.File => file.SourceOf("data_encryption_key_file") == file.Path,
        KeySourceKind.Command => file.SourceOf("data_encryption_key_command") == file.Path,
    };

    /// <summary>With encryption on or off, as the store was made: another one would not open it.</summary>
    ServerConfig AsTheStoreIs(ServerConfig saved, bool encrypted)
    {
        if (saved.Encryption != encrypted)
            _notices.Add($"The store in the backup is {(encrypted ? "encrypted" : "not encrypted")}, and `encryption` is \"{(encrypted ? "on" : "off")}\" in {Path} from now on.");
        saved = saved with { Encryption = encrypted };
        return encrypted || saved.DataEncryptionKey is null ? saved : Retiring(saved with { DataEncryptionKey = null }, [saved.DataEncryptionKey]);
    }

    /// <summary>Without a program that only the archive names, and without a file of that kind unless the key lies there.</summary>
    ServerConfig WithoutForeignSources(ServerConfig saved, Func<StoreKeyChoice, bool> opens)
    {
        if (IsForeign(saved.DataEncryptionKeyCommand))
        {
            _notices.Add($"The program {saved.DataEncryptionKeyCommand[0]}, which gives the key by the configuration in the backup (data_encryption_key_command), is not taken over: a restore runs none that an archive names. Put it into {Path} if you trust it.");
            saved = saved with { DataEncryptionKeyCommand = ConfigList.Empty };
        }

        if (_keyFile is not null)
            return saved with { DataEncryptionKeyFile = Same(FullPath(saved.DataEncryptionKeyFile!), _keyFile) ? saved.DataEncryptionKeyFile : _keyFile };
        if (saved.DataEncryptionKeyFile is { } named && IsForeign(named) && !(ReadKey(FullPath(named)) is { } text && Opens(text, opens)))
        {
            _notices.Add($"The key file {named}, which the configuration in the backup names (data_encryption_key_file), is not taken over: it is not in the backup, and the key does not lie there. Put it there and into {Path} if the key is to come from it.");
            saved = saved with { DataEncryptionKeyFile = null };
        }

        return saved;
    }

    /// <summary>Where the backup has no keys, those that are there stay; where it has, those that are there and others are kept as retired ones.</summary>
    ServerConfig WithKeys(ServerConfig saved)
    {
        if (_present?.Saved is not { } before || !saved.Encryption)
            return saved;
        if (saved.DataEncryptionKey is not null || saved.DataEncryptionKeyFile is not null || saved.DataEncryptionKeyCommand.Count > 0)
            return Retiring(saved, [.. before.DataEncryptionKeysRetired, before.DataEncryptionKey, before.DataEncryptionKeyNext]);
        var taken = saved with
        {
            DataEncryptionKey = before.DataEncryptionKey, DataEncryptionKeyNext = before.DataEncryptionKeyNext ?? saved.DataEncryptionKeyNext,
            DataEncryptionKeyFile = before.DataEncryptionKeyFile, DataEncryptionKeyCommand = before.DataEncryptionKeyCommand,
        };
        return Retiring(taken, [.. before.DataEncryptionKeysRetired, saved.DataEncryptionKeyNext]);
    }

    /// <summary>Keys that lie in pieces of the data directory that are exchanged: nobody has them any more once those are deleted.</summary>
    IEnumerable<string> KeysIn(IEnumerable<string> exchanged)
    {
        HashSet<string> names = [.. exchanged];
        var named = ((string?[])[_present?.Saved.DataEncryptionKeyFile, Restored.Config.DataEncryptionKeyFile]).OfType<string>().Select(FullPath)
            .Where(path => names.Contains(System.IO.Path.GetRelativePath(_dataDirectory, path).Split(System.IO.Path.DirectorySeparatorChar)[0]));
        foreach (var path in names.Select(name => System.IO.Path.Combine(_dataDirectory, name)).Concat(named).Distinct())
        {
            if (ReadKey(path) is { } text && !(_archived.TryGetValue(path, out var archived) && archived.Trim() == text))
                yield return text;
        }
    }

    static ServerConfig Retiring(ServerConfig saved, IEnumerable<string?> keys) => saved with
    {
        DataEncryptionKeysRetired = new([.. saved.DataEncryptionKeysRetired.Concat(keys.OfType<string>()).Where(text => text != saved.DataEncryptionKey && text != saved.DataEncryptionKeyNext).Distinct()]),
    };

    /// <summary>Why no command could open what is restored with these settings; null: every one could.</summary>
    async Task<string?> WhyNotAsync(ServerConfig saved, string? supplied, Func<StoreKeyChoice, bool> opens, CancellationToken cancellation)
    {
        try
        {
            var file = FileOf(saved);
            var choice = await StoreKey.FindAsync(file, SourcesOf(file, supplied), cancellation).ConfigureAwait(false);
            var fits = opens(choice);
            foreach (var key in (DataKey?[])[choice.Key, choice.NextKey, .. choice.RetiredKeys])
                key?.Dispose();
            return fits ? null : choice.Key is null ? "it gives no key." : "the key that it gives is not the one of the store.";
        }
        catch (ConfigException refused)
        {
            return refused.Message;
        }
    }

    /// <summary>Where the environment gives the key of the store, what gives another one, or none, goes: its key is retired.</summary>
    async Task<ServerConfig> WithKeyOfEnvironmentAsync(ServerConfig saved, string? supplied, Func<StoreKeyChoice, bool> opens, CancellationToken cancellation)
    {
        var file = FileOf(saved);
        var sources = SourcesOf(file, supplied);
        (string Text, string Location)? given = null;
        foreach (var source in sources.Where(source => !IsSaved(source, file)))
        {
            if (given is null && await TryReadAsync(source, cancellation).ConfigureAwait(false) is { } text && Opens(text, opens))
                given = (text, source.Location);
        }

        if (given is not { } key)
            return saved;
        List<string?> others = [];
        foreach (var source in sources.Where(source => IsSaved(source, file)))
        {
            var text = await TryReadAsync(source, cancellation).ConfigureAwait(false);
            if (text == key.Text)
                continue;
            others.Add(text);
            saved = source.Kind switch
            {
                KeySourceKind.File => saved with { DataEncryptionKeyFile = null },
                KeySourceKind.Command => saved with { DataEncryptionKeyCommand = ConfigList.Empty },
                _ => saved with { DataEncryptionKey = null },
            };
            _notices.Add($"{key.Location} gives the key of what is restored, and {source.Location} {(text is null ? "none: it is taken out of the configuration" : "another one: it is taken out, and its key kept in data_encryption_keys_retired")}. Every later command needs the key from where it comes now.");
        }

        return Retiring(saved, others);
    }

    /// <summary>Settings as they would lie in the file, in this environment.</summary>
    ConfigFile FileOf(ServerConfig saved) => ConfigFile.Of(Path, TextOf(saved), _root, _dataDirectory, _clock, _environment);

    /// <summary>Every place that should give the key, with the key files as the backup brings them.</summary>
    List<KeySource> SourcesOf(ConfigFile file, string? supplied) =>
    [
        .. KeySource.Of(file, supplied).Select(source => source.Kind == KeySourceKind.File && _archived.TryGetValue(FullPath(file.Config.DataEncryptionKeyFile!), out var text)
            ? source with { Read = _ => Task.FromResult(text) } : source),
    ];

    static async Task<string?> TryReadAsync(KeySource source, CancellationToken cancellation)
    {
        try
        {
            return Canonical(await source.Read(cancellation).ConfigureAwait(false));
        }
        catch (ConfigException)
        {
            return null;
        }
    }

    /// <summary>The key in an ordinary file; null where there is none.</summary>
    static string? ReadKey(string path) =>
        new FileInfo(ConfigFile.RealPathOf(path)) is { Exists: true, Length: > 0 and <= ArchivedKeyFile.BytesMax } file ? Canonical(File.ReadAllText(file.FullName)) : null;

    static string? Canonical(string text)
    {
        if (!DataKey.TryParse(text, out var key, out _))
            return null;
        using (key)
            return key.ToBase64();
    }

    static bool Opens(string text, Func<StoreKeyChoice, bool> opens)
    {
        if (!DataKey.TryParse(text, out var key, out _))
            return false;
        using (key)
            return opens(new(key, Encrypted: true, Notice: null));
    }
}
