using EventDbx.Storage;

namespace EventDbx.Tests.Storage;

public sealed class DurableFileTests : IDisposable
{
    readonly Scratch _scratch = new();

    string File1 => _scratch.At("tokens.json");

    [Fact]
    public void What_is_written_reads_back_and_replaces_what_was_there()
    {
        DurableFile.Write(File1, "old, and longer"u8);
        DurableFile.Write(File1, "new"u8);

        Assert.Equal("new"u8.ToArray(), DurableFile.Read(File1, 100));
        Assert.Single(Directory.GetFileSystemEntries(_scratch.Root));
    }

    [Fact]
    public void A_file_that_is_not_there_reads_as_null()
    {
        Assert.Null(DurableFile.Read(File1, 100));
        Assert.Null(DurableFile.Read(_scratch.At("no/such/directory"), 100));
    }

    [Fact]
    public void A_file_larger_than_expected_is_refused_and_one_that_just_fits_is_not()
    {
        DurableFile.Write(File1, new byte[101]);

        Assert.Equal(101, DurableFile.Read(File1, 101)!.Length);
        var refused = Assert.Throws<IOException>(() => DurableFile.Read(File1, 100));
        Assert.Equal($"\"{File1}\" has 101 bytes; at most 100 are expected.", refused.Message);
    }

    [Fact]
    public void Only_the_owner_may_read_a_written_file_even_where_others_could_read_the_old_one()
    {
        if (OperatingSystem.IsWindows())
            return;
        _scratch.Write("tokens.json", "old"u8);
        File.SetUnixFileMode(File1, DurableFile.Mode | UnixFileMode.GroupRead | UnixFileMode.OtherRead);

        DurableFile.Write(File1, "new"u8);

        Assert.Equal(DurableFile.Mode, File.GetUnixFileMode(File1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(10)]
    public void Killed_before_the_rename_the_old_content_stands_and_the_next_write_works(int bytesWritten)
    {
        DurableFile.Write(File1, "old"u8);
        _scratch.Write("tokens.json.tmp", "new, maybe"u8[..bytesWritten]);

        Assert.Equal("old"u8.ToArray(), DurableFile.Read(File1, 100));
        DurableFile.Write(File1, "newer"u8);

        Assert.Equal("newer"u8.ToArray(), DurableFile.Read(File1, 100));
        Assert.Equal([File1], Directory.GetFileSystemEntries(_scratch.Root));
    }

    [Fact]
    public void Killed_before_the_first_rename_there_is_no_file_and_cleaning_up_leaves_nothing()
    {
        _scratch.Write("tokens.json.tmp", "half"u8);

        Assert.Null(DurableFile.Read(File1, 100));
        DurableFile.CleanUp(File1);
        DurableFile.CleanUp(File1);

        Assert.Empty(Directory.GetFileSystemEntries(_scratch.Root));
    }

    [Fact]
    public async Task Of_many_that_create_one_file_at_once_one_does_and_its_content_stays()
    {
        for (var round = 0; round < 100; round++)
        {
            var created = new List<int>();
            using var start = new Barrier(4);
            await Task.WhenAll([.. Enumerable.Range(0, start.ParticipantCount).Select(n => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait(TestContext.Current.CancellationToken);
                    if (!DurableFile.TryCreate(File1, [(byte)n]))
                        return;
                    lock (created)
                        created.Add(n);
                },
                TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default))]);

            Assert.Equal(created.ConvertAll(static n => (byte)n), DurableFile.Read(File1, 100));
            Assert.Equal([File1], Directory.GetFileSystemEntries(_scratch.Root));
            File.Delete(File1);
        }
    }

    [Fact]
    public void Where_there_is_one_nothing_is_written_to_find_that_out()
    {
        if (OperatingSystem.IsWindows())
            return;
        _scratch.Write("tokens.json", "old"u8);
        // No name beside it has room: it has as many characters as a file system takes.
        var longest = _scratch.At(new string('n', 255));
        File.Move(File1, longest);

        Assert.False(DurableFile.TryCreate(longest, "new"u8));
        Assert.ThrowsAny<IOException>(() => DurableFile.TryCreate(_scratch.At(new string('m', 255)), "new"u8));

        Assert.Equal([longest], Directory.GetFileSystemEntries(_scratch.Root));
    }

    [Fact]
    public void A_free_name_is_taken_by_a_rename_and_by_a_second_name_and_one_that_is_not_by_neither()
    {
        if (OperatingSystem.IsWindows())
            return;
        _scratch.Write("one", "one"u8);
        _scratch.Write("taken", "taken"u8);

        Assert.False(Libc.TryRename(_scratch.At("one"), _scratch.At("taken")));
        Assert.False(Libc.TryLink(_scratch.At("one"), _scratch.At("taken")));
        Assert.Null(Libc.TryLink(_scratch.At("one"), "/proc/free"));
        Assert.Null(Libc.TryRename(_scratch.At("one"), "/proc/free"));
        Assert.True(Libc.TryLink(_scratch.At("one"), _scratch.At("two")));
        Assert.True(Libc.TryRename(_scratch.At("one"), _scratch.At("three")));

        Assert.Equal(["taken", "three", "two"], Directory.GetFileSystemEntries(_scratch.Root).Select(Path.GetFileName).Order());
        Assert.Equal("taken"u8.ToArray(), DurableFile.Read(_scratch.At("taken"), 100));
        Assert.Equal("one"u8.ToArray(), DurableFile.Read(_scratch.At("three"), 100));
    }

    [Fact]
    public void A_link_that_leads_nowhere_is_a_file_that_is_there()
    {
        File.CreateSymbolicLink(File1, "gone");

        Assert.False(DurableFile.TryCreate(File1, "new"u8));

        Assert.Equal("gone", new FileInfo(File1).LinkTarget);
        Assert.Equal([File1], Directory.GetFileSystemEntries(_scratch.Root));
    }

    [Fact]
    public void A_link_planted_at_the_temporary_name_is_not_followed()
    {
        var victim = _scratch.Write("victim", "precious"u8);
        File.CreateSymbolicLink(File1 + DurableFile.TemporarySuffix, victim);

        DurableFile.Write(File1, "new"u8);

        Assert.Equal("precious", File.ReadAllText(victim));
        Assert.Equal("new", File.ReadAllText(File1));
        Assert.Null(new FileInfo(File1).LinkTarget);
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_state_and_no_temporary_file()
    {
        _scratch.Write("tokens.json/in-the-way", "x"u8);

        Assert.ThrowsAny<SystemException>(() => DurableFile.Write(File1, "new"u8));

        Assert.Equal([File1], Directory.GetFileSystemEntries(_scratch.Root));
    }

    [Fact]
    public void A_write_into_a_directory_that_is_not_there_says_so() =>
        Assert.Throws<DirectoryNotFoundException>(() => DurableFile.Write(_scratch.At("no/such/file"), "new"u8));

    [Fact]
    public void Deleting_says_whether_there_was_a_file()
    {
        DurableFile.Write(File1, "x"u8);

        Assert.True(DurableFile.Delete(File1));
        Assert.False(DurableFile.Delete(File1));
        Assert.False(File.Exists(File1));
    }

    public void Dispose() => _scratch.Dispose();
}
