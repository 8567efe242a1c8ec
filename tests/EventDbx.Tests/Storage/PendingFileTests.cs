namespace EventDbx.Tests.Storage;

/// <summary>A long file gets its name once it is whole.</summary>
public sealed class PendingFileTests : IDisposable
{
    readonly TestKit.TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_name_that_is_free_is_taken_once_the_file_is_whole()
    {
        using (var file = Written())
        {
            Assert.False(File.Exists(_directory["b"]));
            Assert.True(file.TryName());
        }

        Assert.Equal("new", File.ReadAllText(_directory["b"]));
        Assert.Equal([_directory["b"]], Directory.GetFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void A_name_that_somebody_has_taken_meanwhile_is_left_to_them_and_nothing_stays_beside_it()
    {
        using (var file = Written())
        {
            _directory.Write("b", "of another");
            Assert.False(file.TryName());
        }

        Assert.Equal("of another", File.ReadAllText(_directory["b"]));
        Assert.Equal([_directory["b"]], Directory.GetFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void A_link_that_leads_nowhere_has_its_name_as_well()
    {
        File.CreateSymbolicLink(_directory["b"], "gone");
        using (var file = Written())
            Assert.False(file.TryName());

        Assert.Equal("gone", new FileInfo(_directory["b"]).LinkTarget);
    }

    [Fact]
    public void Of_many_that_take_one_name_at_once_one_gets_it()
    {
        for (var round = 0; round < 50; round++)
        {
            var files = Enumerable.Range(0, 4).Select(_ => Written()).ToList();
            using var start = new Barrier(files.Count);
            var took = 0;
            var threads = files.ConvertAll(file => new Thread(() =>
            {
                start.SignalAndWait();
                if (file.TryName())
                    Interlocked.Increment(ref took);
            }));
            threads.ForEach(static thread => thread.Start());
            threads.ForEach(static thread => thread.Join());
            files.ForEach(static file => file.Dispose());
            Assert.Equal(1, took);
            File.Delete(_directory["b"]);
        }
    }

    PendingFile Written()
    {
        var file = PendingFile.Create(_directory["b"]);
        file.Stream.Write("new"u8);
        file.Finish();
        return file;
    }
}
