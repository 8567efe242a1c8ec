using System.Buffers;
using System.IO.Hashing;
using EventDbx.Storage;

namespace EventDbx.Server.Plugins.Install;

/// <summary>What a plugin is distributed as: a zip, a tar.gz, or the program alone.</summary>
/// <param name="path">Where it lies now.</param>
/// <param name="origin">Whence it came: its name says what it is, before its first bytes do.</param>
/// <param name="progress">Told how much is unpacked.</param>
internal sealed class Bundle(string path, string origin, IProgress<InstallProgress>? progress)
{
    /// <summary>Modes that a file can have: what a bundle says beyond that (set-uid, writable for others) is not taken over.</summary>
    const UnixFileMode ModeMask = (UnixFileMode)0b111_101_101;
    const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const UnixFileMode Executable = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Packed in a way that we do not read: as a program it would only fail later.</summary>
    static readonly string[] NotRead = [".tar", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.zst", ".xz", ".bz2", ".zst", ".7z", ".rar"];

    enum Form
    {
        Program,
        Zip,
        TarGz,
    }

    /// <summary>Unpacks it into an empty directory.</summary>
    /// <param name="into">The directory.</param>
    /// <param name="name">Of the plugin.</param>
    /// <param name="bin">Which file is the program, by its name; null: found.</param>
    /// <param name="cancellation">Leaves the directory as it is then.</param>
    /// <returns>The program, relative to the directory.</returns>
    /// <exception cref="RefusedException">It has something that is not unpacked; nothing was written outside the directory.</exception>
    public Task<string> UnpackAsync(string into, string name, string? bin, CancellationToken cancellation) => Task.Run(
        () =>
        {
            try
            {
                return Unpack(into, name, bin, cancellation);
            }
            catch (Exception broken) when (broken is InvalidDataException or EndOfStreamException or FormatException or NotSupportedException or OverflowException)
            {
                throw new RefusedException(RefusalCode.InvalidArgument, $"The bundle cannot be read: {broken.Message}");
            }
        },
        cancellation);

    string Unpack(string into, string name, string? bin, CancellationToken cancellation)
    {
        if (bin is not null)
            BundleRules.CheckName(bin);
        var form = FindForm();
        if (form == Form.Program)
            return Install(into, bin ?? (OperatingSystem.IsWindows() ? name + ".exe" : name));

        var bytes = new FileInfo(path).Length;
        // All of it is read before anything is written: what is refused for its last entry has left nothing.
        BundleRules rules = new(bytes);
        foreach (var entry in Entries(form, rules))
        {
            cancellation.ThrowIfCancellationRequested();
            rules.Admit(entry);
        }

        rules = new(bytes);
        foreach (var entry in Entries(form, rules))
        {
            var relative = rules.Admit(entry);
            if (relative.Length == 0)
                continue;
            var target = Path.Combine(into, relative);
            PrivateDirectory.Create(entry.IsDirectory ? target : Path.GetDirectoryName(target)!);
            if (!entry.IsDirectory)
                Write(entry, target, rules, cancellation);
        }

        var program = BundleProgram.Find(rules.Files, name, bin);
        MakeExecutable(Path.Combine(into, program));
        return program;
    }

    string Install(string into, string name)
    {
        if (new FileInfo(path).Length == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "The bundle is empty.");
        var target = Path.Combine(into, name);
        File.Copy(path, target);
        MakeExecutable(target);
        return name;
    }

    Form FindForm()
    {
        var name = origin.ToLowerInvariant();
        if (name.EndsWith(".tar.gz", StringComparison.Ordinal) || name.EndsWith(".tgz", StringComparison.Ordinal))
            return Form.TarGz;
        if (name.EndsWith(".zip", StringComparison.Ordinal))
            return Form.Zip;
        if (Array.Find(NotRead, ending => name.EndsWith(ending, StringComparison.Ordinal)) is { } other)
            throw new RefusedException(RefusalCode.InvalidArgument, $"A plugin is distributed as .zip, .tar.gz, .tgz or as its program alone; {other} is not read.");
        Span<byte> first = stackalloc byte[4];
        using var file = File.OpenHandle(path);
        first = first[..RandomAccess.Read(file, first, 0)];
        return first.StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]) ? Form.TarGz : first.StartsWith("PK\u0003\u0004"u8) ? Form.Zip : Form.Program;
    }

    IEnumerable<BundleEntry> Entries(Form form, BundleRules rules) => form == Form.Zip ? ZipBundle.Read(path) : TarBundle.Read(path, rules.BytesMax);

    void Write(BundleEntry entry, string target, BundleRules rules, CancellationToken cancellation)
    {
        var mode = (entry.Mode & ModeMask) | Readable;
        using FileStream file = new(target, NewFile(mode));
        // The umask has taken some of it.
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file.SafeFileHandle, mode);
        Crc32 crc = new();
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            using var data = entry.Open();
            for (int read; (read = data.Read(buffer)) > 0;)
            {
                cancellation.ThrowIfCancellationRequested();
                // What an entry says of its size is held against what comes out of it.
                rules.Count(read);
                crc.Append(buffer.AsSpan(0, read));
                file.Write(buffer, 0, read);
                progress?.Report(new(InstallStep.Unpacking, rules.Bytes, null));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        if (file.Length != entry.Length || (entry.Crc is { } expected && crc.GetCurrentHashAsUInt32() != expected))
            throw new InvalidDataException($"\"{Rest.Shown.Of(entry.Name)}\" is damaged.");
        file.Flush(flushToDisk: true);
    }

    static void MakeExecutable(string file)
    {
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, (File.GetUnixFileMode(file) & ModeMask) | Readable | Executable);
    }

    /// <summary>A new file: nothing that lies there is written over, no link is followed.</summary>
    internal static FileStreamOptions NewFile(UnixFileMode mode)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = mode;
        return options;
    }
}

/// <summary>A file or directory of a bundle.</summary>
internal sealed class BundleEntry
{
    /// <summary>As it stands there.</summary>
    public required string Name { get; init; }

    public required bool IsDirectory { get; init; }

    /// <summary>Why it is neither a file nor a directory; null: it is.</summary>
    public string? Strange { get; init; }

    /// <summary>Bytes, as the bundle says.</summary>
    public required long Length { get; init; }

    public required UnixFileMode Mode { get; init; }

    /// <summary>Of its bytes; null: the bundle has none.</summary>
    public uint? Crc { get; init; }

    /// <summary>Its bytes, once, before the next entry is read.</summary>
    public required Func<Stream> Open { get; init; }
}
