using System.Globalization;

namespace EventDbx.Recovery;

/// <content>The configuration that goes with the pieces: it may lie elsewhere, and somebody may have written it meanwhile.</content>
internal sealed partial class DirectorySwap
{
    /// <summary>From where on that name stands behind the name of a configuration that was replaced: <c>.before-restore-…</c>.</summary>
    static readonly int KeptFrom = "event_store".Length;

    string? _config; // Where it goes, once that is known to be right.

    /// <summary>Whether a configuration is still the one that the new one was made for; null where there was none. Not set: any is.</summary>
    public Func<byte[]?, bool>? IsAsPlanned { get; init; }

    /// <summary>Where the configuration lies that was replaced; null: there was none, or the same.</summary>
    public string? KeptConfig { get; private set; }

    /// <summary>The configuration that was there at the commit; no file where there was none.</summary>
    string ConfigBefore => Path.Combine(directory.Staged, "config.before");

    /// <summary>Where the configuration may go: into the data directory, or in the place of the one that was read.</summary>
    string? Vet(SwapJournal journal, ConfigPlace? config)
    {
        if (journal.IsDone)
            return null;
        DemandOwn();
        if (journal.Config is not { } named)
            return null;
        var inside = Path.Combine(directory.Path, ConfigName);
        var target = Path.GetFullPath(named, directory.Path);
        if (target.StartsWith(Path.TrimEndingDirectorySeparator(directory.Path) + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            return target;
        if (config is null || Path.GetFullPath(config.Path) != target)
        {
            throw new StoreRefusedException(
                $"A {journal.Cause} in {directory.Path} was interrupted behind its commit point, and is not ended: its configuration goes to {target}, and {(config is null ? "whoever opens it here reads none" : $"that of this command is {config.Path}")}. " +
                $"Nothing was changed. Run the command with --config {target} --data-dir {directory.Path}, if that is where it belongs.");
        }

        if (config.FindOtherStore(directory.Path) is not { } other)
            return target;
        progress?.Invoke($"{target} is by now the configuration of the store in {other}, and may hold its only key: it stays, and that of the {journal.Cause} goes to {inside}. Use the store in {directory.Path} with --config {inside}.");
        return inside;
    }

    /// <summary>Everything about the configuration that may fail, but for the renaming itself.</summary>
    void TryConfig(string target)
    {
        DemandReplaceable(target);
        PrivateDirectory.CreateDurably(Path.GetDirectoryName(target)!);
        DurableFile.Prepare(target, DurableFile.Read(Path.Combine(directory.Staged, ConfigName), int.MaxValue));
        DurableFile.CleanUp(target);
        File.Delete(ConfigBefore);
        var before = DurableFile.Read(target, int.MaxValue);
        if (IsAsPlanned?.Invoke(before) == false)
            throw new StoreRefusedException($"The configuration {target} was written while the store was made ready, and may hold the only key of something. Nothing was changed. Run it again: it begins from what is there now.");
        if (before is not null)
            DurableFile.Write(ConfigBefore, before);
    }

    void PutConfig(SwapJournal journal)
    {
        if (_config is not { } target)
            return;
        var content = DurableFile.Read(Path.Combine(directory.Staged, ConfigName), int.MaxValue) ?? throw new IOException($"The configuration that was to take its place is gone from {directory.Staged}.");
        var (there, before) = (DurableFile.Read(target, int.MaxValue), DurableFile.Read(ConfigBefore, int.MaxValue));
        // It may hold the only key of something. Not before the commit: each one that is interrupted would leave another copy.
        if (before is not null && !before.AsSpan().SequenceEqual(content))
            KeptConfig = Keep(before, target, journal.Aside[KeptFrom..]);
        if (there is not null && there.AsSpan().SequenceEqual(content))
            return;
        // Somebody has written it since the commit.
        if (there is not null && !(before is not null && there.AsSpan().SequenceEqual(before)))
        {
            var kept = Keep(there, target, $".{journal.Aside}");
            progress?.Invoke($"{target} was written after the {journal.Cause} that replaces it; what it held is kept as {kept}.");
        }

        PrivateDirectory.CreateDurably(Path.GetDirectoryName(target)!);
        DurableFile.Write(target, content);
    }

    /// <summary>Keeps a configuration beside its place, once: who goes on finds the copy that there is.</summary>
    static string Keep(byte[] content, string target, string suffix)
    {
        PrivateDirectory.CreateDurably(Path.GetDirectoryName(target)!);
        var kept = target + suffix;
        for (var i = 2; !DurableFile.TryCreate(kept, content) && DurableFile.Read(kept, int.MaxValue)?.AsSpan().SequenceEqual(content) != true; i++)
            kept = string.Create(CultureInfo.InvariantCulture, $"{target}{suffix}-{i}");
        return kept;
    }

    void TakeConfigBack(SwapJournal journal)
    {
        if (_config is not { } target)
            return;
        // Of its own place alone: where it had to go elsewhere, nothing of before is there.
        var before = journal.Config is { } named && Path.GetFullPath(named, directory.Path) == target ? DurableFile.Read(ConfigBefore, int.MaxValue) : null;
        if (DurableFile.Read(target, int.MaxValue) is { } there
            && DurableFile.Read(Path.Combine(directory.Staged, ConfigName), int.MaxValue) is { } content && there.AsSpan().SequenceEqual(content) && before?.AsSpan().SequenceEqual(content) != true)
        {
            if (before is not null)
                DurableFile.Write(target, before);
            else
                DurableFile.Delete(target);
        }

        // It is in its place again.
        var kept = KeptConfig ?? target + journal.Aside[KeptFrom..];
        if (before is not null && DurableFile.Read(target, int.MaxValue)?.AsSpan().SequenceEqual(before) == true && DurableFile.Read(kept, int.MaxValue)?.AsSpan().SequenceEqual(before) == true)
            DurableFile.Delete(kept);
        KeptConfig = null;
    }
}
