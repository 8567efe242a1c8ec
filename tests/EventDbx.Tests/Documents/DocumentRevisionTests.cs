using System.Text;
using EventDbx.Events;
using EventDbx.Recovery;
using EventDbx.Storage;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Documents;

/// <summary>An older sealed document that is put back, and one that is gone, are found.</summary>
public sealed class DocumentRevisionTests : IDisposable
{
    const string Name = "tokens.json";

    readonly TestStore _store = new();

    public void Dispose() => _store.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_older_one_that_is_put_back_is_refused_while_the_store_is_open_and_at_the_next_open(bool reopened)
    {
        var database = _store.Open();
        await using var first = database;
        Replace(database, "[1]");
        var old = await File.ReadAllBytesAsync(PathOf(Name), TestContext.Current.CancellationToken);
        Replace(database, "[2]");
        if (reopened)
            await database.DisposeAsync();
        await File.WriteAllBytesAsync(PathOf(Name), old, TestContext.Current.CancellationToken);
        await using var second = reopened ? _store.Open() : null;
        var now = second ?? database;

        var refused = Refused(now);
        Assert.Contains("older", refused.Message, StringComparison.Ordinal);
        Assert.Contains($"--accept-document {Name}", refused.Message, StringComparison.Ordinal);

        await now.OpenSession(new Actor("cli", "me")).AcceptDocumentAsync(Name);
        Assert.Equal("[1]", Content(now));
        var entry = now.OpenSession().ReadFeed(0, 100, includeControl: true).Items.Last(item => item.Control is not null).Control!;
        Assert.Equal(("document_accepted", Name, """{"revision":1,"newest":2}"""), (entry.Kind, entry.Subject, Encoding.UTF8.GetString(entry.Body.Span)));
        // What was the newest one is now itself an older one, and what is accepted cannot be accepted again.
        var again = await Assert.ThrowsAsync<RefusedException>(() => now.OpenSession().AcceptDocumentAsync(Name));
        Assert.Equal(RefusalCode.InvalidArgument, again.Refusal.Code);
        Replace(now, "[3]");
        Assert.Equal("[3]", Content(now));
        now.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task One_that_is_gone_is_missed_until_that_is_accepted_and_one_that_was_deleted_is_not()
    {
        await using (var database = _store.Open())
        {
            Replace(database, "[1]");
            Replace(database, "[1]", "plugins.json");
            database.Documents.Delete("plugins.json");
        }

        var deleted = await File.ReadAllBytesAsync(PathOf(Name), TestContext.Current.CancellationToken);
        File.Delete(PathOf(Name));
        await using (var database = _store.Open())
        {
            Assert.Null(database.Documents.Read("plugins.json").Content);
            Assert.Contains("is gone", Refused(database).Message, StringComparison.Ordinal);
            await database.OpenSession().AcceptDocumentAsync(Name);
            Assert.Null(database.Documents.Read(Name).Content);
        }

        // Now that it is gone for good, the old one is an older one.
        await File.WriteAllBytesAsync(PathOf(Name), deleted, TestContext.Current.CancellationToken);
        await using var again = _store.Open();
        Assert.Contains("older", Refused(again).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_is_newer_than_the_store_knows_is_taken_for_that_is_how_a_crash_leaves_it()
    {
        byte[] newer;
        using var image = Crash.DirectoryImage.Copy(await PreparedAsync());
        await using (var database = _store.Open())
        {
            Replace(database, "[2]");
            newer = await File.ReadAllBytesAsync(PathOf(Name), TestContext.Current.CancellationToken);
        }

        await File.WriteAllBytesAsync(image.In(Name), newer, TestContext.Current.CancellationToken);
        await using (var early = Database.Open(_store.Options() with { Directory = image.Path }))
            Assert.Equal("[2]", Encoding.UTF8.GetString(early.Documents.Read(Name).Content!));

        // From then on the store knows it.
        File.Delete(image.In(Name));
        await using var late = Database.Open(_store.Options() with { Directory = image.Path });
        Assert.Throws<RefusedException>(() => late.Documents.Read(Name));
    }

    async Task<string> PreparedAsync()
    {
        await using var database = _store.Open();
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        Replace(database, "[1]");
        await database.Loop.DrainAsync();
        return _store.Directory;
    }

    [Fact]
    public async Task A_document_is_replaced_where_the_log_takes_no_more_writes()
    {
        var steps = new EngineSteps();
        await using var database = Database.Open(_store.Options() with { WrapEngine = steps.Over });
        Replace(database, "[1]");
        await database.Loop.DrainAsync();
        steps.Commit.Failure = new StorageFailedException("The disk is full.");
        await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default));
        var old = await File.ReadAllBytesAsync(PathOf(Name), TestContext.Current.CancellationToken);

        Replace(database, "[2]");

        Assert.Equal("[2]", Content(database));
        // And this process at least knows which one is the newest.
        await File.WriteAllBytesAsync(PathOf(Name), old, TestContext.Current.CancellationToken);
        Refused(database);
    }

    [Fact]
    public async Task A_recovered_store_still_knows_which_documents_are_older()
    {
        byte[] old;
        await using (var database = _store.Open())
        {
            await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            Replace(database, "[1]");
            old = await File.ReadAllBytesAsync(PathOf(Name), TestContext.Current.CancellationToken);
            Replace(database, "[2]");
        }

        File.Delete(PathOf("watermark"));
        Assert.NotNull(StoreRecovery.AcceptLoss(_store.Options()).MovedTo);
        await File.WriteAllBytesAsync(PathOf(Name), old, TestContext.Current.CancellationToken);

        await using var again = _store.Open();
        Refused(again);
    }

    [Fact]
    public async Task Two_documents_and_two_stores_cannot_change_places()
    {
        using var other = new TestStore();
        await using var database = _store.Open();
        await using var elsewhere = other.Open();
        Replace(database, "[1]");
        Replace(database, "[2]", "plugins.json");
        File.Copy(PathOf(Name), PathOf("plugins.json"), overwrite: true);
        Assert.Throws<RefusedException>(() => database.Documents.Read("plugins.json"));
        await File.WriteAllTextAsync(PathOf(Name), (await File.ReadAllTextAsync(PathOf(Name), TestContext.Current.CancellationToken)).Replace("\"revision\":1", "\"revision\":9", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        Assert.Contains("does not open", Refused(database).Message, StringComparison.Ordinal);
    }

    string PathOf(string name) => Path.Combine(_store.Directory, name);

    static void Replace(Database database, string content, string name = Name) =>
        Assert.True(database.Documents.TryReplace(name, Encoding.UTF8.GetBytes(content), database.Documents.Read(name)));

    static string Content(Database database) => Encoding.UTF8.GetString(database.Documents.Read(Name).Content!);

    static RefusedException Refused(Database database)
    {
        var refused = Assert.Throws<RefusedException>(() => database.Documents.Read(Name));
        Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
        Assert.Contains(Name, refused.Message, StringComparison.Ordinal);
        return refused;
    }
}
