using System.Security.Cryptography;
using EventDbx.Documents;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Backups;

/// <summary>The directory in which a backup is taken: copies of the files that it consists of.</summary>
/// <remarks>
/// It lies in the data directory, because a hard link does not leave its file system, and is called <c>event_store.stage-</c> and 16 hex digits: a name that nobody gives a copy of their own. The store is
/// a RocksDB checkpoint, second names of its tables. Every other file is copied: ours are replaced and never changed, but others' may grow, and may not keep a backup from being made.
/// A killed process leaves it behind; the next open of the database, which knows that nobody else has it, removes it.
/// </remarks>
internal sealed class BackupStage : IDisposable
{
    const string Prefix = "event_store.stage-";

    const int RandomDigits = 16;

    /// <summary>Bytes of a file that may hold nothing but a data key.</summary>
    const int KeyBytesMax = 4096;

    /// <summary>Secrets of one machine, by their names in a data directory: whoever has a backup must not be able to speak as it does, nor to sign what its log has been.</summary>
    static readonly Dictionary<string, string> InNoBackup = new(StringComparer.OrdinalIgnoreCase)
    {
        ["checkpoint.key"] = "the key that signs checkpoints is in no backup: keep a copy of it apart", ["tls.key"] = "private keys of TLS are in no backup",
    };

    static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");

    const string Unreadable = "this user may not read it";

    const string HoldsSecret = "a key stands in it, or a secret, and the backup was to be without keys";

    readonly string _dataDirectory;
    readonly string _path;
    readonly Func<string, string?> _leaveOut;
    readonly List<BackupOmission> _leftOut = [];
    readonly List<BackupFile> _files = [];
    readonly List<string> _keyTexts = [];
    readonly List<FileInfo> _besideDocuments = [];
    readonly List<(FileInfo File, string Relative)> _toCopy = [];
    readonly Func<string, long> _freeBytes;
    readonly bool _keys;
    readonly SecretTexts _secrets;
    readonly Func<string, Func<byte[], BackupBlank>?> _blank;

    /// <summary>Makes it.</summary>
    /// <param name="dataDirectory">The data directory.</param>
    /// <param name="request">What is left out, and whether keys are.</param>
    /// <param name="secrets">What no file may hold.</param>
    public BackupStage(string dataDirectory, BackupRequest request, SecretTexts secrets)
    {
        (_dataDirectory, _leaveOut, _keys) = (dataDirectory, relative => InNoBackup.GetValueOrDefault(relative) ?? request.LeaveOut(relative), request.Keys);
        (_secrets, _blank) = (secrets, request.Blank);
        _freeBytes = request.FreeBytes;
        _path = Path.Combine(dataDirectory, Prefix + RandomNumberGenerator.GetHexString(RandomDigits, lowercase: true));
        PrivateDirectory.Create(_path);
    }

    /// <summary>What was found and not taken.</summary>
    public IReadOnlyList<BackupOmission> LeftOut => _leftOut;

    public IReadOnlyList<BackupFile> Files => _files;

    /// <summary>Whether a file was taken that holds a key of this store.</summary>
    public bool HoldsKeyOf(StoreRow row)
    {
        foreach (var text in _keyTexts)
        {
            if (!DataKey.TryParse(text, out var key, out _))
                continue;
            using (key)
            using (var keys = row.Encrypted ? DataKeys.Of(row, key) : null)
            {
                if (keys is not null)
                    return true;
            }
        }

        return false;
    }

    /// <summary>Whether a directory of a data directory is such a one.</summary>
    public static bool IsStage(string name) =>
        name.Length == Prefix.Length + RandomDigits && name.StartsWith(Prefix, StringComparison.Ordinal) && !name.AsSpan(Prefix.Length).ContainsAnyExcept(HexDigits);

    /// <summary>Removes those that killed processes left behind. Only for who holds the lock of the directory.</summary>
    public static void Sweep(string dataDirectory)
    {
        foreach (var path in Directory.EnumerateDirectories(dataDirectory, Prefix + "*"))
        {
            // A store of somebody's would have its files at the top.
            if (IsStage(Path.GetFileName(path)) && Directory.EnumerateFileSystemEntries(path).All(static entry => Path.GetFileName(entry) is "data" or "config.toml"))
                Remove(path);
        }
    }

    /// <summary>Takes the store, and says what it is.</summary>
    /// <exception cref="StorageFailedException">It cannot be taken.</exception>
    public (StoreRow Row, MerkleTree Log) TakeStore(RocksDbEngine engine)
    {
        var directory = Path.Combine(_path, "data", "event_store");
        PrivateDirectory.Create(Path.GetDirectoryName(directory)!);
        engine.Checkpoint(directory);
        using var taken = RocksDbEngine.OpenReadOnly(directory, new() { BlockCacheBytes = 1024 * 1024, WriteBufferBytes = 1024 * 1024 });
        using var view = taken.OpenView();
        var row = StoreRow.Find(view) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is missing, or cannot be read");
        return (row, LogTreeStore.LoadFrontier(view));
    }

