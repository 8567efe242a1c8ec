namespace EventDbx.Backups;

/// <summary>One archive, and its bases, on their way into a directory.</summary>
internal sealed class Unpacking(string target, BackupReadOptions options, CancellationToken cancellation)
{
    readonly HashSet<string> _directories = new(StringComparer.Ordinal);
    bool _made;

    /// <exception cref="RefusedException">See <see cref="BackupReader.Unpack"/>.</exception>
    public BackupOutline Run(Stream archive)
    {
        var outline = BackupReader.ReadFiles(archive, options.Progress, Begin, Open, cancellation);
        TakeFromBases(outline.Manifest);
        if (options.Durable)
        {
            foreach (var directory in _directories)
                DurableFile.SyncDirectoryOf(Path.Combine(directory, "."));
            DurableFile.SyncDirectoryOf(target);
        }

        return outline;
    }

    /// <summary>Removes what was made; nothing where nothing was.</summary>
    public void Remove()
    {
        if (!_made)
            return;
        try
        {
            Directory.Delete(target, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // Gone already.
        }
        catch (IOException)
        {
            // What is said to the caller is why it was given up; the directory has a name of its own.
        }
    }

    void Begin(BackupManifest manifest, string sha256)
    {
        options.Accept?.Invoke(manifest);
        var root = Path.GetDirectoryName(target)!;
        while (!Directory.Exists(root) && Path.GetDirectoryName(root) is { } above)
            root = above;
        if (new DriveInfo(root).AvailableFreeSpace is var free && manifest.TotalBytes > free)
            throw new RefusedException(RefusalCode.InvalidArgument, $"The backup has {manifest.TotalBytes} bytes unpacked, and {free} are free where \"{target}\" would be.");
        PrivateDirectory.Create(target);
        _made = true;
    }

    UnpackedFile? Open(BackupManifest manifest, BackupFile file) => Create(file, expected: null);

    UnpackedFile Create(BackupFile file, string? expected)
    {
        var path = Path.Combine(target, file.Path.Replace('/', Path.DirectorySeparatorChar));
        var directory = Path.GetDirectoryName(path)!;
        if (_directories.Add(directory))
            PrivateDirectory.Create(directory);
        return new(path, file, expected, options.Durable);
    }

    /// <summary>What lies in a base is taken from there, and what lies in the base of that from there.</summary>
    void TakeFromBases(BackupManifest manifest)
    {
        var wanted = new Dictionary<string, BackupFile>(StringComparer.Ordinal);
        foreach (var file in manifest.Files)
        {
            if (file.InBase)
                wanted.Add(file.Path, file);
        }

        var bases = 0;
        for (var next = manifest; wanted.Count > 0;)
        {
            var of = next.Base ?? throw Damage.Of($"{Damage.Quote(First(wanted))} is said to be in a base that has none");
            if (++bases > Limits.BackupChainMax)
            {
                throw new RefusedException(RefusalCode.LimitExceeded,
                    $"The backup stands on more than {Limits.BackupChainMax} others, one on the other, and no more are read. Take the newest one that stands on fewer, and make a whole one.");
            }

            using var archive = options.Base(of) ?? throw new RefusedException(
                RefusalCode.NotFound, $"The backup is incremental and needs its base, {of.BackupId} (it was {Damage.Quote(of.File)}), which is not at hand.");
            next = TakeFrom(archive, of, manifest, wanted);
        }
    }

    BackupManifest TakeFrom(Stream archive, BackupBase of, BackupManifest manifest, Dictionary<string, BackupFile> wanted)
    {
        void Check(BackupManifest found, string sha256)
        {
            if (found.BackupId != of.BackupId || sha256 != of.ManifestSha256)
            {
                throw new RefusedException(RefusalCode.InvalidArgument,
                    $"The backup {found.BackupId} is not the base that is needed: that is {of.BackupId}, with a manifest of SHA-256 {of.ManifestSha256}.");
            }

            if (found.DatabaseId != manifest.DatabaseId)
                throw new RefusedException(RefusalCode.InvalidArgument, $"The base is of database {found.DatabaseId}, and the backup of {manifest.DatabaseId}.");
        }

        var outline = BackupReader.ReadFiles(
            archive, options.Progress, Check,
            (_, file) => wanted.Remove(file.Path, out var want) ? Create(OfItsSize(want, file), want.Sha256) : null, cancellation);
        foreach (var (path, want) in wanted)
        {
            if (!outline.Digests.TryGetValue(path, out var digest) || digest != want.Sha256)
                throw Damage.Of($"{Damage.Quote(path)} is said to be in its base, and is not");
        }

        return outline.Manifest;
    }

    /// <summary>Before any of it is written: there is room for what the backup says, and not for what a base says.</summary>
    static BackupFile OfItsSize(BackupFile wanted, BackupFile found) => wanted.Size == found.Size
        ? wanted
        : throw Damage.Of($"{Damage.Quote(wanted.Path)} is not in the base as it was: it has {found.Size} bytes there, and {wanted.Size} were expected");

    static string First(Dictionary<string, BackupFile> wanted)
    {
        foreach (var path in wanted.Keys)
            return path;
        return "";
    }
}

/// <summary>A file that is being unpacked.</summary>
internal sealed class UnpackedFile : IDisposable
{
    readonly FileStream _stream;
    readonly string? _expected;
    readonly BackupFile _file;
    readonly bool _durable;

    /// <param name="path">Where to; nothing is there.</param>
    /// <param name="file">What it is.</param>
    /// <param name="expected">Its SHA-256, where that is known beforehand.</param>
    /// <param name="durable">Sync it at the end.</param>
    public UnpackedFile(string path, BackupFile file, string? expected, bool durable)
    {
        (_file, _expected, _durable) = (file, expected, durable);
        var options = DurableFile.NewFile();
        if (file.Executable && !OperatingSystem.IsWindows())
            options.UnixCreateMode = DurableFile.Mode | UnixFileMode.UserExecute;
        _stream = new(path, options);
    }

    public Stream Stream => _stream;

    public void Finish(string digest)
    {
        if (_stream.Length != _file.Size || (_expected is not null && digest != _expected))
            throw Damage.Of($"{Damage.Quote(_file.Path)} is not in the base as it was: its SHA-256 is {digest}, and {_expected} was expected");
        if (_durable)
            _stream.Flush(flushToDisk: true);
    }

    public void Dispose() => _stream.Dispose();
}
