using System.Formats.Tar;
using EventDbx.Backups;
using EventDbx.Integrity;

namespace EventDbx.Tests.Backups;

/// <summary>Archives that somebody made to do harm: refused, nothing outside of the target is touched, and the target is gone again.</summary>
public sealed class CraftedArchiveTests
{
    [Fact]
    public void Null_where_a_file_should_be_is_refused()
    {
        Assert.Contains("null for a file", Archives.Refused(Archives.Crafted(Archives.Manifest(new BackupFile[] { null! }), static (_, _) => { })), StringComparison.Ordinal);
        Assert.Contains("null for what was left out", Archives.Refused(Archives.Crafted(Archives.Manifest() with { LeftOut = [null!] }, static (_, _) => { })), StringComparison.Ordinal);
        var sums = Archives.Crafted(Archives.Manifest(), static (_, add) => add("checksums.json", """{"files":[null]}"""u8.ToArray()), withChecksums: false);
        Assert.Contains("null for a file", Archives.Refused(sums), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("data/../../outside")]
    [InlineData("data/..")]
    [InlineData("/etc/passwd")]
    [InlineData("//etc/passwd")]
    [InlineData("data//a")]
    [InlineData("data/./a")]
    [InlineData("data/")]
    [InlineData("data")]
    [InlineData("")]
    [InlineData("other/a")]
    [InlineData("manifest.json")]
    [InlineData("checksums.json")]
    [InlineData("data/a\\..\\..\\outside")]
    [InlineData("data/C:a")]
    [InlineData("data/a\nb")]
    [InlineData("data/a\0b")]
    [InlineData("data/a.")]
    [InlineData("data/a ")]
    public void A_name_that_is_none_below_data_is_refused(string path)
    {
        var said = Archives.Manifest(new BackupFile(path, 1));
        Assert.Contains("no name of a file", Archives.Refused(Archives.Write(said, (path, "x"))), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../outside")]
    [InlineData("/etc/passwd")]
    [InlineData("data/b")]
    public void A_name_that_the_manifest_does_not_have_is_refused(string path) => Assert.Contains(
        "should follow",
        Archives.Refused(Archives.Crafted(Archives.Manifest(new BackupFile("data/a", 1)), (_, add) => add(path, "x"u8.ToArray()))), StringComparison.Ordinal);

    [Theory]
    [InlineData("data/a", "data/a", "twice")]
    [InlineData("data/a", "data/A", "twice")]
    [InlineData("data/a", "data/a/b", "as a file and as a directory")]
    [InlineData("data/a", "data/A/b", "as a file and as a directory")]
    [InlineData("data/a/b", "data/A", "twice")]
    public void Two_files_in_one_place_are_refused(string one, string other, string why)
    {
        var said = Archives.Manifest(new BackupFile(one, 1), new BackupFile(other, 1));
        var archive = Archives.Crafted(said, (_, add) =>
        {
            add(one, "x"u8.ToArray());
            add(other, "y"u8.ToArray());
        });
        Assert.Contains(why, Archives.Refused(archive), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TarEntryType.SymbolicLink, "a symbolic link")]
    [InlineData(TarEntryType.HardLink, "a hard link")]
    [InlineData(TarEntryType.CharacterDevice, "a character device")]
    [InlineData(TarEntryType.BlockDevice, "a block device")]
    [InlineData(TarEntryType.Fifo, "a named pipe")]
    [InlineData(TarEntryType.Directory, "a directory")]
    public void What_is_no_regular_file_is_refused(TarEntryType type, string name)
    {
        var archive = Archives.Crafted(Archives.Manifest(new BackupFile("data/a", 0)), (tar, _) =>
        {
            var entry = new UstarTarEntry(type, "data/a");
            if (type is TarEntryType.SymbolicLink or TarEntryType.HardLink)
                entry.LinkName = "/etc/passwd";
            tar.WriteEntry(entry);
        });
        Assert.Contains(name, Archives.Refused(archive), StringComparison.Ordinal);
    }

    [Fact]
    public void A_manifest_that_lies_about_a_size_is_refused()
    {
        foreach (var lie in (long[])[0, 2, 1L << 40, -1, long.MaxValue])
            Archives.Refused(Archives.Crafted(Archives.Manifest(new BackupFile("data/a", lie)), static (_, add) => add("data/a", "x"u8.ToArray())), lie == 1L << 40 ? RefusalFor(lie) : RefusalCode.IntegrityViolation);
    }

    [Fact]
    public void A_bomb_is_refused_before_it_goes_off()
    {
        // What it says it has is more than there is room for: nothing is made. What it does not say is not read.
        var large = Archives.Manifest(new BackupFile("data/a", 1L << 49));
        Assert.Contains("are free", Archives.Refused(Archives.Crafted(large, static (_, _) => { }), RefusalCode.InvalidArgument), StringComparison.Ordinal);
        var small = Archives.Manifest(new BackupFile("data/a", 1));
        Assert.Contains("says 1", Archives.Refused(Archives.Crafted(small, static (_, add) => add("data/a", new byte[64 * 1024 * 1024]))), StringComparison.Ordinal);
    }

    [Fact]
    public void A_bomb_in_a_base_is_refused_before_any_of_it_is_written()
    {
        var bomb = Archives.Crafted(Archives.Manifest(new BackupFile("data/a", 64 * 1024 * 1024)), static (_, add) => add("data/a", new byte[64 * 1024 * 1024]));
        var small = Archives.Write(On(bomb, new("data/a", 1) { InBase = true, Sha256 = EventDbx.Integrity.Hash32.Of("x"u8).ToString() }));
        Assert.Contains("has 67108864 bytes there, and 1 were expected", Archives.Refused(small, options: new() { Base = _ => new MemoryStream(bomb) }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_chain_that_is_too_long_is_told_from_damage()
    {
        List<byte[]> chain = [Archives.Sound(("data/a", "x"))];
        while (chain.Count < Limits.BackupChainMax + 2)
            chain.Add(Archives.Write(On(chain[^1], new("data/a", 1) { InBase = true, Sha256 = EventDbx.Integrity.Hash32.Of("x"u8).ToString() })));
        var options = new BackupReadOptions { Base = needed => new MemoryStream(chain[(int)needed.LogSize]) };

        using var directory = new TestKit.TemporaryDirectory();
        var whole = BackupReader.Unpack(new MemoryStream(chain[Limits.BackupChainMax]), directory["target"], options, default);
        Assert.Equal("x", File.ReadAllText(Path.Combine(whole.DataDirectory, "a")));
        Assert.Contains("stands on more than 100 others", Archives.Refused(chain[^1], RefusalCode.LimitExceeded, options), StringComparison.Ordinal);
    }

    /// <summary>Of a backup that refers to another one; its size of the log counts those below it.</summary>
    static BackupManifest On(byte[] archive, BackupFile file)
    {
        var (below, sha256) = BackupReader.ReadManifest(new MemoryStream(archive), default);
        return Archives.Manifest(file) with { LogSize = below.LogSize + 1, Base = new(below.BackupId, "base", below.LogSize, below.LogRoot, sha256) };
    }

    [Fact]
    public void A_manifest_that_is_too_large_is_not_read()
    {
        var header = new byte[512];
        TarHeader.Write(header, "manifest.json", TarHeader.Regular, Limits.BackupManifestBytesMax + 1L, executable: false, 0);
        Assert.Contains("does not begin with a manifest", Archives.Refused(Archives.Zstd(header)), StringComparison.Ordinal);
    }

    [Fact]
    public void Names_without_an_end_are_not_read()
    {
        var header = new byte[512];
        TarHeader.Write(header, "pax", TarHeader.Pax, TarHeader.PaxBytesMax + 1L, executable: false, 0);
        Assert.Contains("the name of a file cannot be read", Archives.Refused(Archives.Zstd(header)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"version":1}""", RefusalCode.InvalidArgument, "has version 1")]
    [InlineData("""{"version":3}""", RefusalCode.IntegrityViolation, "it has no checksums. The backup has version 3, and")]
    [InlineData("""{"version":2}""", RefusalCode.IntegrityViolation, "cannot be read")]
    [InlineData("""{"version":2,"version":2}""", RefusalCode.IntegrityViolation, "cannot be read")]
    [InlineData("[]", RefusalCode.IntegrityViolation, "cannot be read")]
    [InlineData("null", RefusalCode.IntegrityViolation, "no JSON object")]
    [InlineData("{", RefusalCode.IntegrityViolation, "cannot be read")]
    public void A_manifest_of_another_version_or_of_another_kind_is_refused(string json, RefusalCode code, string why)
    {
        using var tar = new MemoryStream();
        using (var writer = new TarWriter(tar, TarEntryFormat.Ustar, leaveOpen: true))
            writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, "manifest.json") { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(json)) });
        Assert.Contains(why, Archives.Refused(Archives.Zstd(tar.ToArray()), code), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    public void Another_version_is_said_to_be_one_where_it_was_written_as_that_and_damage_where_it_was_made_of_this_one(int version)
    {
        var manifest = Archives.Manifest(new BackupFile("data/a", 1));
        var archive = Archives.Crafted(manifest with { Version = version }, static (_, add) => add("other/b", "xy"u8.ToArray()));
        Assert.Equal(
            $"The backup has version {version}, and this version of EventDBX reads backups of version 2. Use the EventDBX that made it.",
            Archives.Refused(archive, RefusalCode.InvalidArgument));

        // The checksums are those of the manifest before its version was changed.
        var sum = $$"""{"files":[{"path":"manifest.json","size":{{manifest.Write().Length}},"sha256":"{{Hash32.Of(manifest.Write())}}"}]}""";
        var changed = Archives.Crafted(manifest with { Version = version }, (_, add) => add("checksums.json", Encoding.UTF8.GetBytes(sum)), withChecksums: false);
        Assert.Contains("its manifest is not what was written", Archives.Refused(changed), StringComparison.Ordinal);
        var without = Archives.Crafted(manifest with { Version = version }, static (_, add) => add("data/a", "x"u8.ToArray()), withChecksums: false);
        // 1 was a form without any.
        Assert.Contains(version > 1 ? "it has no checksums" : "reads backups of version 2", Archives.Refused(without, version > 1 ? RefusalCode.IntegrityViolation : RefusalCode.InvalidArgument), StringComparison.Ordinal);
        foreach (var wrong in (string[])["""{"files":[]}""", """{"files":[null]}""", """{"files":[{"path":"data/a","size":1,"sha256":"x"}]}"""])
        {
            var empty = Archives.Crafted(manifest with { Version = version }, (_, add) => add("checksums.json", Encoding.UTF8.GetBytes(wrong)), withChecksums: false);
            Assert.Contains("do not begin with that of its manifest", Archives.Refused(empty), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Checksums_that_are_missing_or_of_something_else_are_refused()
    {
        var manifest = Archives.Manifest(new BackupFile("data/a", 1));
        Assert.Contains("should follow", Archives.Refused(Archives.Crafted(Archives.Manifest(new BackupFile("data/a", 1)), static (_, _) => { })), StringComparison.Ordinal);
        Assert.Contains("ends before", Archives.Refused(Archives.Zstd([.. Archives.Unzstd(Archives.Crafted(manifest, static (_, add) => add("data/a", "x"u8.ToArray()), withChecksums: false)).AsSpan(0, 2048)])), StringComparison.Ordinal);
        Assert.Contains("no checksums", Archives.Refused(Archives.Crafted(manifest, static (_, add) =>
        {
            add("data/a", "x"u8.ToArray());
            add("data/b", "x"u8.ToArray());
        })), StringComparison.Ordinal);
        var other = Archives.Crafted(manifest, static (tar, add) =>
        {
            add("data/a", "x"u8.ToArray());
            add("checksums.json", Encoding.UTF8.GetBytes("""{"files":[]}"""));
        }, withChecksums: false);
        Assert.Contains("checksums of 0", Archives.Refused(other), StringComparison.Ordinal);
    }

    [Fact]
    public void No_archive_at_all_is_refused()
    {
        foreach (var content in (byte[][])[[], "PK"u8.ToArray(), new byte[10_000], Archives.Zstd([]), Archives.Zstd(new byte[1024])])
            Archives.Refused(content);
    }

    /// <summary>More than there is room for is said as that, where it could be true.</summary>
    static RefusalCode RefusalFor(long lie) => new DriveInfo(Path.GetTempPath()).AvailableFreeSpace < lie ? RefusalCode.InvalidArgument : RefusalCode.IntegrityViolation;
}