    /// <summary>Takes the documents, and nothing else that lies beside them: whoever writes one waits meanwhile.</summary>
    public void TakeDocuments()
    {
        foreach (var file in new DirectoryInfo(_dataDirectory).EnumerateFiles())
        {
            if (DocumentDirectory.IsName(file.Name) && file is { LinkTarget: null, Exists: true, Length: <= Limits.DocumentBytesMax })
                TakeFile(file, file.Name);
            else
                _besideDocuments.Add(file);
        }

        CopyAll();
    }

    /// <summary>Takes whatever else lies in the data directory: keys, installed plugins, files of others.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: there is no room for copies of it.</exception>
    public void TakeTheRest()
    {
        foreach (var file in _besideDocuments)
            Consider(file, file.Name);
        TakeDirectories();
        DemandRoom();
        CopyAll();
    }

    void TakeDirectories()
    {
        foreach (var directory in new DirectoryInfo(_dataDirectory).EnumerateDirectories())
        {
            if (directory.Name.StartsWith("event_store", StringComparison.Ordinal) || IsStage(directory.Name))
            {
                if (directory.Name is not ("event_store" or "event_store.new" or "event_store.salvage" or "event_store.trial" or "event_store.best") && !IsStage(directory.Name))
                    _leftOut.Add(new(directory.Name, "it is a store that was put aside"));
                continue;
            }

            TakeDirectory(directory, directory.Name);
        }
    }

    /// <summary>Takes bytes that lie nowhere as they are.</summary>
    public void TakeContent(string path, byte[] content)
    {
        using var file = new FileStream(Path.Combine(_path, path), DurableFile.NewFile());
        file.Write(content);
    }

