namespace EventDbx.Recovery;

/// <summary>From an entry that stands in a log already to the operation that writes it again byte for byte, with everything that is an index of it.</summary>
/// <remarks>For a store that is rebuilt, and for a mirror of another one's log.</remarks>
internal static class RecordedOperations
{
    /// <summary>The aggregate that a control entry begins; null for every other entry.</summary>
    public static AggregateKey? Begun(EntryRow entry) => entry is { IsControl: true, Type: LifecycleNames.Create } ? LifecycleNames.Aggregate(entry.Subject) : null;

    /// <summary>An event.</summary>
    /// <param name="entry">As this store keeps it: its body is sealed under <paramref name="cipher"/>.</param>
    /// <param name="cipher">Of its aggregate; null in a plain store.</param>
    /// <param name="salt">Opened.</param>
    /// <param name="payload">Opened.</param>
    /// <param name="mirrored">Of another store's log: the leaf, which was computed from it. Null: of this one's.</param>
    public static AppendOperation Event(EntryRow entry, AggregateCipher? cipher, ReadOnlyMemory<byte> salt, in JsonPayload payload, Hash32? mirrored) => new()
    {
        Aggregate = entry.Aggregate!, Actor = entry.Actor, EventType = entry.Type, EventTypeUtf8 = Encoding.UTF8.GetBytes(entry.Type), Payload = payload, Note = entry.Note,
        EventId = entry.EventId, Salt = salt.ToArray(), Cipher = cipher, SealedBody = entry.Body.ToArray(), Recorded = entry, Mirrored = mirrored is not null, Leaf = mirrored,
        Fingerprint = (entry.Flags & EntryRow.RowFlags.ClientId) != 0 ? entry.PayloadFingerprintOf(payload.Text.Span) : null,
        Import = new()
        {
            Draft = new() { Aggregate = entry.Aggregate!, EventType = entry.Type, Payload = payload.Text, EventId = entry.EventId, Note = entry.Note },
            CreatedAt = new(entry.CreatedAt), Actor = entry.Actor, Version = entry.Version, Salt = salt, MerkleRoot = mirrored is null ? entry.Root : null,
        },
    };

    /// <summary>A control entry; null where it says what no entry of its kind says.</summary>
    /// <param name="entry">As this store keeps it.</param>
    /// <param name="cipher">Of the aggregate that it begins; null for other entries, and in a plain store.</param>
    /// <param name="mirrored">Whether it is of another store's log.</param>
    /// <param name="why">What is wrong with it.</param>
    public static Operation? Control(EntryRow entry, AggregateCipher? cipher, bool mirrored, out string? why)
    {
        why = null;
        if (entry.Type == SchemaOperation.Kind)
            return Schema(entry, mirrored, out why);
        if (entry.Type == LifecycleNames.Snapshot && LifecycleNames.Aggregate(entry.Subject) is { } kept)
        {
            return new SnapshotOperation
            {
                Aggregate = kept, Actor = entry.Actor, Comment = LifecycleNames.CommentIn(entry.Body), Version = LifecycleNames.VersionIn(entry.Body), Recorded = entry, Mirrored = mirrored,
            };
        }

        if (KindOf(entry.Type) is not { } kind)
        {
            return new ControlOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, Actor = entry.Actor, Kind = entry.Type, Subject = entry.Subject, Body = entry.Body.ToArray(), Recorded = entry, Mirrored = mirrored,
            };
        }

        if (LifecycleNames.Aggregate(entry.Subject) is { } aggregate)
            return new LifecycleOperation { Aggregate = aggregate, Actor = entry.Actor, Kind = kind, Recorded = entry, Cipher = cipher, Mirrored = mirrored };
        why = $"`{entry.Type}` names no aggregate: {entry.Subject}";
        return null;
    }

    static Lifecycle? KindOf(string type) => type switch
    {
        LifecycleNames.Create => Lifecycle.Create,
        LifecycleNames.Remove => Lifecycle.Remove,
        LifecycleNames.Archive => Lifecycle.Archive,
        LifecycleNames.Restore => Lifecycle.Restore,
        _ => null,
    };

    static SchemaOperation? Schema(EntryRow entry, bool mirrored, out string? why)
    {
        why = null;
        try
        {
            using var body = System.Text.Json.JsonDocument.Parse(entry.Body);
            var json = body.RootElement.GetProperty("schema");
            var schema = json.ValueKind == System.Text.Json.JsonValueKind.Null
                ? null : Schemas.SchemaJson.ReadSchema(System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(json));
            if (schema is null || schema.Aggregate == entry.Subject)
            {
                return new()
                {
                    Aggregate = ControlOperation.AboutTheDatabase, Actor = entry.Actor, Type = entry.Subject, Recorded = entry, Mirrored = mirrored, Body = entry.Body.ToArray(), Schema = schema,
                };
            }

            why = $"its schema is of `{schema.Aggregate}`, and it is about `{entry.Subject}`";
            return null;
        }
        catch (Exception cause) when (cause is System.Text.Json.JsonException or KeyNotFoundException or InvalidOperationException or RefusedException)
        {
            why = $"its schema cannot be read: {cause.Message}";
            return null;
        }
    }
}
