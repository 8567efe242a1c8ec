using EventDbx.Integrity;

namespace EventDbx.Tests.Engine;

/// <summary>Decisions 6, 7, 9 and 11 at the session's door: what is accepted, its neighbour that is not, and nothing written.</summary>
public sealed class BadInputTests(BadInputTests.Store store) : IClassFixture<BadInputTests.Store>
{
    /// <summary>One rule: a call that is taken, one that is refused, and how.</summary>
    sealed record Rule(Func<Session, AggregateKey, Task> Taken, Func<Session, AggregateKey, Task> Refused, string Code, string Fragment);

    static readonly Dictionary<string, Rule> Rules = new(StringComparer.Ordinal)
    {
        // Names.
        ["a type has at most 256 bytes"] = Name((s, k) => Named(s, Times("t", 256), k.Id), (s, k) => Named(s, Times("t", 257), k.Id), "aggregate_type has 257 bytes"),
        ["a type is measured in UTF-8"] = Name((s, k) => Named(s, Times("é", 128), k.Id), (s, k) => Named(s, Times("é", 128) + "a", k.Id), "257 bytes"),
        ["an id has at most 512 bytes"] = Name((s, k) => Named(s, k.Id, Times("i", 512)), (s, k) => Named(s, k.Id, Times("i", 513)), "aggregate_id has 513 bytes"),
        ["an id is measured in UTF-8"] = Name((s, k) => Named(s, k.Id, Times("😀", 128)), (s, k) => Named(s, k.Id, Times("😀", 128) + "a"), "513 bytes"),
        ["a type is not empty"] = Name((s, k) => Named(s, " ", k.Id), (s, k) => Named(s, "", k.Id), "aggregate_type is empty"),
        ["an id is not empty"] = Name((s, k) => Named(s, k.Id, " "), (s, k) => Named(s, k.Id, ""), "aggregate_id is empty"),
        ["an id is not a dot"] = Name((s, k) => Named(s, k.Id, "..."), (s, k) => Named(s, k.Id, "."), "no URL can name"),
        ["a type is not two dots"] = Name((s, k) => Named(s, ".a", k.Id), (s, k) => Named(s, "..", k.Id), "no URL can name"),
        ["a type has no control characters"] = Name((s, k) => Named(s, "a b", k.Id), (s, k) => Named(s, "a\tb", k.Id), "U+0009 at index 1"),
        ["an id has no NUL"] = Name((s, k) => Named(s, k.Id, "a/b"), (s, k) => Named(s, k.Id, "a\0b"), "U+0000 at index 1"),
        ["an id has no DEL"] = Name((s, k) => Named(s, k.Id, "\u0080"), (s, k) => Named(s, k.Id, "\u007f"), "U+007F"),
        ["an id has whole surrogate pairs"] = Name((s, k) => Named(s, k.Id, "\ud83d\ude00"), (s, k) => Named(s, k.Id, "\ud83d"), "half of a surrogate pair"),
        ["an event type has at most 256 bytes"] = Name((s, k) => Typed(s, k, Times("é", 128)), (s, k) => Typed(s, k, Times("é", 128) + "a"), "event_type has 257 bytes"),
        ["an event type is not empty"] = Name((s, k) => Typed(s, k, "/"), (s, k) => Typed(s, k, ""), "event_type is empty"),
        ["an event type is not a dot"] = Name((s, k) => Typed(s, k, "-"), (s, k) => Typed(s, k, "."), "no URL can name"),
        ["an event type has no control characters"] = Name((s, k) => Typed(s, k, "a:b"), (s, k) => Typed(s, k, "a\nb"), "U+000A"),

        // Payloads.
        ["a payload has at most 1 MiB"] = Payload(Quoted(1024 * 1024), Quoted((1024 * 1024) + 1), "limit_exceeded", "1048577 bytes"),
        ["a payload is measured as sent"] = Payload("1" + Times(" ", (1024 * 1024) - 1), "1" + Times(" ", 1024 * 1024), "limit_exceeded", "1048577 bytes"),
        ["a payload has at most 1,024 members"] = Payload(Members(1024), Members(1025), "limit_exceeded", "this is member 1025"),
        ["only the top members are counted"] = Payload($"[{Members(1025)}]", Members(1026), "limit_exceeded", "at most 1024"),
        ["arrays nest 64 levels"] = Payload(Nested("[", "]", 64), Nested("[", "]", 65), "limit_exceeded", "deeper than 64 levels"),
        ["objects nest 64 levels"] = Payload(Nested("{\"a\":", "}", 64), Nested("{\"a\":", "}", 65), "limit_exceeded", "deeper than 64 levels"),
        ["a number has at most 1,000 characters"] = Payload(Times("7", 1000), Times("7", 1001), "limit_exceeded", "a number has 1001 characters"),
        ["sign, point and exponent count"] = Payload($"-0.{Times("7", 993)}e+77", $"-0.{Times("7", 994)}e+77", "limit_exceeded", "1001 characters"),
        ["a field name has at most 1 KiB"] = Payload(Member(Times("n", 1024)), Member(Times("n", 1025)), "limit_exceeded", "1025 bytes"),
        ["a field name is measured unescaped"] = Payload(Member(Times("\\u00e9", 512)), Member(Times("\\u00e9", 512) + "n"), "limit_exceeded", "1025 bytes"),
        ["inner field names are bounded too"] = Payload($"[{Member(Times("n", 1024))}]", $"[{Member(Times("n", 1025))}]", "limit_exceeded", "1025 bytes"),
        ["no member stands twice"] = Payload("""{"a":1,"A":2}""", """{"a":1,"a":1}""", "invalid_payload", "\"a\" is there twice"),
        ["no member stands twice in two spellings"] = Payload("""{"a":1,"\u0062":2}""", """{"a":1,"\u0061":2}""", "invalid_payload", "\"a\" is there twice"),
        ["no inner member stands twice"] = Payload("""[{"a":1},{"a":2}]""", """[{"a":1,"b":{"c":1,"c":2}}]""", "invalid_payload", "\"c\" is there twice"),
        ["surrogates come in pairs"] = Payload("\"\\ud83d\\ude00\"", "\"\\ud83d\"", "invalid_payload", "half of a surrogate pair"),
        ["surrogates come high before low"] = Payload("{\"\\ud83d\\ude00\":1}", "{\"\\ude00\\ud83d\":1}", "invalid_payload", "half of a surrogate pair"),
        ["a payload is UTF-8"] = Bytes("\"é\""u8, [0x22, 0xC3, 0x22], "not UTF-8"),
        ["UTF-8 is not overlong"] = Bytes("\"/\""u8, [0x22, 0xC0, 0xAF, 0x22], "not UTF-8"),
        ["UTF-8 holds no surrogates"] = Bytes("\"\uFFFD\""u8, [0x22, 0xED, 0xA0, 0x80, 0x22], "not UTF-8"),
        ["a payload has no byte order mark"] = Bytes("1"u8, [0xEF, 0xBB, 0xBF, (byte)'1'], "byte order mark"),
        ["a payload is there"] = Bytes("null"u8, [], "is empty"),
        ["one document is one payload"] = Payload("1 ", "1 2", "invalid_payload", "the document has ended"),
        ["a comma is not a member"] = Payload("""{"a":1}""", """{"a":1,}""", "invalid_payload", "trailing comma"),

        // The rest of an append.
        ["a note has at most 128 characters"] = Noted(Times("n", 128), Times("n", 129), "limit_exceeded", "129 characters"),
        ["an astral character is one"] = Noted(Times("😀", 128), Times("😀", 129), "limit_exceeded", "129 characters"),
        ["a note has whole surrogate pairs"] = Noted("", "a\ude00", "invalid_argument", "half of a surrogate pair"),
        ["the nil UUID is no event id"] = Identified(new Guid(1, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]), Guid.Empty),
        ["the max UUID is no event id"] = Identified(new Guid(uint.MaxValue, 0xFFFF, 0xFFFF, 255, 255, 255, 255, 255, 255, 255, 254), Guid.AllBitsSet),
        ["the expected version is the head's"] = new(
            (s, k) => s.AppendAsync(TestStore.Draft(k) with { ExpectedVersion = 0 }, default),
            (s, k) => s.AppendAsync(TestStore.Draft(k) with { ExpectedVersion = 2 }, default), "version_conflict", "is at version 1; the append expected version 2"),
        ["a comment is a note"] = new(
            (s, k) => s.CreateAsync(k, Times("n", 128), default), (s, k) => s.ArchiveAsync(k, Times("n", 129), default), "limit_exceeded", "129 characters"),