    /// <summary>Lists everything that was taken, in the order of the archive; what a base has is referred to.</summary>
    public void List(BackupSince? since)
    {
        List<(string Path, FileInfo File)> found = [];
        foreach (var file in new DirectoryInfo(_path).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(_path, file.FullName).Replace(Path.DirectorySeparatorChar, '/');
            // RocksDB's own log, which it never reads.
            if (path is not (BackupPath.Store + "LOCK" or BackupPath.Store + "LOG"))
                found.Add((path, file));
        }

        var earlier = new Dictionary<string, BackupFile>(StringComparer.Ordinal);
        foreach (var file in since?.Files ?? [])
            earlier[file.Path] = file;
        found.Sort(static (a, b) => string.CompareOrdinal(a.Path, b.Path));
        foreach (var (path, file) in found)
        {
            var entry = new BackupFile(path, file.Length) { Executable = !OperatingSystem.IsWindows() && (file.UnixFileMode & UnixFileMode.UserExecute) != 0 };
            _files.Add(earlier.TryGetValue(path, out var before) && before.Size == entry.Size ? AgainstBase(entry, file.FullName, before.Sha256!) : entry);
        }

        if (_files.Count > Limits.BackupFilesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The data directory has {_files.Count} files; a backup has at most {Limits.BackupFilesMax}.");
    }

    /// <summary>Opens one of <see cref="Files"/>.</summary>
    public FileStream Open(BackupFile file) =>
        new(Path.Combine(_path, file.Path.Replace('/', Path.DirectorySeparatorChar)), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.SequentialScan);

    public void Dispose() => Remove(_path);

    static BackupFile AgainstBase(BackupFile entry, string path, string expected)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.SequentialScan);
        return Convert.ToHexStringLower(SHA256.HashData(file)) is var digest && digest == expected ? entry with { InBase = true, Sha256 = digest } : entry;
    }

    void TakeDirectory(DirectoryInfo directory, string relative)
    {
        if (_leaveOut(relative) is { } why)
            Mention(relative, why);
        else if (directory.LinkTarget is not null)
            _leftOut.Add(new(relative, "it is a link"));
        else
            Take(directory, relative + "/");
    }

    void Take(DirectoryInfo directory, string before)
    {
        FileSystemInfo[] entries;
        try
        {
            entries = directory.GetFileSystemInfos();
        }
        catch (UnauthorizedAccessException)
        {
            _leftOut.Add(new(before.TrimEnd('/'), Unreadable));
            return;
        }

        foreach (var entry in entries)
        {
            var relative = before + entry.Name;
            if (entry is DirectoryInfo below)
                TakeDirectory(below, relative);
            else
                Consider((FileInfo)entry, relative);
        }
    }

    void Consider(FileInfo file, string relative)
    {
        if (file.Exists && !IsOfTheEngine(relative) && !relative.EndsWith(DurableFile.TemporarySuffix, StringComparison.Ordinal))
            TakeFile(file, relative);
    }

    /// <summary>The copies lie on the disk that the writer needs as well.</summary>
    void DemandRoom()
    {
        var (bytes, largest) = (0L, (Bytes: -1L, Path: ""));
        foreach (var (file, relative) in _toCopy)
        {
            file.Refresh();
            if (!file.Exists)
                continue;
            bytes += file.Length;
            if (file.Length > largest.Bytes)
                largest = (file.Length, relative);
        }

        if (_freeBytes(_dataDirectory) is var free && bytes > free / Limits.BackupCopiesPartOfFree)
        {
            throw new RefusedException(new Refusal(RefusalCode.Unavailable,
                $"Beside the store lie {bytes} bytes in files, {Damage.Quote(largest.Path)} with {largest.Bytes} the largest, which a backup copies, and {free} are free on that disk. " +
                $"A backup takes 1/{Limits.BackupCopiesPartOfFree} of that at most, so that the writer has room: move what is no part of the database out of the data directory, or make room.") { Final = true });
        }
    }

    void CopyAll()
    {
        foreach (var (file, relative) in _toCopy)
            SetAside(file, relative);
        _toCopy.Clear();
    }

    void TakeFile(FileInfo file, string relative)
    {
        if (_leaveOut(relative) is { } why)
            Mention(relative, why);
        else if (file.LinkTarget is not null)
            _leftOut.Add(new(relative, "it is a link"));
        else if (!IsRegular(file))
            _leftOut.Add(new(relative, "it is no regular file"));
        else if (!BackupPath.IsAllowed(BackupPath.Data + relative))
            _leftOut.Add(new(relative, "its name is not one that every platform has"));
        else
            _toCopy.Add((file, relative));
    }

    void SetAside(FileInfo file, string relative)
    {
        var path = Path.Combine(_path, "data", relative.Replace('/', Path.DirectorySeparatorChar));
        FileStream from;
        try
        {
            from = new(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.SequentialScan);
        }
        catch (UnauthorizedAccessException)
        {
            _leftOut.Add(new(relative, Unreadable));
            return;
        }
        catch (FileNotFoundException)
        {
            return; // Deleted meanwhile.
        }

        using (from)
        {
            var bytes = from.Length;
            if (bytes <= KeyBytesMax && !IsWanted(from, relative))
                return;
            if (_blank(relative) is { } blank)
            {
                TakeBlank(blank(ReadWhole(from)), path, relative);
                return;
            }

            if (_secrets.StandIn(from, bytes))
            {
                _leftOut.Add(new(relative, HoldsSecret));
                return;
            }

            from.Position = 0;
            PrivateDirectory.Create(Path.GetDirectoryName(path)!);
            var options = DurableFile.NewFile();
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(from.SafeFileHandle) & UnixFileMode.UserExecute) != 0)
                options.UnixCreateMode = DurableFile.Mode | UnixFileMode.UserExecute;
            using var to = new FileStream(path, options);
            Copy(from, to, bytes);
        }
    }

    void TakeBlank(BackupBlank blank, string path, string relative)
    {
        if (blank.Why is { } why)
            _leftOut.Add(new(relative, why));
        if (blank.Content is not { } content)
            return;
        // Others may be in it than those that it is known for.
        if (_secrets.StandIn(new MemoryStream(content), content.Length))
        {
            _leftOut.RemoveAll(left => left.Path == relative);
            _leftOut.Add(new(relative, HoldsSecret));
            return;
        }

        PrivateDirectory.Create(Path.GetDirectoryName(path)!);
        using var to = new FileStream(path, DurableFile.NewFile());
        to.Write(content);
    }

    static byte[] ReadWhole(FileStream file)
    {
        using var content = new MemoryStream();
        file.CopyTo(content);
        return content.ToArray();
    }

    /// <summary>Whether a small file goes into the backup: one that is a data key may not.</summary>
    bool IsWanted(FileStream file, string relative)
    {
        var bytes = new byte[KeyBytesMax];
        var text = Encoding.UTF8.GetString(bytes, 0, file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)).Trim();
        file.Position = 0;
        if (!DataKey.TryParse(text, out var key, out _))
            return true;
        key.Dispose();
        if (_keys)
            _keyTexts.Add(text);
        else
            _leftOut.Add(new(relative, "it holds a key, and the backup was to be without keys"));
        return _keys;
    }

    /// <summary>As much as there was: what is written behind it meanwhile is not taken.</summary>
    static void Copy(FileStream from, FileStream to, long bytes)
    {
        var buffer = new byte[64 * 1024];
        while (bytes > 0 && from.Read(buffer, 0, (int)Math.Min(bytes, buffer.Length)) is > 0 and var read)
        {
            to.Write(buffer, 0, read);
            bytes -= read;
        }
    }

    void Mention(string relative, string why)
    {
        if (why.Length > 0)
            _leftOut.Add(new(relative, why));
    }

    /// <summary>What belongs to an open directory, and is made anew where a backup is restored.</summary>
    static bool IsOfTheEngine(string name) => name is DirectoryLock.FileName or "watermark" or "event_store.inventory";

    /// <summary>A socket or a pipe has no length and cannot be opened as a file is; .NET tells neither from a file by its attributes.</summary>
    static bool IsRegular(FileInfo file) =>
        (file.Attributes & (FileAttributes.Device | FileAttributes.ReparsePoint)) == 0 && (OperatingSystem.IsWindows() || file.Length > 0 || !Libc.IsSpecial(file.FullName));

    static void Remove(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // There is none.
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // The next open tries again; meanwhile it costs space and nothing else.
        }
    }
}
