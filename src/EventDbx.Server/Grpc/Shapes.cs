using System.Text.Json;
using EventDbx.Reading;
using EventDbx.Server.Rest;
using Google.Protobuf.Collections;

namespace EventDbx.Server.Grpc;

/// <summary>Requests as the engine takes them, and what it answers as messages.</summary>
internal static class Shapes
{
    /// <summary>An append.</summary>
    /// <exception cref="RefusedException">It is none.</exception>
    public static EventDraft Draft(Protocol.AppendEventRequest request)
    {
        var aggregate = AggregateKey.Create(request.AggregateType, request.AggregateId);
        var withPatch = request.HasPatchJson;
        // With a patch, white space counts as no payload, as published; without one it is a payload that is no JSON.
        var payload = request.PayloadJson.Length == 0 || (withPatch && string.IsNullOrWhiteSpace(request.PayloadJson)) ? null : request.PayloadJson;
        if (payload is null && !withPatch)
        {
            throw new RefusedException(
                RefusalCode.InvalidPayload, "`payload_json` and `patch_json` are missing, and an event takes one of them; send `null` as payload_json for an event that changes no state.");
        }

        Guid? id = null;
        if (request.HasEventId)
            id = EventIds.TryParse(request.EventId, out var parsed, out var refusal) ? parsed : throw new RefusedException(refusal);
        return new()
        {
            Aggregate = aggregate,
            EventType = request.EventType,
            Payload = payload is null ? default : Encoding.UTF8.GetBytes(payload),
            Patch = withPatch ? Encoding.UTF8.GetBytes(request.PatchJson) : (ReadOnlyMemory<byte>?)null,
            Note = request.HasNote ? request.Note : null,
            EventId = id,
            ExpectedVersion = request.HasExpectedVersion ? request.ExpectedVersion : null,
        };
    }

    public static Protocol.Event Event(EventRecord record)
    {
        var metadata = new Protocol.EventMetadata { EventId = EventIds.Format(record.EventId), CreatedAt = record.CreatedAt.ToString(), IssuedBy = Actor(record.Actor) };
        if (record.Note is { } note)
            metadata.Note = note;
        return new()
        {
            AggregateType = record.Aggregate.Type, AggregateId = record.Aggregate.Id, EventType = record.EventType, Version = record.Version,
            PayloadJson = Encoding.UTF8.GetString(record.Payload.Span), Metadata = metadata,
            Hash = record.Hash.ToString(), MerkleRoot = record.MerkleRoot.ToString(), Position = record.Position,
        };
    }

    public static Protocol.ControlEntry Control(ControlRecord record) => new()
    {
        Kind = record.Kind, Subject = record.Subject, CreatedAt = record.CreatedAt.ToString(), IssuedBy = Actor(record.Actor),
        BodyJson = Encoding.UTF8.GetString(record.Body.Span), Hash = record.Hash.ToString(), Position = record.Position,
    };

    public static Protocol.AppendEventResponse Appended(in AppendResult result) => new() { Event = Event(result.Record), Known = !result.Appended };

    public static Protocol.Aggregate Aggregate(AggregateState state, bool typed = false, FieldSelection? fields = null)
    {
        var aggregate = new Protocol.Aggregate
        {
            AggregateType = state.Aggregate.Type, AggregateId = state.Aggregate.Id, Version = state.Version,
            MerkleRoot = state.MerkleRoot.ToString(), Archived = state.Archived, StateWithheld = state.StateWithheld,
        };
        WriteState(aggregate.State, state, typed, fields);
        return aggregate;
    }

    public static Protocol.Snapshot Snapshot(Snapshot snapshot, bool typed, FieldSelection? fields)
    {
        var state = snapshot.State;
        var shown = new Protocol.Snapshot
        {
            AggregateType = state.Aggregate.Type, AggregateId = state.Aggregate.Id, Version = state.Version, MerkleRoot = state.MerkleRoot.ToString(),
            CreatedAt = snapshot.CreatedAt.ToString(), StateWithheld = state.StateWithheld,
        };
        if (snapshot.Comment is { } comment)
            shown.Comment = comment;
        WriteState(shown.State, state, typed, fields);
        return shown;
    }

    /// <summary>Items on a page: 0 is the default, and more than a page may have is lowered to that.</summary>
    public static int Take(uint take, int unless, int max) => (int)Math.Min(take == 0 ? (uint)unless : take, (uint)max);

    public static FieldSelection? Fields(bool given, string text) => !given ? null
        : FieldSelection.TryParse(text, out var fields, out var refusal) ? fields
        : throw new RefusedException(refusal with { Message = $"`fields`: {refusal.Message}" });

    public static Timestamp? Time(bool given, string text) => !given ? null
        : Timestamp.TryParse(text, out var time, out var refusal) ? time
        : throw new RefusedException(refusal with { Message = $"`at`: {refusal.Message}" });

    static Protocol.ActorClaims? Actor(Actor? actor) => actor is null ? null : new() { Group = actor.Group, User = actor.User };

    /// <summary>By way of the JSON that REST sends, so that both always agree.</summary>
    static void WriteState(MapField<string, string> target, AggregateState state, bool typed, FieldSelection? fields)
    {
        if (state.StateWithheld)
            return;
        using var buffer = new PooledBuffer();
        state.WriteState(buffer, typed, fields);
        var text = buffer.Written.Span;
        var json = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = ServerLimits.RequestDepthMax });
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            json.Read();
            if (!typed && json.TokenType == JsonTokenType.String)
            {
                target.Add(name, json.GetString()!);
                continue;
            }

            var start = (int)json.TokenStartIndex;
            json.Skip();
            target.Add(name, Encoding.UTF8.GetString(text[start..(int)json.BytesConsumed]));
        }
    }
}
