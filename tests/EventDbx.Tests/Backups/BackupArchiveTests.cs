using System.Formats.Tar;
using EventDbx.Backups;
using EventDbx.TestKit;

namespace EventDbx.Tests.Backups;

/// <summary>What is written is read again, by us and by the framework; and whatever was done to it is found.</summary>
public sealed class BackupArchiveTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_was_written_is_unpacked_byte_for_byte_into_private_files()
    {
        var deep = "data/plugins/" + string.Join('/', Enumerable.Repeat("a-rather-long-name-of-a-directory", 5)) + "/größe.txt";
        (string Path, string Content)[] files = [("config.toml", "port = 7070\n"), ("data/empty", ""), ("data/event_store/000001.sst", new string('x', 1_000_000)), (deep, "deep")];
        var manifest = Archives.Manifest([.. files.Select(file => new BackupFile(file.Path, Encoding.UTF8.GetByteCount(file.Content)) { Executable = file.Path == deep })]);
        var archive = Archives.Write(manifest, files);

        var contents = BackupReader.Unpack(new MemoryStream(archive), _directory["target"], new(), default);

        Assert.Equal(_directory["target/data"], contents.DataDirectory);
        Assert.Equal(_directory["target/config.toml"], contents.ConfigFile);
        foreach (var (path, content) in files)
        {
            Assert.Equal(content, File.ReadAllText(_directory["target/" + path]));
            Assert.Equal(EventDbx.Integrity.Hash32.Of(Encoding.UTF8.GetBytes(content)).ToString(), contents.Outline.Digests[path]);
            if (!OperatingSystem.IsWindows())
                Assert.Equal(path == deep ? UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute : DurableFile.Mode, File.GetUnixFileMode(_directory["target/" + path]));
        }

        if (!OperatingSystem.IsWindows())
        {
            foreach (var made in Directory.EnumerateDirectories(_directory.Path, "*", SearchOption.AllDirectories))
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(made));
        }

        Assert.Equal(contents.Outline.Digests, BackupReader.Read(new MemoryStream(archive), new(), default).Digests);
        Assert.Equal(contents.Outline.ManifestSha256, BackupReader.ReadManifest(new MemoryStream(archive), default).Sha256);
    }

    [Fact]
    public void It_is_a_tar_in_zstd_to_everybody_else()
    {
        var deep = "data/" + new string('d', 120) + "/ümlaut";
        var archive = Archives.Sound(("config.toml", "a"), (deep, "b"), ("data/watchdog.json", "c"));
        using var tar = new TarReader(new MemoryStream(Archives.Unzstd(archive)));
        List<string> names = [];
        while (tar.GetNextEntry() is { } entry)
        {
            names.Add(entry.Name);
            Assert.Equal(TarEntryType.RegularFile, entry.EntryType);
            Assert.Equal(Archives.Then, entry.ModificationTime);
        }

        Assert.Equal(["manifest.json", "config.toml", deep, "data/watchdog.json", "checksums.json"], names);
    }

    [Fact]
    public void One_that_another_tar_has_written_in_the_same_order_is_read()
    {
        var manifest = Archives.Manifest(new BackupFile("data/a", 1));
        var archive = Archives.Crafted(manifest, static (_, add) => add("data/a", "x"u8.ToArray()));
        Assert.Equal("x", File.ReadAllText(Path.Combine(BackupReader.Unpack(new MemoryStream(archive), _directory["target"], new(), default).DataDirectory, "a")));
    }

    [Fact]
    public void Cut_anywhere_it_is_refused()
    {
        var archive = Small();
        for (var length = 0; length < archive.Length; length += Effort.Choose(31, 1, 1))
            Archives.Refused(archive[..length]);
    }

    [Fact]
    public Task A_bit_flipped_anywhere_is_found_or_changes_nothing_that_is_unpacked() => Effort.SeededAsync(random =>
    {
        var archive = Small();
        var sound = BackupReader.Read(new MemoryStream(archive), new(), default);
        var harmless = 0;
        for (var bit = 0; bit < archive.Length * 8; bit += Effort.Choose(1 + random.Next(60), 1, 1))
        {
            var flipped = (byte[])archive.Clone();
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                // Zstd has bits that no decoder looks at: a larger window than is needed, and reserved ones.
                Assert.Equal(sound.Digests, BackupReader.Read(new MemoryStream(flipped), new(), default).Digests);
                harmless++;
            }
            catch (RefusedException refused)
            {
                Assert.True(refused.Refusal.Code == RefusalCode.IntegrityViolation, refused.Message);
            }
        }

        // Padding, reserved bits, sizes of windows: one in a hundred or so, and what is unpacked is the same to the byte.
        Assert.InRange(harmless, 0, archive.Length * 8 / 50);
        return Task.CompletedTask;
    });

    [Fact]
    public Task A_byte_of_the_tar_changed_anywhere_is_found_or_changes_nothing_that_is_unpacked() => Effort.SeededAsync(random =>
    {
        var tar = Archives.Unzstd(Small());
        var sound = BackupReader.Read(new MemoryStream(Small()), new(), default);
        for (var at = 0; at < tar.Length; at += Effort.Choose(1 + random.Next(60), 1, 1))
        {
            var changed = (byte[])tar.Clone();
            changed[at] ^= (byte)(1 + random.Next(255));
            try
            {
                Assert.Equal(sound.Digests, BackupReader.Read(new MemoryStream(Archives.Zstd(changed)), new(), default).Digests);
                Assert.Fail($"byte {at} of the tar was changed, and nothing said so");
            }
            catch (RefusedException refused)
            {
                Assert.True(refused.Refusal.Code == RefusalCode.IntegrityViolation, $"byte {at}: {refused.Message}");
            }
        }

        return Task.CompletedTask;
    });

    [Theory]
    [InlineData("a byte")]
    [InlineData("an empty frame")]
    [InlineData("a skippable frame")]
    [InlineData("itself")]
    public void Something_after_the_end_is_refused(string what)
    {
        var archive = Small();
        byte[] more = what switch
        {
            "a byte" => [0],
            "an empty frame" => Archives.Zstd([]),
            "a skippable frame" => [0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 0],
            _ => archive,
        };
        Assert.Contains("something follows", Archives.Refused([.. archive, .. more]), StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_was_never_finished_is_refused()
    {
        using var archive = new MemoryStream();
        using (var writer = new BackupWriter(archive, Archives.Manifest(new BackupFile("data/a", 1))))
            writer.Add(new MemoryStream([1]), default);
        Archives.Refused(archive.ToArray());
    }

    [Theory]
    [InlineData(4, "became shorter")]
    [InlineData(2, "became longer")]
    public void A_file_that_changes_its_size_meanwhile_gives_no_archive(int said, string why)
    {
        using var archive = new MemoryStream();
        using var writer = new BackupWriter(archive, Archives.Manifest(new BackupFile("data/a", said)));
        Assert.Contains(why, Assert.Throws<IOException>(() => writer.Add(new MemoryStream([1, 2, 3]), default)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_target_that_exists_is_refused_and_stays()
    {
        Directory.CreateDirectory(_directory["target"]);
        var refused = Assert.Throws<RefusedException>(() => BackupReader.Unpack(new MemoryStream(Small()), _directory["target"], new(), default));
        Assert.Contains("exists already", refused.Message, StringComparison.Ordinal);
        Assert.True(Directory.Exists(_directory["target"]));
    }

    [Fact]
    public void Whoever_looks_at_the_manifest_can_refuse_before_anything_is_made()
    {
        var options = new BackupReadOptions { Accept = static manifest => throw new RefusedException(RefusalCode.InvalidArgument, $"not {manifest.DatabaseId}") };
        Assert.Contains("not 0190", Archives.Refused(Small(), RefusalCode.InvalidArgument, options), StringComparison.Ordinal);
    }

    static byte[] Small() => Archives.Sound(("config.toml", "port = 7070\n"), ("data/event_store/CURRENT", "MANIFEST-000005\n"), ("data/tokens.json", "[]"));
}
