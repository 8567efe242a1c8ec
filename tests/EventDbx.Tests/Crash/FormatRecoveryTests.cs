using EventDbx.Recovery;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Crash;

/// <summary>A store of another format is nobody's to call sound: whoever looks at it says of which it is, and what to do.</summary>
public sealed class FormatRecoveryTests
{
    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task A_recovery_names_the_format_of_a_store_that_is_not_of_this_one_and_changes_nothing(bool stoppedCleanly, bool damaged)
    {
        using var store = new TestStore();
        DirectoryImage image;
        await using (var database = store.Open())
        {
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            RawRows.Change(database, Family.Meta, Keyspace.StoreRow.ToArray(), static body => [0, 0, 0, 2, .. body[4..]]);
            image = DirectoryImage.Copy(store.Directory);
        }

        if (stoppedCleanly)
        {
            image.Dispose();
            image = DirectoryImage.Copy(store.Directory);
        }

        using (image)
        {
            if (damaged)
                File.Delete(image.In("watermark"));
            var before = image.Fingerprint();
            var options = store.Options() with { Directory = image.Path };
            foreach (var look in (Func<DatabaseOptions, object>[])[StoreRecovery.Inspect, StoreRecovery.AcceptLoss, Database.Open])
            {
                var refused = Assert.Throws<StoreRefusedException>(() => look(options));
                Assert.Contains($"has format 2; this version reads format {StoreRow.CurrentFormat}. Use the version that wrote it", refused.Message, StringComparison.Ordinal);
            }

            Assert.Equal(before, image.Fingerprint());
        }
    }
}