        // Batches.
        ["a batch has at most 1,000 appends"] = new((s, k) => Batch(s, k, 1000, "1"), (s, k) => Batch(s, k, 1001, "1"), "limit_exceeded", "1001 appends"),
        ["a batch has at most 16 MiB"] = new(
            (s, k) => Batch(s, k, 16, Quoted(1024 * 1024)), (s, k) => s.AppendBatchAsync([.. Drafts(k, 16, Quoted(1024 * 1024)), TestStore.Draft(k, "1")], default),
            "limit_exceeded", "16777217 bytes"),
        ["one refused append refuses its batch"] = new(
            (s, k) => s.AppendBatchAsync([.. Drafts(k, 3, "1")], default),
            (s, k) => s.AppendBatchAsync([TestStore.Draft(k), TestStore.Draft(k) with { ExpectedVersion = 0 }, TestStore.Draft(k)], default),
            "version_conflict", "Operation 2 of 3 was refused, so nothing of the batch was written"),

        // Records.
        ["a salt has 16 bytes"] = Imported(i => i with { Salt = new byte[16] }, i => i with { Salt = new byte[15] }, "invalid_argument", "this one has 15"),
        ["a salt is not longer"] = Imported(i => i, i => i with { Salt = new byte[17] }, "invalid_argument", "this one has 17"),
        ["a record has an event id"] = Imported(i => i, i => i with { Draft = i.Draft with { EventId = null } }, "invalid_argument", "has none"),
        ["a record's version follows"] = Imported(i => i with { Version = 1 }, i => i with { Version = 3 }, "version_conflict", "is at version 1"),
        ["a record's version is not 0"] = Imported(i => i with { Version = 1 }, i => i with { Version = 0 }, "invalid_argument", "version 0"),
        ["a record's time does not go back"] = Imported(i => i, i => i with { CreatedAt = new(i.CreatedAt.Ticks100ns - 1) }, "invalid_argument", "never go back"),
        ["a record's hash is its own"] = Imported(
            i => i with { Hash = Hash32.Empty }, i => i with { Salt = new byte[16], Hash = Hash32.Empty }, "integrity_violation", "hashes to"),
        ["a record's root is its history's"] = Imported(
            i => i with { MerkleRoot = Hash32.Empty }, i => i with { Salt = new byte[16], MerkleRoot = Hash32.Empty }, "integrity_violation", "leads to"),
        ["a record's group is a name"] = Imported(i => i with { Actor = new("g", "u") }, i => i with { Actor = new("", "u") }, "invalid_name", "group is empty"),
        ["a record's user is a name"] = Imported(
            i => i with { Actor = new("g", Times("u", 256)) }, i => i with { Actor = new("g", Times("u", 70_000)) }, "invalid_name", "user has 70000 bytes"),
        ["a record's user has whole surrogate pairs"] = Imported(
            i => i with { Actor = new("g", "😀") }, i => i with { Actor = new("g", "\ud83d") }, "invalid_name", "half of a surrogate pair"),
    };

    public static TheoryData<string> Sentences => [.. Rules.Keys];

    [Theory]
    [MemberData(nameof(Sentences))]
    public async Task Of_two_neighbours_one_is_taken_and_one_is_refused_with_its_code_and_nothing_written(string rule)
    {
        var (taken, refused, code, fragment) = Rules[rule];
        var session = store.Database.OpenSession();
        var key = AggregateKey.Create("rule", rule);
        var size = store.Database.LogSize;
        await taken(session, key);
        Assert.True(store.Database.LogSize > size, "the neighbour is taken");
        size = store.Database.LogSize;

        var refusal = await Answers.RefusalOf(Call());

        Assert.Equal(code, refusal.Name);
        Assert.Contains(fragment, refusal.Message, StringComparison.Ordinal);
        Assert.False(refusal.Retryable);
        Assert.Equal(size, store.Database.LogSize);
        Assert.Null(store.Database.Unhealthy);

        async Task Call() => await refused(session, key);
    }

    [Fact]
    public async Task A_state_has_at_most_65_536_fields_and_a_field_can_be_replaced_when_it_is_full()
    {
        var session = store.Database.OpenSession();
        var key = AggregateKey.Create("state", "fields");
        string Some(int first, int count) => $"{{{string.Join(',', Enumerable.Range(first, count).Select(i => $"\"f{i}\":{i}"))}}}";
        await session.AppendBatchAsync([.. Enumerable.Range(0, 64).Select(i => TestStore.Draft(key, Some(i * 1024, i < 63 ? 1024 : 1023)))], default);
        var size = store.Database.LogSize;

        var refusal = await Answers.RefusalOf(session.AppendAsync(TestStore.Draft(key, Some(65_534, 3)), default));
        Assert.Equal("limit_exceeded", refusal.Name);
        Assert.Contains("would have 65537 fields", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(size, store.Database.LogSize);

        await session.AppendAsync(TestStore.Draft(key, Some(65_534, 2)), default);
        Assert.Equal("limit_exceeded", (await Answers.RefusalOf(session.AppendAsync(TestStore.Draft(key, """{"more":1}"""), default))).Name);
        await session.AppendAsync(TestStore.Draft(key, """{"f7":"other"}"""), default);
        Assert.Contains("\"f7\":\"other\"", session.GetAggregate(key).StateAsJson(), StringComparison.Ordinal);
        Assert.Equal(66UL, session.GetAggregate(key).Version);
    }

    [Fact]
    public async Task A_state_has_at_most_16_MiB_of_names_and_values()
    {
        var session = store.Database.OpenSession();
        var key = AggregateKey.Create("state", "bytes");
        string Field(char name, int valueBytes) => $"{{\"{name}\":{Quoted(valueBytes)}}}";
        await session.AppendBatchAsync([.. Enumerable.Range(0, 16).Select(i => TestStore.Draft(key, Field((char)('a' + i), 1_000_000)))], default);
        var rest = Limits.StateBytesMax - (16 * 1_000_001) - 1;
        var size = store.Database.LogSize;

        var refusal = await Answers.RefusalOf(session.AppendAsync(TestStore.Draft(key, Field('z', rest + 1)), default));
        Assert.Equal("limit_exceeded", refusal.Name);
        Assert.Contains($"{Limits.StateBytesMax + 1} bytes", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(size, store.Database.LogSize);

        await session.AppendAsync(TestStore.Draft(key, Field('z', rest)), default);
        Assert.Equal("limit_exceeded", (await Answers.RefusalOf(session.AppendAsync(TestStore.Draft(key, Field('a', 1_000_001)), default))).Name);

        // As large as it may be, it can still be put away and brought back.
        await session.ArchiveAsync(key, null, default);
        await session.RestoreAsync(key, null, default);
        await session.AppendAsync(TestStore.Draft(key, Field('a', 999_999)), default);
        Assert.Equal(18UL, session.GetAggregate(key).Version);
    }

    [Fact]
    public void A_session_has_an_actor_with_names_or_none()
    {
        store.Database.OpenSession(new Actor("cli", Times("é", 128)));
        Assert.Null(store.Database.OpenSession().Actor);

        Assert.Equal("invalid_name", Answers.RefusalOf(() => store.Database.OpenSession(new Actor("cli", Times("é", 129)))).Name);
        Assert.Equal("invalid_name", Answers.RefusalOf(() => store.Database.OpenSession(new Actor("", "jane"))).Name);
        Assert.Equal("invalid_name", Answers.RefusalOf(() => store.Database.OpenSession(new Actor("cli", "a\nb"))).Name);
    }

    static Rule Name(Func<Session, AggregateKey, Task> taken, Func<Session, AggregateKey, Task> refused, string fragment) =>
        new(taken, refused, "invalid_name", fragment);

    static Task<AppendResult> Named(Session session, string type, string id) => session.AppendAsync(TestStore.Draft(AggregateKey.Create(type, id)), default);

    static Task<AppendResult> Typed(Session session, AggregateKey key, string type) => session.AppendAsync(TestStore.Draft(key, type: type), default);

    static Rule Payload(string taken, string refused, string code, string fragment) =>
        new((s, k) => s.AppendAsync(TestStore.Draft(k, taken), default), (s, k) => s.AppendAsync(TestStore.Draft(k, refused), default), code, fragment);

    static Rule Bytes(ReadOnlySpan<byte> taken, ReadOnlySpan<byte> refused, string fragment)
    {
        var (good, bad) = (taken.ToArray(), refused.ToArray());
        return new(
            (s, k) => s.AppendAsync(TestStore.Draft(k) with { Payload = good }, default),
            (s, k) => s.AppendAsync(TestStore.Draft(k) with { Payload = bad }, default), "invalid_payload", fragment);
    }

    static Rule Noted(string taken, string refused, string code, string fragment) => new(
        (s, k) => s.AppendAsync(TestStore.Draft(k) with { Note = taken }, default),
        (s, k) => s.AppendAsync(TestStore.Draft(k) with { Note = refused }, default), code, fragment);

    static Rule Identified(Guid taken, Guid refused) => new(
        (s, k) => s.AppendAsync(TestStore.Draft(k) with { EventId = taken }, default),
        (s, k) => s.AppendAsync(TestStore.Draft(k) with { EventId = refused }, default), "invalid_argument", "nil and the max UUID");

    static Rule Imported(Func<EventImport, EventImport> taken, Func<EventImport, EventImport> refused, string code, string fragment) => new(
        (s, k) => s.ImportAsync([taken(Record(k))], default), (s, k) => s.ImportAsync([refused(Record(k))], default), code, fragment);

    static EventImport Record(AggregateKey key) => new()
    {
        Draft = TestStore.Draft(key) with { EventId = Guid.NewGuid() }, CreatedAt = new(17_000_000_000_000_000),
    };

    static Task<IReadOnlyList<AppendResult>> Batch(Session session, AggregateKey key, int count, string payload) => session.AppendBatchAsync([.. Drafts(key, count, payload)], default);

    static IEnumerable<EventDraft> Drafts(AggregateKey key, int count, string payload) =>
        Enumerable.Range(0, count).Select(_ => TestStore.Draft(key, payload));

    static string Times(string text, int count) => new StringBuilder().Insert(0, text, count).ToString();

    static string Quoted(int bytes) => $"\"{new string('x', bytes - 2)}\"";

    static string Member(string name) => $"{{\"{name}\":1}}";

    static string Members(int count) => $"{{{string.Join(',', Enumerable.Range(0, count).Select(i => $"\"m{i}\":{i}"))}}}";

    static string Nested(string open, string close, int levels) => $"{Times(open, levels - 1)}{(open == "[" ? "[]" : "{}")}{Times(close, levels - 1)}";

    /// <summary>One store for all rules: what is refused leaves no trace in it.</summary>
    public sealed class Store : IAsyncDisposable
    {
        readonly TestStore _store = new();

        public Store() => Database = _store.Open();

        public Database Database { get; }

        public async ValueTask DisposeAsync()
        {
            await Database.DisposeAsync();
            _store.Dispose();
        }
    }
}
