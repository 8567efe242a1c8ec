using System.Buffers;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EventDbx.Integrity;
using EventDbx.Server.Rest;
using EventDbx.Server.Tokens;
using EventDbx.Verification;
using Wire = EventDbx.Events.RecordJson;

namespace EventDbx.Cli;

/// <summary>The store that a server has open: docs/rest.md, over its socket or from another machine.</summary>
/// <param name="server">Closed with it.</param>
internal sealed partial class ServerStore(ServerConnection server) : IStore
{
    /// <remarks>
    /// An append without an id gets one here, so that it can be asked for a second time when the connection is lost after it was
    /// sent: it is appended once. The price is one row in the index of ids.
    /// </remarks>
    public async Task<AppendResult> AppendAsync(EventDraft draft, CancellationToken cancellation)
    {
        var named = draft.EventId is null ? draft with { EventId = NewId() } : draft;
        var body = new ArrayBufferWriter<byte>((named.Patch ?? named.Payload).Length + 512);
        RequestJson.WriteDraft(body, named);
        try
        {
            return await server.AskAsync(
                HttpMethod.Post, "/v1/events", body.WrittenMemory, again: true,
                // An id that was made here cannot have been known before: what is known is the first attempt.
                (json, headers) => new AppendResult(Wire.ReadRecord(json), Appended: draft.EventId is null || !headers.Contains("Idempotent-Replayed")),
                cancellation).ConfigureAwait(false);
        }
        catch (ServerLostException lost)
        {
            throw new ServerLostException(
                $"{lost.Message} Whether the event was appended is not known. Run the command again with `--event-id {EventIds.Format(named.EventId!.Value)}`: " +
                "under that id it is appended once, however often it is asked for.", lost.InnerException);
        }
    }

