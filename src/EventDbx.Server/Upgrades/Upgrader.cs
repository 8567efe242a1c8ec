using System.Security.Cryptography;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Daemon;
using EventDbx.Server.Plugins.Install;
using EventDbx.Storage;

namespace EventDbx.Server.Upgrades;

/// <summary>Puts another version beside this one, and means that one from then on.</summary>
/// <remarks>
/// <code>
/// 1 fetch SHA256SUMS.note                     signed by a key we trust, for this very version
/// 2 fetch the archive into .staging-…/        bounded, hashed, held against the list
/// 3 unpack it into .staging-…/files           files and directories only, nothing outside
/// 4 start dbx --version there                 it says the version, so it runs here
/// 5 rename it to ROOT/VERSION                 synced before
/// 6 replace the link `current`                in one step
/// 7 remove versions but this, the one before, and those that something still runs from: renamed to .staging-… first
/// </code>
/// Killed anywhere, the old version or the new one is meant, and each is whole. No shell is involved.
/// </remarks>
/// <param name="root">The directory of the versions.</param>
/// <param name="server">Where releases are.</param>
/// <param name="keys">Whose signatures count; none: nothing is installed from elsewhere.</param>
/// <param name="clock">Time-outs.</param>
public sealed class Upgrader(string root, ReleaseServer server, IReadOnlyList<NoteKey> keys, TimeProvider clock)
{
    const string LockName = ".lock";
    const string StagingPrefix = ".staging-";
    static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Told of each step once it is done, so that a test can see what a kill would leave there; null: nobody is.</summary>
    internal Action<string>? Reached { get; init; }

    /// <summary>What would be done. With keys, the list of hashes is fetched and held against them.</summary>
    /// <exception cref="RefusedException">It cannot be done, or is not to be trusted.</exception>
    /// <exception cref="IOException">The address of releases did not answer.</exception>
    public async Task<UpgradePlan> PlanAsync(ListedRelease release, ReleaseVersion version, CancellationToken cancellation)
    {
        var plan = UpgradePlan.Of(release, version, root);
        if (keys.Count == 0)
            return plan;
        var note = await server.FetchAsync(plan.Checksums.Address, SignedNote.BytesMax, cancellation).ConfigureAwait(false);
        var hashes = ReleaseChecksums.Read(note, version, keys);
        return plan with
        {
            SignedBy = hashes.SignedBy,
            Sha256 = hashes.Find(plan.Archive.Name)
                ?? throw new RefusedException(RefusalCode.IntegrityViolation, $"The signed list of {version.Tag} does not name {plan.Archive.Name}. Nothing was installed."),
        };
    }

    /// <summary>Whether a version lies here already, so that nothing has to be fetched.</summary>
    public bool Has(ReleaseVersion version) => File.Exists(ProgramIn(Path.Combine(root, version.ToString())));

    /// <summary>Does it. What is meant stays as it was where it fails.</summary>
    /// <param name="plan">Of <see cref="PlanAsync"/>, with its hash.</param>
    /// <param name="progress">Told how many bytes were fetched, and of how many.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="RefusedException">Nothing was changed.</exception>
    /// <exception cref="IOException">The same, for what a disk or a network did.</exception>
    public async Task InstallAsync(UpgradePlan plan, IProgress<(long Bytes, long? InAll)>? progress, CancellationToken cancellation)
    {
        if (plan.Sha256 is not { } expected)
            throw NoKeys();
        using var held = await LockAsync(cancellation).ConfigureAwait(false);
        CleanUp();
        // Another upgrade may have put it there while this one waited: then something may run from it already.
        if (await RunsAsync(plan.Version, cancellation).ConfigureAwait(false))
        {
            Switch(plan.Version);
            return;
        }

        var staging = StagingPath();
        PrivateDirectory.Create(staging);
        try
        {
            var archive = Path.Combine(staging, plan.Archive.Name);
            var hash = await server.FetchAsync(plan.Archive.Address, archive, progress, cancellation).ConfigureAwait(false);
            if (hash != expected)
                throw new RefusedException(RefusalCode.IntegrityViolation, $"{plan.Archive.Name} is not what was signed: its SHA-256 is {hash}, the signed list has {expected}. Nothing was installed.");
            Reached?.Invoke("fetched");
            var files = await UnpackAsync(archive, Path.Combine(staging, "files"), plan, cancellation).ConfigureAwait(false);
            Reached?.Invoke("unpacked");
            await ProgramTrial.DemandAsync(ProgramIn(files), plan.Version, clock, cancellation).ConfigureAwait(false);
            SetModes(files);
            Sync(files);
            cancellation.ThrowIfCancellationRequested();
            Reached?.Invoke("tried");
            Place(files, plan.Target);
            Reached?.Invoke("placed");
        }
        finally
        {
            Delete(staging);
        }

        Switch(plan.Version);
    }

    /// <summary>Means a version that lies here already.</summary>
    /// <exception cref="RefusedException">It does not run; nothing was changed.</exception>
    public async Task SwitchAsync(ReleaseVersion version, CancellationToken cancellation)
    {
        using var held = await LockAsync(cancellation).ConfigureAwait(false);
        CleanUp();
        await ProgramTrial.DemandAsync(ProgramIn(Path.Combine(root, version.ToString())), version, clock, cancellation).ConfigureAwait(false);
        Switch(version);
    }

    /// <summary>Why nothing is installed without keys.</summary>
    public static RefusedException NoKeys() => new(RefusalCode.InvalidArgument,
        $"This build trusts no key of releases, so no download can be verified, and none is installed. Give the public keys with --release-keys FILE, or name the file in {ReleaseKeys.FileVariable}.");

