using System.Text.Json;
using EventDbx.Reading;
using EventDbx.Transfer;

namespace EventDbx.Server.Rest;

/// <summary>Many events with their proofs, under one checkpoint: a bundle, docs/proofs.md section 6.</summary>
internal static class EvidenceRoutes
{
    /// <summary>Aggregates that one request may name; more are selected, or asked for in several.</summary>
    const int AggregatesMax = Limits.BatchEventsMax;

    static readonly string[] Members = ["aggregates", "type", "id_prefix", "scope", "since"];
    static readonly string[] NameMembers = ["aggregate_type", "aggregate_id"];

    /// <summary>What refuses all of it is an answer of its own; what stops it later is the last line.</summary>
    public static async Task MakeAsync(RestCall call)
    {
        var request = call.Body.IsEmpty ? new() : RequestJson.Read(call.Body, ReadRequest);
        call.WatchToken();
        using var reading = await call.Session.OpenEvidenceAsync(request, call.Cancellation).ConfigureAwait(false);
        using var answer = new Answer(call.Http) { ContentType = Answer.JsonLines, Cancellation = call.Cancellation };
        try
        {
            while (await reading.ReadAsync(answer.Output, call.Cancellation).ConfigureAwait(false))
                await answer.SendPieceAsync().ConfigureAwait(false);
        }
        catch (RefusedException refused) when (call.Http.Response.HasStarted)
        {
            EvidenceExport.WriteError(answer.Output, refused.Refusal);
        }
        catch (OperationCanceledException) when (call.Withdrawn is not null && call.Http.Response.HasStarted)
        {
            answer.Cancellation = call.Http.RequestAborted;
            EvidenceExport.WriteError(answer.Output, call.Withdrawn.Refusal);
        }

        await answer.EndAsync().ConfigureAwait(false);
    }

    static EvidenceRequest ReadRequest(ref Utf8JsonReader json, ReadOnlyMemory<byte> body)
    {
        List<AggregateKey>? aggregates = null;
        string? type = null, prefix = null, scope = null;
        ulong? since = null;
        var seen = 0;
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, "the request", Members, ref seen, out var member))
        {
            switch (member)
            {
                case 0: aggregates = ReadNames(ref json); break;
                case 1: type = RequestJson.Text(ref json, Members[member]); break;
                case 2: prefix = RequestJson.Text(ref json, Members[member]); break;
                case 3: scope = RequestJson.Text(ref json, Members[member]); break;
                default: since = RequestJson.Number(ref json, Members[member]); break;
            }
        }

        if (scope is not (null or "aggregates" or "log"))
            throw new RefusedException(RefusalCode.InvalidArgument, $"`scope` is \"{Shown.Of(scope)}\"; it takes aggregates or log.");
        if ((aggregates is not null && (type ?? prefix) is not null) || (scope == "log" && (aggregates is not null || (type ?? prefix) is not null)))
            throw new RefusedException(RefusalCode.InvalidArgument, "`aggregates`, `type` with `id_prefix`, and the scope log each say what is proven; give one of them.");
        return new() { Aggregates = aggregates, Filter = new AggregateFilter { Type = type, IdPrefix = prefix }, WholeLog = scope == "log", Since = since };
    }

    static List<AggregateKey>? ReadNames(ref Utf8JsonReader json)
    {
        if (json.TokenType == JsonTokenType.Null)
            return null;
        if (json.TokenType != JsonTokenType.StartArray)
            throw new RefusedException(RefusalCode.InvalidArgument, $"`aggregates` is an array of names; this one is {RequestJson.Found(json.TokenType)}.");
        List<AggregateKey> names = [];
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            if (names.Count == AggregatesMax)
                throw new RefusedException(RefusalCode.LimitExceeded, $"`aggregates` names more than {AggregatesMax}; select them by `type` and `id_prefix`, or ask several times.");
            names.Add(ReadName(ref json));
        }

        return names.Count > 0 ? names : throw new RefusedException(RefusalCode.InvalidArgument, "`aggregates` names none; leave it out for everything that the token may read.");
    }

    static AggregateKey ReadName(ref Utf8JsonReader json)
    {
        string? type = null, id = null;
        var seen = 0;
        RequestJson.BeginObject(ref json, "The name of an aggregate");
        while (RequestJson.NextMember(ref json, "the name of an aggregate", NameMembers, ref seen, out var member))
        {
            if (member == 0)
                type = RequestJson.Text(ref json, NameMembers[0]);
            else
                id = RequestJson.Text(ref json, NameMembers[1]);
        }

        return type is not null && id is not null
            ? AggregateKey.Create(type, id)
            : throw new RefusedException(RefusalCode.InvalidName, "The name of an aggregate has `aggregate_type` and `aggregate_id`; one of them is missing.");
    }
}
