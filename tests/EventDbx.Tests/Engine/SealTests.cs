using EventDbx.Encryption;
using EventDbx.Storage;

namespace EventDbx.Tests.Engine;

/// <summary>The signs of a clean stop, seen from outside: they are gone before the store is written to again.</summary>
public sealed class SealTests
{
    [Fact]
    public async Task An_open_with_a_wrong_key_does_not_keep_the_right_one_out_afterwards()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        using var wrong = DataKey.Generate();

        Assert.Throws<StoreRefusedException>(() => Database.Open(store.Options() with { Key = wrong }));

        await using (var database = store.Open())
            Assert.Equal(1UL, database.OpenSession().GetAggregate(TestStore.Aggregate()).Version);
    }

    [Fact]
    public async Task While_a_store_is_open_nothing_says_that_it_was_closed()
    {
        using var store = new TestStore();
        await store.Open().DisposeAsync();
        Assert.True(File.Exists(Path.Combine(store.Directory, "event_store.inventory")));

        await using (store.Open())
        {
            Assert.False(File.Exists(Path.Combine(store.Directory, "event_store.inventory")));
            using var watermark = Watermark.Open(Path.Combine(store.Directory, "watermark"));
            Assert.False(watermark.StoppedCleanly);
        }
    }

    [Fact]
    public async Task A_store_changed_after_a_clean_stop_is_refused_and_not_a_byte_is_changed()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var manifest = Assert.Single(Directory.GetFiles(Path.Combine(store.Directory, "event_store"), "MANIFEST-*"));
        var content = await File.ReadAllBytesAsync(manifest, TestContext.Current.CancellationToken);
        content[^1] ^= 1;
        await File.WriteAllBytesAsync(manifest, content, TestContext.Current.CancellationToken);
        var before = Fingerprint(store.Directory);

        var refused = Assert.Throws<StoreRefusedException>(() => store.Open());

        Assert.StartsWith(
            $"The store in {store.Directory} was changed since it was closed. The file \"{Path.GetFileName(manifest)}\" is not what it was ",
            refused.Message,
            StringComparison.Ordinal);
        Assert.Equal(before, Fingerprint(store.Directory));
        content[^1] ^= 1;
        await File.WriteAllBytesAsync(manifest, content, TestContext.Current.CancellationToken);
        await store.Open().DisposeAsync();
    }

    static string Fingerprint(string directory) => string.Join('\n', Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(file => $"{file} {Convert.ToHexString(File.ReadAllBytes(file))}"));
}