    void Switch(ReleaseVersion version)
    {
        var before = CurrentVersion.Find(root);
        var name = version.ToString();
        // Meant already: which one was before it is not known, so none is removed.
        if (before == name)
            return;
        CurrentVersion.Replace(root, name, Reached);
        Reached?.Invoke("meant");
        var running = RunningPrograms.FoldersIn(root);
        foreach (var directory in Directory.EnumerateDirectories(root))
        {
            if (Path.GetFileName(directory) is var other && other != name && other != before && !running.Contains(other) && ReleaseVersion.TryParse(other, out _))
                Remove(directory);
        }

        Reached?.Invoke("cleared");
    }

    /// <summary>It loses its name first: killed while its files go one by one, what is left of it would be taken for a version.</summary>
    void Remove(string version)
    {
        var aside = StagingPath();
        try
        {
            Directory.Move(version, aside);
            DurableFile.SyncDirectoryOf(aside);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // The next upgrade tries again. On Windows what a program runs from cannot be moved: it stays, whole.
            return;
        }

        Reached?.Invoke("aside");
        Delete(aside);
    }

    string StagingPath() => Path.Combine(root, StagingPrefix + RandomNumberGenerator.GetHexString(16, lowercase: true));

    async Task<bool> RunsAsync(ReleaseVersion version, CancellationToken cancellation)
    {
        if (!Has(version))
            return false;
        try
        {
            await ProgramTrial.DemandAsync(ProgramIn(Path.Combine(root, version.ToString())), version, clock, cancellation).ConfigureAwait(false);
            return true;
        }
        catch (RefusedException)
        {
            return false;
        }
    }

    static async Task<string> UnpackAsync(string archive, string into, UpgradePlan plan, CancellationToken cancellation)
    {
        PrivateDirectory.Create(into);
        string program;
        try
        {
            program = await new Bundle(archive, plan.Archive.Name, progress: null).UnpackAsync(into, "dbx", Path.GetFileName(ProgramIn("")), cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            throw new RefusedException(refused.Refusal.Code, $"{plan.Archive.Name} cannot be used: {refused.Message} Nothing was installed.");
        }

        File.Delete(archive);
        // The archive is one folder, or what would be in it.
        return Path.GetDirectoryName(Path.Combine(into, program))!;
    }

    static void Place(string files, string target)
    {
        // What lies there under that name does not run, or it would have been taken as it is (see UpgradeCommand).
        if (Directory.Exists(target) && (OperatingSystem.IsWindows() || !Posix.TryExchange(files, target)))
            throw new IOException($"{target} is there already and cannot be replaced; remove it, and try again. Nothing was changed.");
        if (Directory.Exists(files) && !Directory.Exists(target))
            Directory.Move(files, target);
        DurableFile.SyncDirectoryOf(target);
    }

    /// <summary>Who may start this version may start the next: its directories are open to the same users, its files to be read.</summary>
    void SetModes(string files)
    {
        if (OperatingSystem.IsWindows())
            return;
        var mode = File.GetUnixFileMode(root);
        File.SetUnixFileMode(files, mode);
        foreach (var directory in Directory.EnumerateDirectories(files, "*", SearchOption.AllDirectories))
            File.SetUnixFileMode(directory, mode);
    }

    /// <summary>The files are synced already; their names are not.</summary>
    static void Sync(string files)
    {
        DurableFile.SyncDirectoryOf(Path.Combine(files, "any"));
        foreach (var directory in Directory.EnumerateDirectories(files, "*", SearchOption.AllDirectories))
            DurableFile.SyncDirectoryOf(Path.Combine(directory, "any"));
    }

    /// <summary>What an upgrade that was killed has left; nobody else is at it while we hold the lock.</summary>
    void CleanUp()
    {
        foreach (var left in Directory.EnumerateDirectories(root, StagingPrefix + "*"))
            Delete(left);
        CurrentVersion.CleanUp(root);
    }

    async Task<FileStream> LockAsync(CancellationToken cancellation)
    {
        var path = Path.Combine(root, LockName);
        var started = clock.GetTimestamp();
        while (true)
        {
            try
            {
                var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None };
                if (!OperatingSystem.IsWindows())
                    options.UnixCreateMode = DurableFile.Mode;
                return new(path, options);
            }
            catch (UnauthorizedAccessException cause)
            {
                throw new IOException($"{root} is another user's: run this as the one that installed it (sudo dbx upgrade).", cause);
            }
            catch (IOException held) when (IsHeld(held))
            {
                if (clock.GetElapsedTime(started) >= ServerLimits.PluginInstallLockTimeout)
                    throw new RefusedException(RefusalCode.Overloaded, $"Another upgrade in {root} is under way, and did not end within {ServerLimits.PluginInstallLockTimeout.TotalSeconds} s.");
                await Task.Delay(LockPause, clock, cancellation).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Whether somebody else has the file; not that it cannot be written, which no waiting mends. The runtime gives the number of the system: EWOULDBLOCK, or a sharing violation.</summary>
    static bool IsHeld(IOException cause) => cause.HResult == (OperatingSystem.IsWindows() ? unchecked((int)0x80070020) : OperatingSystem.IsMacOS() ? 35 : 11);

    static string ProgramIn(string directory) => Path.Combine(directory, OperatingSystem.IsWindows() ? "dbx.exe" : "dbx");

    static void Delete(string directory)
    {
        try
        {
            Directory.Delete(directory, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // It took its place.
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // The next upgrade tries again; nothing reads it. On Windows a program that runs cannot be removed.
        }
    }
}
