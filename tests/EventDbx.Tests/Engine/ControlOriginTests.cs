using System.Text;
using EventDbx.Access;
using EventDbx.Commit;
using EventDbx.Recovery;
using EventDbx.Schemas;

namespace EventDbx.Tests.Engine;

/// <summary>From where a control entry was made: put into its body, and taken out again.</summary>
public sealed class ControlOriginTests
{
    [Theory]
    [InlineData("{}", """{"from":"rest 192.0.2.1"}""", "{")]
    [InlineData("""{"comment":"x"}""", """{"comment":"x","from":"rest 192.0.2.1"}""", """{"comment":"x" """)]
    [InlineData("""{"comment":"\",\"from\":\"y"}""", """{"comment":"\",\"from\":\"y","from":"rest 192.0.2.1"}""", """{"comment":"\",\"from\":\"y" """)]
    [InlineData("""{"schema":{"column_types":{"a":"text","from":"text"}}}""", """{"schema":{"column_types":{"a":"text","from":"text"}},"from":"rest 192.0.2.1"}""", """{"schema":{"column_types":{"a":"text","from":"text"}} """)]
    public void It_is_the_last_member_and_the_rest_is_as_it_was(string body, string with, string rest)
    {
        var made = ControlOrigin.Into(Encoding.UTF8.GetBytes(body), "rest 192.0.2.1");

        Assert.Equal(with, Encoding.UTF8.GetString(made));
        Assert.Equal("rest 192.0.2.1", ControlOrigin.In(made));
        Assert.Equal(rest.TrimEnd(), Encoding.UTF8.GetString(ControlOrigin.Without(made)));
        Assert.Equal(rest.TrimEnd(), Encoding.UTF8.GetString(ControlOrigin.Without(Encoding.UTF8.GetBytes(body))));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"comment":"\",\"from\":\"y"}""")]
    [InlineData("""{"schema":{"from":"x"}}""")]
    [InlineData("""{"from":"x","more":1}""")]
    [InlineData("""{"from":""}""")]
    [InlineData("""{"from":1}""")]
    [InlineData("")]
    public void What_looks_like_it_elsewhere_is_not_it(string body) => Assert.Null(ControlOrigin.In(Encoding.UTF8.GetBytes(body)));

    [Theory]
    [InlineData("socket", true)]
    [InlineData("admin 2001:db8::1%eth0", true)]
    [InlineData("", false)]
    [InlineData("a\"b", false)]
    [InlineData("a\\b", false)]
    [InlineData("a\nb", false)]
    [InlineData("ä", false)]
    public void Only_plain_words_are_one(string origin, bool taken)
    {
        if (taken)
            Assert.Equal(origin, ControlOrigin.Checked(origin));
        else
            Assert.Throws<ArgumentException>(() => ControlOrigin.Checked(origin));
    }

    [Fact]
    public void It_has_a_bound()
    {
        Assert.Equal(Limits.OriginCharactersMax, ControlOrigin.Checked(new string('a', Limits.OriginCharactersMax)).Length);
        Assert.Throws<ArgumentException>(() => ControlOrigin.Checked(new string('a', Limits.OriginCharactersMax + 1)));
    }

    [Fact]
    public void Without_one_the_body_is_as_it_was()
    {
        var body = "{\"comment\":\"x\"}"u8.ToArray();
        Assert.Same(body, ControlOrigin.Into(body, null));
    }

    [Fact]
    public async Task What_it_stands_in_is_verified_read_and_recovered_as_before()
    {
        using var store = new TestStore();
        var order = TestStore.Aggregate();
        string[] before;
        await using (var database = store.Open())
        {
            var session = database.OpenSession(new("ops", "kim")).From("rest 192.0.2.1");
            await session.CreateAsync(order, "made", default);
            await session.SnapshotAsync(order, null, default);
            await session.AppendAsync(TestStore.Draft(order), default);
            await session.SnapshotAsync(order, "kept", default);
            await session.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed"], null)], default);
            await session.ChangeSchemaAsync("order", [SchemaEdit.AddEvents(["paid"])], default);
            await session.ChangeSchemaAsync("other", [SchemaEdit.Create(["e"], null)], default);
            await session.ChangeSchemaAsync("other", [SchemaEdit.Drop()], default);
            await session.ArchiveAsync(order, null, default);
            await session.NoteChangeAsync(SettingChange.Config, "config.toml", "{}"u8.ToArray(), default);
            session.VerifyAll(null, default);
            before = Entries(session);
            Assert.Equal(9, before.Length);
            Assert.All(before, entry => Assert.Contains(" rest 192.0.2.1 ", entry, StringComparison.Ordinal));
        }

        File.Delete(Path.Combine(store.Directory, "event_store", "CURRENT"));
        StoreRecovery.AcceptLoss(store.Options());

        await using var recovered = store.Open();
        var after = Entries(recovered.OpenSession());
        recovered.OpenSession().VerifyAll(null, default);
        Assert.Equal(before, after[..^1]);
        Assert.StartsWith("accepted_loss directory ", after[^1], StringComparison.Ordinal);
        Assert.Equal(["paid", "placed"], recovered.OpenSession().GetSchemas().Get("order").Events.Keys);
    }

    [Fact]
    public async Task The_audit_passes_over_events_and_is_for_root_alone()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession(new("ops", "kim"));
        for (var i = 0; i < 5; i++)
        {
            await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            await session.CreateAsync(TestStore.Aggregate("made", $"m-{i}"), null, default);
        }

        var first = session.ReadAudit(0, 2, new());
        var rest = session.ReadAudit(first.ReachedPosition, 100, new() { Kinds = ["create", "remove"] });
        Assert.Equal((2, 4UL, false), (first.Items.Count, first.ReachedPosition, first.End));
        Assert.Equal((3, 10UL, true), (rest.Items.Count, rest.ReachedPosition, rest.End));
        Assert.Equal([2UL, 4, 6, 8, 10], first.Items.Concat(rest.Items).Select(item => item.Position));
        Assert.Empty(session.ReadAudit(0, 0, new()).Items);
        Assert.Empty(session.ReadAudit(0, 100, new() { Group = "dev" }).Items);
        Assert.True(Grants.TryParse(["*.*"], ["*"], out var grants, out _));
        var refused = Assert.Throws<RefusedException>(() => database.OpenSession(new("g", "u"), grants, null).ReadAudit(0, 1, new()));
        Assert.Equal(RefusalCode.PermissionDenied, refused.Refusal.Code);
        var many = Assert.Throws<RefusedException>(() => session.ReadAudit(0, 1, new() { Kinds = [.. Enumerable.Repeat("create", Limits.AuditKindsMax + 1)] }));
        Assert.Equal(RefusalCode.LimitExceeded, many.Refusal.Code);
    }

    static string[] Entries(Session session) =>
        [.. session.ReadAudit(0, 100, new()).Items.Select(item => $"{item.Kind} {item.From} {item.Subject} {Encoding.UTF8.GetString(item.Body.Span)} {item.Hash}")];
}
