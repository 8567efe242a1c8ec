using System.Security.Cryptography;
using EventDbx.Server.Daemon;
using EventDbx.Storage;

namespace EventDbx.Server.Plugins.Install;

/// <summary>Installs programs for process plugins: <c>dbx plugin install</c>.</summary>
/// <remarks>
/// <code>
/// 1 fetch into plugins/.staging-…/bundle     bounded, hashed, held against the checksum
/// 2 read it once without writing             every name, kind and size is fit, or nothing is unpacked
/// 3 unpack into plugins/.staging-…/files     again by the same rules
/// 4 find the program                         and let it be started
/// 5 rename it to its place                   an earlier one is swapped out in the same step
/// 6 write the record                         or swap back
/// </code>
/// It needs no open database, and works beside a running server: a plugin that runs goes on with what it has until it is started again.
/// </remarks>
/// <param name="dataDirectory">Its <c>plugins</c> directory is made where it is missing.</param>
/// <param name="clock">Time-outs, and when it was installed.</param>
/// <param name="network">How addresses are reached; null: as usual. Disposed with each installation.</param>
public sealed class PluginInstaller(string dataDirectory, TimeProvider clock, Func<HttpMessageHandler>? network = null)
{
    const string LockName = ".lock";
    const string StagingPrefix = ".staging-";
    static readonly TimeSpan LockPause = TimeSpan.FromMilliseconds(50);

    readonly PluginRegistry _registry = new(dataDirectory);

    /// <summary>Installs a plugin for this machine.</summary>
    /// <returns>Its record, as it stands in the registry now.</returns>
    /// <exception cref="RefusedException">Nothing was installed, and what was there before still is. The message is for people.</exception>
    /// <exception cref="IOException">The same, for what a disk or a network did.</exception>
    public async Task<InstalledPlugin> InstallAsync(InstallRequest request, IProgress<InstallProgress>? progress, CancellationToken cancellation)
    {
        var (name, version, target) = (request.Name.Trim(), request.Version.Trim(), PluginTarget.Current);
        PluginNames.Check(name, "name");
        PluginNames.Check(version, "version");
        var checksum = ChecksumOf(request.Checksum);
        var source = BundleSource.Parse(request.Source, checksum is not null);
        PrivateDirectory.Create(_registry.Root);
        using var held = await LockAsync(cancellation).ConfigureAwait(false);
        CleanUp();
        var place = _registry.DirectoryOf(name, version, target);
        if (!request.Force && (Directory.Exists(place) || _registry.Find(name, version, target) is not null))
            throw new RefusedException(RefusalCode.AlreadyExists, $"plugin '{name}' v{version} for target {target} is already installed; rerun with --force to overwrite");

        var staging = Path.Combine(_registry.Root, StagingPrefix + RandomNumberGenerator.GetHexString(16, lowercase: true));
        PrivateDirectory.Create(staging);
        try
        {
            var bundle = Path.Combine(staging, "bundle");
            var (hash, from) = await new BundleFetch(clock, network, progress).FetchAsync(source, bundle, cancellation).ConfigureAwait(false);
            if (checksum is not null && hash != checksum)
                throw new RefusedException(RefusalCode.InvalidArgument, $"checksum mismatch: expected {checksum}, computed {hash}");
            var files = Path.Combine(staging, "files");
            PrivateDirectory.Create(files);
            var binary = await new Bundle(bundle, from.Place, progress).UnpackAsync(files, name, request.Bin?.Trim(), cancellation).ConfigureAwait(false);
            File.Delete(bundle);
            InstalledPlugin record = new()
            {
                Name = name, Version = version, Target = target, InstallDirectory = place, BinaryPath = Path.Combine(place, binary),
                Source = from, Checksum = checksum, InstalledAt = Timestamp.From(clock.GetUtcNow()),
            };
            cancellation.ThrowIfCancellationRequested();
            Take(files, place, record);
            return record;
        }
        finally
        {
            Delete(staging);
        }
    }

    /// <summary>Gives what was staged its place. The earlier one, if any, is in the staging directory then, and goes with it.</summary>
    void Take(string files, string place, InstalledPlugin record)
    {
        PrivateDirectory.Create(Path.GetDirectoryName(place)!);
        var replaces = Directory.Exists(place);
        Swap(files, place, replaces);
        try
        {
            _registry.Put(record);
        }
        catch
        {
            if (replaces)
                Swap(files, place, replaces);
            else
                Directory.Move(place, files);
            throw;
        }
    }

    static void Swap(string files, string place, bool replaces)
    {
        if (!replaces)
        {
            Directory.Move(files, place);
            return;
        }

        if (!OperatingSystem.IsWindows() && Posix.TryExchange(files, place))
            return;
        // Where the system cannot exchange two names there is a moment without the plugin; CleanUp ends it after a crash.
        var aside = AsideOf(place);
        Directory.Move(place, aside);
        try
        {
            Directory.Move(files, place);
        }
        catch
        {
            Directory.Move(aside, place);
            throw;
        }

        Directory.Move(aside, files);
    }

    static string AsideOf(string place) => Path.Combine(Path.GetDirectoryName(place)!, ".aside-" + Path.GetFileName(place));

    /// <summary>What an installation that was killed has left; nobody else is at it while we hold the lock.</summary>
    void CleanUp()
    {
        foreach (var left in Directory.EnumerateDirectories(_registry.Root, StagingPrefix + "*"))
            Delete(left);
        foreach (var aside in Directory.EnumerateDirectories(_registry.Root, ".aside-*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2, AttributesToSkip = FileAttributes.ReparsePoint }))
        {
            var place = Path.Combine(Path.GetDirectoryName(aside)!, Path.GetFileName(aside)[".aside-".Length..]);
            if (Directory.Exists(place))
                Delete(aside);
            else
                Directory.Move(aside, place);
        }
    }

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
            // The next installation tries again; nothing reads it.
        }
    }

    async Task<FileStream> LockAsync(CancellationToken cancellation)
    {
        var path = Path.Combine(_registry.Root, LockName);
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
            catch (IOException) when (File.Exists(path))
            {
                if (clock.GetElapsedTime(started) >= ServerLimits.PluginInstallLockTimeout)
                    throw new RefusedException(RefusalCode.Overloaded, $"Another installation in \"{_registry.Root}\" is under way, and did not end within {ServerLimits.PluginInstallLockTimeout.TotalSeconds} s.");
                await Task.Delay(LockPause, clock, cancellation).ConfigureAwait(false);
            }
        }
    }

    static string? ChecksumOf(string? text)
    {
        if (text is null)
            return null;
        var hex = text.Trim();
        if (hex.Length != 2 * SHA256.HashSizeInBytes || hex.AsSpan().ContainsAnyExcept(HexDigits))
            throw new RefusedException(RefusalCode.InvalidArgument, $"A checksum is a SHA-256 in hex, {2 * SHA256.HashSizeInBytes} digits; \"{Rest.Shown.Of(hex)}\" is not that.");
        return hex.ToLowerInvariant();
    }

    static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");
}
