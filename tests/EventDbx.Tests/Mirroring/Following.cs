using System.Globalization;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Reading;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Mirroring;

/// <summary>What a follower does, without a network; and whether leader and mirror are the same.</summary>
internal static class Following
{
    public static readonly MirrorLeader Leader = new("berlin", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo");

    /// <summary>As the server does it with Ed25519: any key of <see cref="FakeSigner"/> that the vkey names.</summary>
    public static bool Verifies(string vkey, SignedNote note, params FakeSigner[] signers)
    {
        var name = vkey.Split('+')[0];
        return signers.Any(signer => signer.VerifierKey(name) == vkey && signer.Verifies(name, note));
    }

    /// <summary>Makes it a mirror, where it is none yet, and brings it up to the leader's end.</summary>
    public static async Task FollowAsync(this Database mirror, Database leader, int bytesMax = Limits.PageBytesMax)
    {
        for (LogPage page; (page = leader.ReadLog(mirror.LogSize, bytesMax)) is { Entries.Count: > 0 } || mirror.Mirror.State is null;)
        {
            if (mirror.Mirror.State is null)
                await mirror.BeginAsync(leader);
            if (page.Entries.Count == 0)
                return;
            Assert.Equal(page.Entries.Count, await mirror.Mirror.ApplyAsync(page, default));
        }
    }

    public static Task BeginAsync(this Database mirror, Database leader)
    {
        var page = leader.ReadLog(mirror.LogSize, 1);
        return mirror.Mirror.BeginAsync(Leader, page.End, page.RootBefore, default);
    }

    public static async Task<Refusal> RefusedAsync(Func<Task> act) => (await Assert.ThrowsAsync<RefusedException>(act)).Refusal;

    /// <summary>Everything that somebody can read is the same, down to the rows of the log.</summary>
    public static void AssertSame(Database leader, Database mirror)
    {
        Assert.Equal((leader.DatabaseId, leader.Epoch, leader.LogSize, leader.LogRoot), (mirror.DatabaseId, mirror.Epoch, mirror.LogSize, mirror.LogRoot));
        var (one, other) = (leader.OpenSession(), mirror.OpenSession());
        Assert.Equal(Feed(one), Feed(other));
        Assert.Equal(one.GetSchemas().Write(), other.GetSchemas().Write());
        var aggregates = Aggregates(one);
        Assert.Equal(aggregates.Select(Show), Aggregates(other).Select(Show));
        foreach (var aggregate in aggregates)
            Assert.Equal(Snapshots(one, aggregate.Aggregate), Snapshots(other, aggregate.Aggregate));
        if (leader.Encrypted != mirror.Encrypted)
            return;
        // Keys are wrapped otherwise; what they open is the same, and so is what is sealed under them.
        var (rows, mirrored) = (leader.ReadLog(0, int.MaxValue).Entries, mirror.ReadLog(0, int.MaxValue).Entries);
        Assert.Equal(rows.Select(static entry => Hex(entry.Row) + Hex(entry.AggregateKey)), mirrored.Select(static entry => Hex(entry.Row) + Hex(entry.AggregateKey)));
    }

    public static string Hex(ReadOnlyMemory<byte> bytes) => Convert.ToHexString(bytes.Span);

    static List<string> Feed(Session session)
    {
        var items = new List<string>();
        for (ulong after = 0; ;)
        {
            var page = session.ReadFeed(after, 500, new FeedFilter { IncludeControl = true, WithSalts = true });
            items.AddRange(page.Items.Select(Show));
            if (page.ReachedPosition == after)
                return items;
            after = page.ReachedPosition;
        }
    }

    static string Show(FeedItem item) => item.Event is { } record
        ? string.Create(CultureInfo.InvariantCulture, $"{record.Position} {record.Aggregate} {record.Version} {record.EventType} {record.EventId} {record.CreatedAt} {record.Actor} {record.Note} {record.Hash} {record.MerkleRoot} {Encoding.UTF8.GetString(record.Payload.Span)} {Hex(record.Salt)}")
        : string.Create(CultureInfo.InvariantCulture, $"{item.Position} {item.Control!.Kind} {item.Control.Subject} {item.Control.CreatedAt} {item.Control.Actor} {item.Control.Hash} {Encoding.UTF8.GetString(item.Control.Body.Span)}");

    static List<AggregateState> Aggregates(Session session) => [.. session.GetAggregates(new(), null, 0, 1000, withState: true).Items];

    static string Show(AggregateState state) => string.Create(
        CultureInfo.InvariantCulture, $"{state.Aggregate} {state.Version} {state.Archived} {state.MerkleRoot} {state.CreatedAt} {state.UpdatedAt} {state.StateAsJson()}");

    static IEnumerable<string> Snapshots(Session session, AggregateKey aggregate) => session.GetSnapshots(aggregate, null, 1000).Items
        .Select(static kept => $"{Show(kept.State)} {kept.CreatedAt} {kept.Comment} {kept.Automatic}");
}

/// <summary>A leader and its mirror in directories of their own.</summary>
internal sealed class Pair : IAsyncDisposable
{
    readonly TestStore _leaderStore = new(), _mirrorStore = new();

    Pair(bool leaderEncrypted, bool mirrorEncrypted, Func<DatabaseOptions, DatabaseOptions>? ofMirror)
    {
        LeaderOptions = _leaderStore.Options(leaderEncrypted) with { Signer = () => LeaderKey, NoteVerifier = Verifies };
        MirrorOptions = _mirrorStore.Options(mirrorEncrypted) with
        {
            Signer = () => MirrorKey, NoteVerifier = Verifies, Follow = Following.Leader.Name, Key = mirrorEncrypted ? EventDbx.Encryption.DataKey.Generate() : null,
        };
        MirrorOptions = ofMirror?.Invoke(MirrorOptions) ?? MirrorOptions;
        Leader = Database.Open(LeaderOptions);
        Mirror = Database.Open(MirrorOptions);
    }

    public FakeSigner LeaderKey { get; } = new("the leader's");

    public FakeSigner MirrorKey { get; } = new("the mirror's");

    public DatabaseOptions LeaderOptions { get; }

    public DatabaseOptions MirrorOptions { get; }

    public Database Leader { get; private set; }

    public Database Mirror { get; private set; }

    public static Pair Open(bool leaderEncrypted = true, bool mirrorEncrypted = true, Func<DatabaseOptions, DatabaseOptions>? ofMirror = null) =>
        new(leaderEncrypted, mirrorEncrypted, ofMirror);

    public async Task ReopenMirrorAsync(Func<DatabaseOptions, DatabaseOptions>? change = null)
    {
        await Mirror.DisposeAsync();
        Mirror = Database.Open(change?.Invoke(MirrorOptions) ?? MirrorOptions);
    }

    bool Verifies(string vkey, SignedNote note) => Following.Verifies(vkey, note, LeaderKey, MirrorKey);

    public async ValueTask DisposeAsync()
    {
        await Leader.DisposeAsync();
        await Mirror.DisposeAsync();
        _leaderStore.Dispose();
        _mirrorStore.Dispose();
    }
}
