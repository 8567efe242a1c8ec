namespace EventDbx.Storage.Rows;

/// <summary>The row of a plugin: cursor u64 | aggregates that wait u64 | dead letters u64.</summary>
/// <remarks>The counts change in the commit that puts or deletes what they count, so that nobody has to walk it.</remarks>
internal readonly record struct PluginRow(ulong Cursor, ulong Waiting, ulong Dead)
{
    public const int EncodedBytes = 3 * 8;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U64(Cursor);
        row.U64(Waiting);
        row.U64(Dead);
        row.Done();
    }

    public static bool TryRead(ReadOnlyMemory<byte> bytes, out PluginRow plugin)
    {
        var row = new RowReader(bytes);
        plugin = new(row.U64(), row.U64(), row.U64());
        return row.Finished;
    }

    /// <summary>Null: nothing was ever kept of this plugin.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static PluginRow? Find(IStorageView view, string plugin)
    {
        var key = Keyspace.Plugin(plugin);
        if (Checked.Get(view, Family.Plugins, key) is not { } body)
            return null;
        return TryRead(body, out var row) ? row : throw Violation.OfRow(Family.Plugins, key, "it cannot be read");
    }

    public void Put(WritePlan plan, string plugin)
    {
        var row = Checked.Open(plan, Family.Plugins, Keyspace.Plugin(plugin), EncodedBytes);
        Write(row.Body);
        row.Close();
    }

    /// <summary>Names of the plugins that have rows, in their order, whether these can be read or not: one seek for each.</summary>
    public static List<string> Names(IStorageView view)
    {
        var names = new List<string>();
        var from = Keyspace.FirstName.ToArray();
        while (view.Range(Family.Plugins, from, [], 1, int.MaxValue) is [var row])
        {
            if (Keyspace.TryReadPlugin(row.Key, out var bytes, out _, out _))
            {
                var name = Encoding.UTF8.GetString(bytes);
                names.Add(name);
                from = Keyspace.AfterPlugin(name);
            }
            else
            {
                from = [.. row.Key, 0];
            }
        }

        return names;
    }
}

/// <summary>The row of an event that was refused: of an aggregate that waits, or of a dead letter. What belongs to both.</summary>
/// <remarks>
/// <code>
/// waiting   flags u8 (1 held) | version u64 | position u64 | event id [16] | event type u16+ | attempts u32 | next attempt i64 | sealed error u16+
/// dead      type u16+ | id u16+ | version u64 | event id [16] | event type u16+ | attempts u32 | given up i64 | sealed error u16+
/// </code>
/// What is missing in either stands in its key. The error is what somebody else has answered, perhaps with what was sent: it is sealed
/// with the key of the aggregate, for the place of the event in the log. Empty where the aggregate had no key to be found.
/// </remarks>
internal sealed record RefusedEventRow
{
    public required AggregateKey Aggregate { get; init; }

    public required ulong Version { get; init; }

    public required ulong Position { get; init; }

    public required Guid EventId { get; init; }

    public required string EventType { get; init; }

    public required int Attempts { get; init; }

    /// <summary>The next attempt, or when it was given up.</summary>
    public required long Time { get; init; }

    public required ReadOnlyMemory<byte> SealedError { get; init; }

    /// <summary>Of an aggregate that waits.</summary>
    public bool Held { get; init; }

    public byte[] WriteWaiting()
    {
        var bytes = new byte[1 + 8 + CommonBytes];
        var row = new RowWriter(bytes);
        row.U8(Held ? (byte)1 : (byte)0);
        row.U64(Version);
        row.U64(Position);
        WriteCommon(ref row);
        return bytes;
    }

    public byte[] WriteDead()
    {
        var bytes = new byte[2 + Aggregate.TypeUtf8.Length + 2 + Aggregate.IdUtf8.Length + CommonBytes];
        var row = new RowWriter(bytes);
        row.Short(Aggregate.TypeUtf8);
        row.Short(Aggregate.IdUtf8);
        row.U64(Version);
        WriteCommon(ref row);
        return bytes;
    }

    int CommonBytes => 8 + 16 + 2 + Encoding.UTF8.GetByteCount(EventType) + 4 + 8 + 2 + SealedError.Length;

    void WriteCommon(ref RowWriter row)
    {
        row.Id(EventId);
        row.Short(EventType);
        row.U32((uint)Attempts);
        row.I64(Time);
        row.Short(SealedError.Span);
        row.Done();
    }

    /// <summary>Null when the row is none.</summary>
    /// <param name="aggregate">As the key has it.</param>
    /// <param name="bytes">The row.</param>
    public static RefusedEventRow? TryReadWaiting(ReadOnlySpan<byte> aggregate, ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var (flags, version, position) = (row.U8(), row.U64(), row.U64());
        return flags <= 1 && AggregateKey.TryRead(aggregate, out var key) ? TryReadCommon(ref row, key, version, position, flags == 1) : null;
    }

    /// <summary>Null when the row is none.</summary>
    /// <param name="position">As the key has it: 8 bytes.</param>
    /// <param name="bytes">The row.</param>
    public static RefusedEventRow? TryReadDead(ReadOnlySpan<byte> position, ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var (type, id, version) = (row.Text(), row.Text(), row.U64());
        return row.Ok && position.Length == 8 && AggregateKey.TryCreate(type, id, out var key, out _)
            ? TryReadCommon(ref row, key, version, System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(position), held: false) : null;
    }

    static RefusedEventRow? TryReadCommon(ref RowReader row, AggregateKey aggregate, ulong version, ulong position, bool held)
    {
        var (eventId, eventType, attempts, time, error) = (row.Id(), row.Text(), row.U32(), row.I64(), row.Short());
        if (!row.Finished || attempts > int.MaxValue || !Timestamp.IsInRange(time))
            return null;
        return new()
        {
            Aggregate = aggregate, Version = version, Position = position, EventId = eventId, EventType = eventType,
            Attempts = (int)attempts, Time = time, SealedError = error, Held = held,
        };
    }
}