    public Task<AggregateState> CreateAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Put, Path(aggregate), RequestJson.Comment(comment), again: false, State, cancellation);

    public Task RemoveAsync(AggregateKey aggregate, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Delete, Path(aggregate), null, again: false, Nothing, cancellation);

    public Task<AggregateState> ArchiveAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Post, $"{Path(aggregate)}/archive", RequestJson.Comment(comment), again: true, State, cancellation);

    public Task<AggregateState> RestoreAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Post, $"{Path(aggregate)}/restore", RequestJson.Comment(comment), again: true, State, cancellation);

    public Task<AggregateState> GetAggregateAsync(AggregateKey aggregate, ulong? version, Timestamp? at, CancellationToken cancellation) =>
        server.AskAsync(
            HttpMethod.Get, new Query(Path(aggregate)).With("typed", "true").With("version", version).With("at", at?.ToString()).ToString(),
            null, again: true, State, cancellation);

    public Task<EventPage> GetEventsAsync(AggregateKey aggregate, ulong from, int take, CancellationToken cancellation) =>
        server.AskAsync(
            HttpMethod.Get, new Query($"{Path(aggregate)}/events").With("skip", from - 1).With("take", (ulong)take).ToString(),
            null, again: true,
            (json, headers) =>
            {
                var items = json.EnumerateArray().Select(Wire.ReadRecord).ToList();
                return new EventPage(items, headers.Contains(NextCursor) ? from + (ulong)items.Count : null);
            },
            cancellation);

    public Task<AggregatePage> GetAggregatesAsync(
        AggregateFilter filter, byte[]? after, long skip, int take, bool withState, CancellationToken cancellation) =>
        ListAsync(filter, after, skip, take, withState, at: null, cancellation);

    Task<AggregatePage> ListAsync(
        AggregateFilter filter, byte[]? after, long skip, int take, bool withState, Timestamp? at, CancellationToken cancellation)
    {
        var query = new Query("/v1/aggregates")
            .With("cursor", after is null ? null : Cursors.OfAggregates(after))
            .With("skip", skip > 0 ? (ulong)skip : null)
            .With("take", (ulong)take)
            .With("type", filter.Type)
            .With("id_prefix", filter.IdPrefix)
            .With("archived", filter.Archived is { } archived ? archived ? "true" : "false" : null)
            .With("at", at?.ToString())
            .With("typed", "true")
            // A list over HTTP has states; this asks for a field that hardly one of them has.
            .With("fields", withState ? null : "_none");
        return server.AskAsync(
            HttpMethod.Get, query.ToString(), null, again: true,
            (json, headers) => new AggregatePage(
                [.. json.EnumerateArray().Select(Wire.ReadState)],
                headers.TryGetValues(NextCursor, out var next) ? Cursors.ReadAggregates(next.First()) : null),
            cancellation);
    }

    public Task<VerifyResult> VerifyAsync(AggregateKey aggregate, VerifyLevel level, CancellationToken cancellation) =>
        server.AskAsync(
            HttpMethod.Get, new Query($"{Path(aggregate)}/verify").With("level", level == VerifyLevel.Quick ? "quick" : "full").ToString(),
            null, again: true,
            (json, _) => new VerifyResult
            {
                Aggregate = aggregate,
                Level = level,
                Version = json.GetProperty("version").GetUInt64(),
                MerkleRoot = Hash(json, "merkle_root"),
                Archived = json.GetProperty("archived").GetBoolean(),
                EventsChecked = json.GetProperty("events_checked").GetUInt64(),
            },
            cancellation);

    public Task<IReadOnlyList<bool>> TakeDraftsAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellation)
    {
        CheckAll(drafts, draft => draft);
        return TakeAsync("/v1/events/batch", RequestJson.List("events"u8, drafts, RequestJson.WriteDraft), drafts.Count, cancellation);
    }

    public Task<IReadOnlyList<bool>> TakeRecordsAsync(IReadOnlyList<EventImport> records, CancellationToken cancellation)
    {
        CheckAll(records, record => record.Draft);
        return TakeAsync("/v1/records", RequestJson.List("records"u8, records, RequestJson.WriteRecord), records.Count, cancellation);
    }

    public Task NoteImportAsync(long lines, long appended, long known, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Post, "/v1/imports", RequestJson.Imported(lines, appended, known), again: false, Nothing, cancellation);

    public Task<IssuedToken> IssueTokenAsync(TokenRequest request, CancellationToken cancellation)
    {
        // A server is told what a token may do, also where that is the default of this side.
        var defaulted = !request.Root && request.Actions.Count == 0;
        var asked = defaulted ? request with { Actions = TokenRequest.DefaultActions } : request;
        return server.AskAsync(
            HttpMethod.Post, "/admin/tokens", Body(output => TokenJson.WriteRequest(output, asked)), again: false,
            (json, _) => TokenJson.ReadIssued(json) with { ActionsDefaulted = defaulted }, cancellation);
    }

    public Task<IReadOnlyList<TokenListing>> ListTokensAsync(CancellationToken cancellation) => server.AskAsync<IReadOnlyList<TokenListing>>(
        HttpMethod.Get, "/admin/tokens", null, again: true, (json, _) => [.. json.EnumerateArray().Select(TokenJson.ReadListing)], cancellation);

    public Task<TokenRevocation> RevokeTokenAsync(string tokenOrJti, string? reason, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, "/admin/tokens/revoke", Body(output => TokenJson.WriteRevoke(output, tokenOrJti, reason)), again: true,
        (json, _) => TokenJson.ReadRevocation(json), cancellation);

    public Task<IssuedToken> RefreshTokenAsync(string tokenOrJti, TokenRefresh refresh, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, "/admin/tokens/refresh", Body(output => TokenJson.WriteRefresh(output, tokenOrJti, refresh)), again: false,
        (json, _) => TokenJson.ReadIssued(json), cancellation);

    public Task<SecretRotation> RotateSecretAsync(TimeSpan? overlap, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, "/admin/tokens/rotate-secret", Body(output => TokenJson.WriteRotate(output, overlap)), again: false,
        (json, _) => TokenJson.ReadRotation(json), cancellation);

    public ValueTask DisposeAsync()
    {
        server.Dispose();
        return default;
    }

    const string NextCursor = "X-Next-Cursor";

    /// <summary>A batch whose appends all have ids: sent twice, it is appended once.</summary>
    async Task<IReadOnlyList<bool>> TakeAsync(string path, ReadOnlyMemory<byte> body, int count, CancellationToken cancellation)
    {
        try
        {
            return await server.AskAsync(
                HttpMethod.Post, path, body, again: true,
                (json, _) =>
                {
                    var isNew = new bool[count];
                    Array.Fill(isNew, true);
                    foreach (var known in json.GetProperty("known").EnumerateArray())
                        isNew[known.GetInt32()] = false;
                    return isNew;
                },
                cancellation, minimal: true).ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            throw new RefusedException(refused.Refusal.FromBatch(count));
        }
    }

    /// <summary>What any session would refuse is refused here, before it is put into a request that it would make unreadable.</summary>
    static void CheckAll<T>(IReadOnlyList<T> items, Func<T, EventDraft> draftOf)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (draftOf(items[i]).Check() is { } refusal)
                throw new RefusedException(refusal with { Operation = i });
        }
    }

    static ReadOnlyMemory<byte> Body(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return output.WrittenMemory;
    }

    static Guid NewId() => EventIds.New(Timestamp.From(TimeProvider.System.GetUtcNow()), RandomNumberGenerator.GetBytes(EventIds.RandomBytes));

    static string Path(AggregateKey aggregate) => $"/v1/aggregates/{Uri.EscapeDataString(aggregate.Type)}/{Uri.EscapeDataString(aggregate.Id)}";

    static AggregateState State(JsonElement json, HttpResponseHeaders headers) => Wire.ReadState(json);

    static bool Nothing(JsonElement json, HttpResponseHeaders headers) => true;

    static Hash32 Hash(JsonElement json, string name) => Hash32.TryParse(json.GetProperty(name).GetString()!, out var hash)
        ? hash : throw new FormatException($"`{name}` is no hash.");

    /// <summary>A target with its query, percent-encoded.</summary>
    sealed class Query(string path)
    {
        readonly StringBuilder _text = new(path);
        bool _any;

        public Query With(string name, string? value)
        {
            if (value is null)
                return this;
            _text.Append(_any ? '&' : '?').Append(name).Append('=').Append(Uri.EscapeDataString(value));
            _any = true;
            return this;
        }

        public Query With(string name, ulong? value) => With(name, value?.ToString(CultureInfo.InvariantCulture));

        public override string ToString() => _text.ToString();
    }
}
