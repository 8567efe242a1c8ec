using System.Text;
using EventDbx.Encryption;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>A real store with an authority over it, and a clock that the test moves.</summary>
internal sealed class TokenBench : IAsyncDisposable
{
    readonly DataKey? _key;

    TokenBench(DataKey? key) => _key = key;

    public TemporaryDirectory Directory { get; } = new();

    public ManualClock Clock { get; } = new();

    public AuthSettings Settings { get; set; } = Auth();

    /// <summary>Where the settings are kept; null: nowhere.</summary>
    public ConfigFile? File { get; set; }

    public Database Database { get; private set; } = null!;

    public TokenAuthority Tokens { get; private set; } = null!;

    public Session Owner => Database.OpenSession(new Actor("cli", "owner"));

    public string LedgerPath => Directory["tokens.json"];

    public string LedgerText => System.IO.File.ReadAllText(LedgerPath);

    public static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static AuthSettings Auth() => new(
        [.. Enumerable.Range(0, 32).Select(i => (byte)i)], "key-20250101000000", "eventdbx://self", "eventdbx-clients", TimeSpan.FromHours(1), TimeSpan.FromSeconds(30));

    public static TokenBench Open(bool encrypted = true, string? ledger = null)
    {
        var bench = new TokenBench(encrypted ? DataKey.Generate() : null);
        if (ledger is not null)
            bench.Directory.Write("tokens.json", ledger);
        bench.OpenDatabase();
        bench.Tokens = TokenAuthority.Open(bench.Database, bench.Settings, bench.Clock);
        return bench;
    }

    public void OpenDatabase() =>
        Database = Database.Open(new() { Directory = Directory.Path, Key = _key, Encrypted = _key is not null, Clock = Clock });

    public async Task ReopenAsync()
    {
        await Tokens.DisposeAsync();
        await Database.DisposeAsync();
        OpenDatabase();
        Tokens = TokenAuthority.Open(Database, Settings, Clock, File);
    }

    public Task<IssuedToken> IssueAsync(Func<TokenRequest, TokenRequest>? change = null)
    {
        var request = new TokenRequest { Group = "ops", User = "cron" };
        return Tokens.IssueAsync(Owner, change?.Invoke(request) ?? request, Cancellation);
    }

    public Refusal Refused(string token) => Assert.Throws<RefusedException>(() => Tokens.Authenticate(token)).Refusal;

    public static EventDraft Draft(string id, Guid? eventId = null) => new()
    {
        Aggregate = AggregateKey.Create("order", id), EventType = "order-paid", Payload = Encoding.UTF8.GetBytes("{\"n\":1}"), EventId = eventId,
    };

    public IReadOnlyList<ControlRecord> ControlEntries() =>
        [.. Owner.ReadFeed(0, 1000, includeControl: true).Items.Where(item => item.Control is not null).Select(item => item.Control!)];

    public async ValueTask DisposeAsync()
    {
        if (Tokens is not null)
            await Tokens.DisposeAsync();
        await Database.DisposeAsync();
        _key?.Dispose();
        Directory.Dispose();
    }
}
