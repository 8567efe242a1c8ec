using EventDbx.Encryption;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Storage.RocksDb;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;
using EventDbx.Verification;

namespace EventDbx.Tests.Recovery;

/// <summary>How many keys of aggregates a rebuild holds at once.</summary>
public sealed class LogReplayKeysTests
{
    /// <summary>Aggregates of the largest batch in the store: what of a batch was read cannot be written yet.</summary>
    const int OfOneBatch = 4;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task However_few_keys_are_kept_the_log_is_written_again_as_it_was(int keysMax)
    {
        await using var store = await TamperStore.SmallAsync(encrypted: true);

        var (kept, most) = Rebuild(store, keysMax);
        var (whole, all) = Rebuild(store, Limits.ReplayKeysMax);

        Assert.Equal((store.Database.LogSize, store.Database.LogSize), (kept, whole));
        Assert.InRange(most, keysMax, keysMax - 1 + OfOneBatch);
        Assert.True(all > 15, $"{all}");
    }

    [Fact]
    public async Task A_key_that_is_found_nowhere_ends_what_can_be_read()
    {
        await using var store = await TamperStore.SmallAsync(encrypted: true);
        using var view = store.Database.Engine.OpenView();
        using var keys = store.Options.KeysOf(StoreRow.Find(view)!);
        var replay = new LogReplay(view, new Keyring(keys, new(), Limits.HeadCacheDefault));

        var read = 0UL;
        foreach (var commit in replay.Read())
        {
            read += (ulong)commit.Operations.Length;
            replay.ForgetKeys();
        }

        Assert.True(replay.KeyRefused);
        Assert.InRange(read, 1UL, store.Database.LogSize - 1);
        Assert.Equal(store.Database.LogSize, replay.CountReadable());
    }

    /// <summary>Into a store of its own, which is held against the one that it was made from; entries, and the most keys that were held at once.</summary>
    static (ulong Kept, int Most) Rebuild(TamperStore store, int keysMax)
    {
        using var target = new TestStore();
        using var view = store.Database.Engine.OpenView();
        var row = StoreRow.Find(view)!;
        using var keys = store.Options.KeysOf(row);
        var keyring = new Keyring(keys, new(), Limits.HeadCacheDefault);
        using var engine = RocksDbEngine.Open(Path.Combine(target.Directory, "event_store"), new() { CreateIfMissing = true });
        engine.Commit(new NewStorePlanner(row), sync: false);
        var replay = new LogReplay(view, keyring) { KeysMax = keysMax };
        var most = 0;

        var (kept, stopped) = new StoreRebuild(engine, keyring, store.Options, _ => most = Math.Max(most, replay.KeysKept)).Take(replay);

        Assert.Null(stopped);
        Assert.Equal(Rows(store.Database.Engine), Rows(engine));
        StoreVerifier.Run(
            new() { Engine = engine, Identity = new(row.DatabaseId, row.Epoch), Encrypted = true, Keyring = keyring, ReadWatermark = null, Clock = store.Options.Clock },
            resume: false, null, TestContext.Current.CancellationToken);
        return (kept, Math.Max(most, replay.KeysKept));
    }

    /// <summary>Where every aggregate's key stands, and what is sealed nowhere.</summary>
    static List<string> Rows(IStorageEngine engine) =>
        [.. ((Family[])[Family.Log, Family.Index, Family.Ids]).SelectMany(family => RawRows.All(engine, family)).Select(static row => $"{Convert.ToHexString(row.Key)} {Convert.ToHexString(row.Value)}")];
}
