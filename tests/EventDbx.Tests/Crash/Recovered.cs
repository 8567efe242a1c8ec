using EventDbx.Recovery;

namespace EventDbx.Tests.Crash;

/// <summary>Takes a damaged directory through a recovery and holds the outcome against the store as it was.</summary>
internal static class Recovered
{
    /// <summary>Inspects, accepts, reopens: what is kept is the beginning of what was, byte for byte, and all of it answers.</summary>
    /// <returns>How many entries were kept.</returns>
    public static async Task<ulong> CheckAsync(DirectoryImage image, LiveStore was, StoreCheck? check = null)
    {
        var options = was.Options with { Directory = image.Path, Check = check ?? was.Options.Check, CheckLimit = TimeSpan.FromSeconds(10) };
        var before = image.Fingerprint();
        var looked = StoreRecovery.Inspect(options);
        Assert.NotNull(looked.Damage);
        Assert.Null(looked.MovedTo);
        Assert.Equal(before, image.Fingerprint());
        var store = StoreFingerprint(image.Store);

        var done = StoreRecovery.AcceptLoss(options);

        Assert.Equal((looked.Damage, looked.Kept, looked.Expected, looked.Stopped), (done.Damage, done.Kept, done.Expected, done.Stopped));
        Assert.Equal(store, StoreFingerprint(done.MovedTo!));
        await CheckOutcomeAsync(options, was, done);
        return done.Kept;
    }

    public static async Task CheckOutcomeAsync(DatabaseOptions options, LiveStore was, RecoveryReport done)
    {
        Assert.Null(StoreRecovery.AcceptLoss(options).Damage);
        Assert.Null(StoreRecovery.Inspect(options).Damage);
        Assert.Equal(["event_store", Path.GetFileName(done.MovedTo)], Directory.GetDirectories(options.Directory).Select(Path.GetFileName).Order());
        await using var database = Database.Open(options);
        Assert.Equal((2U, was.Database.DatabaseId), (database.Epoch, done.Kept == 0 && done.Expected is null ? was.Database.DatabaseId : database.DatabaseId));
        var (rows, whole) = (LiveStore.LogRows(database), was.LogRows());
        Assert.Equal(done.Kept + 1, (ulong)rows.Count);
        for (var i = 0; i < (int)done.Kept; i++)
        {
            Assert.Equal(whole[i].Key, rows[i].Key);
            Assert.Equal(whole[i].Value, rows[i].Value);
        }

        var loss = Assert.Single(database.OpenSession().ReadFeed(done.Kept, 10, includeControl: true).Items).Control!;
        Assert.Equal(("accepted_loss", database.DatabaseId.ToString()), (loss.Kind, loss.Subject));
        Assert.StartsWith($$"""{"epoch":2,"kept":{{done.Kept}},"lost":{{done.Lost?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "null"}},""", Encoding.UTF8.GetString(loss.Body.Span), StringComparison.Ordinal);
        database.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken);
        var answers = await was.Content.AskAsync(database, done.Kept);
        if (done.Kept == was.Size)
            Assert.Equal(await was.AnswersAsync(), answers);
        await database.OpenSession().AppendAsync(Engine.TestStore.Draft(Engine.TestStore.Aggregate("after", "wards")), default);
    }

    public static string StoreFingerprint(string folder) => string.Join('\n', Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(file => $"{Path.GetRelativePath(folder, file)} {File.GetLastWriteTimeUtc(file).Ticks} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)))}"));
}
