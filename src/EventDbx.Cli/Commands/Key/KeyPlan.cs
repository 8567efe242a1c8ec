using EventDbx.Encryption;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Commands.Key;

/// <summary>To which key a store is rotated, and what that changes in the configuration. Made only where the key at hand is the store's.</summary>
/// <remarks>
/// A configuration may serve several stores (<c>--data-dir</c>), and its key may be the only copy there is. So nothing is written
/// before the store has been asked which key it has; and what is replaced is retired, not dropped.
/// </remarks>
internal sealed class KeyPlan
{
    readonly ConfigFile _file;
    readonly string? _proven;
    readonly string? _target;
    readonly bool _writes;
    string? _prepared;

    KeyPlan(ConfigFile file, string? proven, string? target, bool writes) => (_file, _proven, _target, _writes) = (file, proven, target, writes);

    /// <summary>The store was not rotated with others: it is given the data_encryption_key as it is.</summary>
    public bool TakesKeyOfNow { get; private init; }

    /// <summary>Whoever keeps the key gives the new one already: nothing is left to change.</summary>
    public bool IsGivenAlready { get; private init; }

    /// <param name="file">The configuration at hand.</param>
    /// <param name="hand">Its keys.</param>
    /// <param name="holder">What the store says.</param>
    /// <param name="asked">The new key, if one is given.</param>
    /// <param name="ours">Whether the key lies in the configuration, and nowhere else.</param>
    /// <exception cref="RefusedException">The key at hand is not the store's, or the configuration not the server's.</exception>
    public static KeyPlan Make(ConfigFile file, DatabaseOptions hand, KeyHolder holder, DataKey? asked, bool ours)
    {
        var store = holder.Key;
        List<DataKey> all = [.. new[] { hand.Key, hand.NextKey }.OfType<DataKey>(), .. hand.RetiredKeys];
        if (!all.Exists(key => store.IsKey(key) || store.IsNext(key)))
        {
            throw new RefusedException(
                RefusalCode.PermissionDenied,
                $"No key in {file.Path}, or that it names, is the key of the store in {file.Config.DataDir}; nothing was changed. Give the configuration that the store is used with (`--config`).");
        }

        if (ours && holder.ByServer && (holder.ConfigFile is null || ConfigFile.RealPathOf(holder.ConfigFile) != file.RealPath))
        {
            throw new RefusedException(
                RefusalCode.PermissionDenied,
                (holder.ConfigFile is { } other ? $"The server was started with the configuration {other}, and this is {file.Path}" : $"The server was started without a configuration file, and so not with {file.Path}")
                + ": it would not find the new key at its next start. Nothing was changed. "
                + (holder.ConfigFile is null ? "Stop it first, or rotate with `--new-key` where its key is kept." : $"Give `--config {holder.ConfigFile}`."));
        }

        if (!ours)
            return new(file, null, asked!.ToBase64(), writes: false) { IsGivenAlready = hand.Key?.IsSameAs(asked) == true };
        if (store.RotationUnfinished)
            return GoOn(file, all, store, asked);

        var current = hand.Key!;
        if (asked is not null && store.IsKey(asked) && asked.IsSameAs(current))
            throw new RefusedException(RefusalCode.InvalidArgument, "`--new-key` is the data_encryption_key of now. Give another one, or none.");
        // A store that has the next key already: the configuration was not told the end.
        if (store.IsKey(current) || (hand.NextKey is { } next && store.IsKey(next)))
            return new(file, current.ToBase64(), asked?.ToBase64(), writes: true);
        if (asked is not null && !asked.IsSameAs(current))
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument,
                $"The store has a retired key. Run `dbx key rotate` without `--new-key`: it is given the data_encryption_key in {file.Path}, and can then be rotated to another one.");
        }

        return new(file, null, current.ToBase64(), writes: false) { TakesKeyOfNow = true };
    }

    /// <summary>A rotation that was begun leads to one key, and to no other.</summary>
    static KeyPlan GoOn(ConfigFile file, List<DataKey> all, StoreKeyIdentity store, DataKey? asked)
    {
        var target = asked ?? all.Find(store.IsNext);
        if (target is null || !store.IsNext(target))
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument,
                asked is null ? $"A rotation of this store is unfinished, and the key it leads to is not in {file.Path}. Give it with `--new-key`."
                    : "A rotation of this store to another data key is unfinished, and this is not that key. Give that one, or none if it is in the configuration, and it goes on.");
        }

        var text = target.ToBase64();
        var saved = file.Saved;
        return saved.DataEncryptionKey == text || saved.DataEncryptionKeysRetired.Contains(text)
            ? new(file, null, text, writes: false) { TakesKeyOfNow = saved.DataEncryptionKey == text }
            : new(file, saved.DataEncryptionKey, text, writes: true);
    }

    /// <summary>The new key, once it is safely in the configuration; where that is not ours to write, as it was given.</summary>
    public async Task<DataKey> PrepareAsync(CancellationToken cancellation)
    {
        if (!_writes)
            return Parse(_target!);
        using var made = DataKey.Generate();
        var wanted = _target ?? made.ToBase64();
        var saved = await _file.UpdateAsync(
            config => config.DataEncryptionKey == _proven ? config with { DataEncryptionKeyNext = config.DataEncryptionKeyNext ?? wanted }
                : throw new RefusedException(RefusalCode.Unavailable, $"The data_encryption_key in {_file.Path} was changed meanwhile. Run the command again."),
            cancellation).ConfigureAwait(false);
        if (_target is not null && saved.DataEncryptionKeyNext != _target)
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument, $"A rotation to another key is unfinished: it is the data_encryption_key_next in {_file.Path}. Run `dbx key rotate` without `--new-key`, and it goes on with that one.");
        }

        _prepared = saved.DataEncryptionKeyNext;
        return Parse(_prepared!);
    }

    /// <summary>The store has come to its new key: so does the configuration, which keeps the old one.</summary>
    public async Task FinishAsync()
    {
        if (_prepared is null)
            return;
        await _file.UpdateAsync(
            config => config.DataEncryptionKeyNext == _prepared ? config with
            {
                DataEncryptionKey = _prepared, DataEncryptionKeyNext = null,
                DataEncryptionKeysRetired = new([.. config.DataEncryptionKeysRetired.Where(key => key != config.DataEncryptionKey && key != _prepared), .. new[] { config.DataEncryptionKey }.OfType<string>()]),
            } : config,
            CancellationToken.None).ConfigureAwait(false);
    }

    DataKey Parse(string text) => DataKey.TryParse(text, out var key, out var why) ? key : throw new ConfigException($"{_file.Path}: {why}");
}
