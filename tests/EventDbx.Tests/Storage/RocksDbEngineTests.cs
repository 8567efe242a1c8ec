using System.Security.Cryptography;

using CsCheck;
using EventDbx.Storage.RocksDb;

using RandomOperation = (int Family, byte[] Key, byte[] Value, bool IsPut);

namespace EventDbx.Tests.Storage;

public sealed class RocksDbEngineTests : StorageConformance
{
    static readonly RocksDbOptions Options = new() { CreateIfMissing = true, EnableStatistics = true };

    readonly TemporaryDirectory _directory = new();

    private protected override IStorageEngine NewEngine() => Open();

    RocksDbEngine Open() => RocksDbEngine.Open(_directory.Under("store"), Options);

    public override void Dispose()
    {
        base.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rows_survive_a_reopen(bool flushed)
    {
        using (var first = Open())
        {
            var writer = new Writer(first);
            foreach (var family in Families.All)
                writer.Put(family, "key", Families.NameOf(family), sync: family != Family.Meta);
            if (flushed)
                first.FlushMemtables();
        }

        using var second = RocksDbEngine.Open(_directory.Under("store"), Options with { CreateIfMissing = false });

        using var view = second.OpenView();
        foreach (var family in Families.All)
            Assert.Equal(Families.NameOf(family), view.Text(family, "key"));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(NativeOptions.FewTables, 1)]
    [InlineData(NativeOptions.FewTables + 1, 16)]
    public void Few_tables_are_opened_by_the_thread_that_opens_the_store_and_more_by_several(int tables, int threads)
    {
        Open().Dispose();
        for (var table = 0; table < tables; table++)
            File.WriteAllBytes(Path.Combine(_directory.Under("store"), $"counted-{table}.sst"), []);

        using var engine = Open();

        // RocksDB writes down what it really goes by.
        var told = Directory.GetFiles(_directory.Under("store"), "OPTIONS-*").Order(StringComparer.Ordinal).Last();
        Assert.Contains($"max_file_opening_threads={threads}", File.ReadLines(told).Select(line => line.Trim()));
    }

    [Fact]
    public void A_second_open_of_the_same_directory_is_refused_and_says_why()
    {
        using var first = Open();

        var refused = Assert.Throws<StorageFailedException>(() => Open().Dispose());

        Assert.StartsWith($"The store in {_directory.Under("store")} is open already", refused.Message, StringComparison.Ordinal);
        new Writer(first).Put(Family.Log, "a", "still writable");
    }

    [Fact]
    public void A_missing_store_is_refused_and_not_made()
    {
        var options = Options with { CreateIfMissing = false };

        Assert.Throws<StorageFailedException>(() => RocksDbEngine.Open(_directory.Under("store"), options));
        Assert.Throws<StorageFailedException>(() => RocksDbEngine.OpenReadOnly(_directory.Under("store"), Options));

        Assert.False(Directory.Exists(_directory.Under("store")));
    }

    [Fact]
    public void No_new_store_is_made_over_one_that_lost_its_current_file()
    {
        using (var engine = Open())
            new Writer(engine).Put(Family.Log, "a", "1");
        File.Delete(_directory.Under("store/CURRENT"));
        var before = DirectoryImage.Of(_directory.Under("store"));

        var refused = Assert.Throws<StorageFailedException>(() => Open().Dispose());

        Assert.Contains("lost its file CURRENT", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, DirectoryImage.Of(_directory.Under("store")));
    }

    [Fact]
    public void Opening_for_reading_and_reading_everything_changes_not_a_byte()
    {
        using (var engine = Open())
        {
            var writer = new Writer(engine);
            writer.Put(Family.Log, "a", "in a table");
            engine.FlushMemtables();
            writer.Put(Family.Log, "b", "in the write-ahead log");
        }
        var before = DirectoryImage.Of(_directory.Path);

        using (var reading = RocksDbEngine.OpenReadOnly(_directory.Under("store"), Options))
        {
            using var view = reading.OpenView();
            Assert.Equal(2, view.Range(Family.Log, [], [], 10, 1000).Count);
            Assert.Equal(before, DirectoryImage.Of(_directory.Path));
        }

        Assert.Equal(before, DirectoryImage.Of(_directory.Path));
    }

    [Fact]
    public void Opening_a_damaged_store_for_reading_is_refused_and_changes_not_a_byte()
    {
        using (var engine = Open())
            new Writer(engine).Put(Family.Log, "a", "1");
        var manifest = Directory.EnumerateFiles(_directory.Under("store"), "MANIFEST-*").Single();
        var bytes = File.ReadAllBytes(manifest);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(manifest, bytes);
        var before = DirectoryImage.Of(_directory.Path);

        var refused = Assert.Throws<StorageFailedException>(() => RocksDbEngine.OpenReadOnly(_directory.Under("store"), Options));

        Assert.Contains("could not be opened: Corruption", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, DirectoryImage.Of(_directory.Path));
    }

    [Fact]
    public void A_reader_may_open_beside_a_writer_but_not_write()
    {
        using var engine = Open();
        new Writer(engine).Put(Family.Log, "a", "1");

        using var reading = RocksDbEngine.OpenReadOnly(_directory.Under("store"), Options);

        using var view = reading.OpenView();
        Assert.Equal("1", view.Text(Family.Log, "a"));
        var refused = Assert.Throws<StorageFailedException>(() => new Writer(reading).Put(Family.Log, "b", "2"));
        Assert.Contains("opened for reading only", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_synced_commit_syncs_the_write_ahead_log_once_and_no_other_commit_does()
    {
        using var engine = Open();
        var writer = new Writer(engine);
        var before = engine.WalSyncs;

        for (var i = 0; i < 100; i++)
            writer.Put(Family.Log, $"{i}", "value", sync: i % 2 == 0);

        Assert.Equal(50UL, engine.WalSyncs - before);
        engine.Sync();
        Assert.Equal(51UL, engine.WalSyncs - before);
    }

    [Fact]
    public void No_log_file_is_written_next_to_the_data()
    {
        using (var engine = Open())
            new Writer(engine).Put(Family.Log, "a", "1");
        Open().Dispose();

        Assert.Empty(Directory.EnumerateFiles(_directory.Under("store"), "LOG*"));
    }

    [Fact]
    public void A_view_outlives_its_engine_and_the_last_one_closes_the_store()
    {
        var engine = Open();
        new Writer(engine).Put(Family.Log, "a", "1");
        var view = engine.OpenView();

        engine.Dispose();
        engine.Dispose();

        Assert.Equal("1", view.Text(Family.Log, "a"));
        Assert.Throws<ObjectDisposedException>(engine.OpenView);
        Assert.Throws<ObjectDisposedException>(() => new Writer(engine).Put(Family.Log, "b", "2"));
        Assert.Throws<StorageFailedException>(() => Open().Dispose());
        view.Dispose();
        view.Dispose();
        Assert.Throws<ObjectDisposedException>(() => view.Get(Family.Log, "a"u8));
        Open().Dispose();
    }

    [Fact]
    public void After_a_failed_flush_the_engine_takes_no_more_writes_and_still_reads()
    {
        using var engine = Open();
        var writer = new Writer(engine);
        writer.Put(Family.Log, "a", "1");
        Directory.Move(_directory.Under("store"), _directory.Under("elsewhere"));

        var failed = Assert.Throws<StorageFailedException>(engine.FlushMemtables);
        var after = Assert.Throws<StorageFailedException>(() => writer.Put(Family.Log, "b", "2"));

        Assert.StartsWith("The memtables were not flushed", failed.Message, StringComparison.Ordinal);
        Assert.Contains("takes no more writes", after.Message, StringComparison.Ordinal);
        using var view = engine.OpenView();
        Assert.Equal("1", view.Text(Family.Log, "a"));
        Assert.Null(view.Get(Family.Log, "b"u8));
    }

    [Fact]
    public void Repair_makes_a_store_without_its_manifest_open_again()
    {
        using (var engine = Open())
        {
            new Writer(engine).Put(Family.Log, "a", "1");
            engine.FlushMemtables();
        }
        File.Delete(Directory.EnumerateFiles(_directory.Under("store"), "MANIFEST-*").Single());
        Assert.Throws<StorageFailedException>(() => Open().Dispose());

        RocksDbEngine.Repair(_directory.Under("store"));
        RocksDbEngine.Open(_directory.Under("store"), Options with { VerifyWals = false }).Dispose();

        using var repaired = Open();
        using var view = repaired.OpenView();
        Assert.Equal("1", view.Text(Family.Log, "a"));
    }

    [Fact]
    public void The_bytes_on_disk_are_those_of_tables_and_write_ahead_logs()
    {
        using var engine = Open();
        new Writer(engine).Put(Family.Log, "a", new string('x', 10_000));

        Assert.InRange(engine.LiveWalBytes, 10_000, 20_000);
        Assert.Equal(engine.LiveWalBytes, engine.BytesOnDisk);
        engine.FlushMemtables();
        engine.Compact(Family.Log);
        Assert.InRange(engine.BytesOnDisk - engine.LiveWalBytes, 100, 10_000);
    }

    [CiTier("It holds RocksDB against a model, plan by plan.")]
    [Fact]
    public void Random_plans_leave_the_same_contents_in_both_engines()
    {
        var genKey = Gen.Byte[0, 3].Array[0, 3];
        var genOperation = Gen.Select(Gen.Int[1, Families.Count], genKey, Gen.Byte.Array[0, 40], Gen.Bool);
        var genPlan = Gen.Select(genOperation.List[1, 20], Gen.Bool);

        genPlan.List[1, 20].Sample(plans =>
        {
            using var directory = new TemporaryDirectory();
            using var model = new MemoryEngine();
            Commit(model, plans);
            using (var engine = RocksDbEngine.Open(directory.Path, Options))
            {
                Commit(engine, plans);
                AssertSame(model, engine);
                if (plans.Count % 2 == 0)
                    engine.FlushMemtables();
                AssertSame(model, engine);
            }
            using var reopened = RocksDbEngine.Open(directory.Path, Options);
            AssertSame(model, reopened);
        }, iter: 40, threads: 1);

        static void Commit(IStorageEngine engine, List<(List<RandomOperation> Operations, bool Sync)> plans)
        {
            var writer = new Writer(engine);
            foreach (var (operations, sync) in plans)
            {
                writer.Commit(plan =>
                {
                    foreach (var (family, key, value, isPut) in operations)
                    {
                        if (isPut)
                            plan.Put((Family)family, key, value);
                        else
                            plan.Delete((Family)family, key);
                    }
                }, sync);
            }
        }

        static void AssertSame(IStorageEngine expected, IStorageEngine actual)
        {
            using var left = expected.OpenView();
            using var right = actual.OpenView();
            foreach (var family in Families.All)
            {
                foreach (var backwards in (bool[])[false, true])
                {
                    var expectedRows = left.Range(family, [1], [2, 3], 50, 300, backwards);
                    Assert.Equal(Text(expectedRows), Text(right.Range(family, [1], [2, 3], 50, 300, backwards)));
                }
                var all = left.Range(family, [], [], 10_000, int.MaxValue);
                Assert.Equal(Text(all), Text(right.Range(family, [], [], 10_000, int.MaxValue)));
                byte[][] keys = [.. all.Select(row => row.Key), [9]];
                Assert.Equal(left.GetMany(family, keys), right.GetMany(family, keys));
            }
        }

        static IEnumerable<string> Text(IEnumerable<Row> rows) =>
            rows.Select(row => $"{Convert.ToHexString(row.Key)}={Convert.ToHexString(row.Value)}");
    }
}

/// <summary>Everything that could have changed in a directory, as text: names, kinds, times, sizes, bytes.</summary>
internal static class DirectoryImage
{
    public static IReadOnlyList<string> Of(string directory) =>
    [
        .. new DirectoryInfo(directory).EnumerateFileSystemInfos("*", SearchOption.AllDirectories)
            .Append(new DirectoryInfo(directory))
            .OrderBy(entry => entry.FullName, StringComparer.Ordinal)
            .Select(entry => $"{entry.FullName} {entry.UnixFileMode} {entry.LastWriteTimeUtc.Ticks} {Content(entry)}"),
    ];

    static string Content(FileSystemInfo entry) =>
        entry is FileInfo file ? $"{file.Length} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file.FullName)))}" : "";
}
