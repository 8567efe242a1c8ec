using System.Formats.Tar;
using EventDbx.Backups;
using EventDbx.Integrity;
using ZstdSharp;

namespace EventDbx.Tests.Backups;

/// <summary>Archives of small files, written as they should be, or by tools of the framework as they should not.</summary>
internal static class Archives
{
    public static readonly DateTimeOffset Then = new(2026, 11, 26, 12, 0, 0, TimeSpan.Zero);

    public static BackupManifest Manifest(params BackupFile[] files) => new()
    {
        Version = BackupManifest.CurrentVersion, BackupId = Guid.Parse("01900000-0000-7000-8000-000000000001"), CreatedAt = "2026-11-26T12:00:00Z", CreatedBy = "a test",
        StorageFormat = 3, DatabaseId = Guid.Parse("01900000-0000-7000-8000-00000000000a"), Epoch = 1, LogSize = 0, LogRoot = Hash32.Empty.ToString(), Encrypted = false,
        Keys = BackupManifest.KeysIncluded, Standing = BackupManifest.Leader, LeftOut = [], Files = files,
    };

    /// <summary>As it should be: files of these contents.</summary>
    public static byte[] Sound(params (string Path, string Content)[] files)
    {
        var manifest = Manifest([.. files.Select(static file => new BackupFile(file.Path, Encoding.UTF8.GetByteCount(file.Content)))]);
        return Write(manifest, files);
    }

    public static byte[] Write(BackupManifest manifest, params (string Path, string Content)[] files)
    {
        using var archive = new MemoryStream();
        using (var writer = new BackupWriter(archive, manifest))
        {
            while (writer.Due is { } due)
                writer.Add(new MemoryStream(Encoding.UTF8.GetBytes(files.Single(file => file.Path == due.Path).Content)), default);
            writer.Finish();
        }

        return archive.ToArray();
    }

    /// <summary>By the framework's tar, with whatever entries.</summary>
    public static byte[] Crafted(BackupManifest manifest, Action<TarWriter, Action<string, byte[]>> write, bool withChecksums = true)
    {
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, TarEntryFormat.Ustar, leaveOpen: true))
        {
            List<string> sums = [];
            void Add(string name, byte[] content)
            {
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
                sums.Add($$"""{"path":"{{name}}","size":{{content.Length}},"sha256":"{{Hash32.Of(content)}}"}""");
            }

            Add("manifest.json", manifest.Write());
            write(writer, Add);
            if (withChecksums)
                Add("checksums.json", Encoding.UTF8.GetBytes($$"""{"files":[{{string.Join(',', sums)}}]}"""));
        }

        return Zstd(tar.ToArray());
    }

    public static byte[] Zstd(byte[] content)
    {
        using var compressor = new Compressor(1);
        return compressor.Wrap(content).ToArray();
    }

    public static byte[] Unzstd(byte[] archive)
    {
        using var from = new DecompressionStream(new MemoryStream(archive));
        using var to = new MemoryStream();
        from.CopyTo(to);
        return to.ToArray();
    }

    /// <summary>Unpacks it, which is refused and leaves nothing behind; says why.</summary>
    public static string Refused(byte[] archive, RefusalCode code = RefusalCode.IntegrityViolation, BackupReadOptions? options = null)
    {
        using var directory = new TestKit.TemporaryDirectory();
        Directory.CreateDirectory(directory["beside"]);
        File.WriteAllText(directory["beside/old"], "old");
        var before = Everything(directory.Path);
        var refused = Assert.Throws<RefusedException>(() => BackupReader.Unpack(new MemoryStream(archive), directory["target"], options ?? new(), default));
        Assert.True(code == refused.Refusal.Code, $"{refused.Refusal.Code}: {refused.Message}");
        Assert.Equal(before, Everything(directory.Path));
        return refused.Message;
    }

    public static string Everything(string directory) => string.Join('\n', Directory.EnumerateFileSystemEntries(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
}
