namespace EventDbx.Delivery;

/// <summary>The rows of family <c>plugins</c>, read from a view of their own, changed by the writer like everything else.</summary>
internal sealed class DeliveryQueue(Database database) : IDeliveryQueue
{
    public ulong? FindCursor(string plugin)
    {
        CheckName(plugin);
        using var view = database.Engine.OpenView();
        return PluginRow.Find(view, plugin)?.Cursor;
    }

    public DeliveryCounts Count(string plugin)
    {
        CheckName(plugin);
        using var view = database.Engine.OpenView();
        var row = PluginRow.Find(view, plugin) ?? default;
        return new((long)row.Waiting, (long)row.Dead);
    }

    public IReadOnlyList<string> GetPlugins()
    {
        using var view = database.Engine.OpenView();
        return PluginRow.Names(view);
    }

    public IReadOnlyList<WaitingAggregate> GetWaiting(string plugin, AggregateKey? after, int take)
    {
        CheckName(plugin);
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        byte[] from = after is null ? Keyspace.PluginWaitingPrefix(plugin) : [.. Keyspace.PluginWaiting(plugin, after), 0];
        return Read(from, Keyspace.PluginDeadPrefix(plugin), take, PluginRowKind.Waiting, static (row, error) => new WaitingAggregate
        {
            Aggregate = row.Aggregate, Version = row.Version, Position = row.Position, EventId = row.EventId, EventType = row.EventType,
            Attempts = row.Attempts, NextAttemptAt = new(row.Time), LastError = error, Held = row.Held,
        });
    }

    public IReadOnlyList<DeadLetter> GetDead(string plugin, ulong after, int take)
    {
        CheckName(plugin);
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        if (after == ulong.MaxValue)
            return [];
        return Read(Keyspace.PluginDead(plugin, after + 1), Keyspace.AfterPlugin(plugin), take, PluginRowKind.Dead, static (row, error) => new DeadLetter
        {
            Aggregate = row.Aggregate, Version = row.Version, Position = row.Position, EventId = row.EventId, EventType = row.EventType,
            Attempts = row.Attempts, At = new(row.Time), LastError = error,
        });
    }

    List<T> Read<T>(byte[] from, byte[] to, int take, PluginRowKind kind, Func<RefusedEventRow, string, T> show)
    {
        var found = new List<T>(Math.Min(take, Limits.PageItemsMax));
        using var reader = database.OpenReader();
        using var view = database.Engine.OpenView();
        var rows = new RowCursor(view, Family.Plugins, from, to);
        for (; found.Count < take && rows.Peek() is { } stored; rows.Take())
        {
            var body = Checked.Body(Family.Plugins, stored.Key, stored.Value);
            var row = !Keyspace.TryReadPlugin(stored.Key, out _, out var its, out var rest) || its != kind ? null
                : kind == PluginRowKind.Waiting ? RefusedEventRow.TryReadWaiting(rest, body) : RefusedEventRow.TryReadDead(rest, body);
            if (row is null)
                throw Violation.OfRow(Family.Plugins, stored.Key, "it cannot be read");
            found.Add(show(row, OpenError(row, reader)));
        }

        return found;
    }

    public async Task SaveAsync(string plugin, DeliveryChange change)
    {
        CheckName(plugin);
        Check(plugin, change);
        using var reader = change.Waiting.Count + change.Dead.Count > 0 ? database.OpenReader() : null;
        var waiting = change.Waiting.Select(entry => (Keyspace.PluginWaiting(plugin, entry.Aggregate), RowOf(entry, reader!).WriteWaiting())).ToArray();
        var dead = change.Dead.Select(letter => (Keyspace.PluginDead(plugin, letter.Position), RowOf(letter, reader!).WriteDead())).ToArray();
        var released = change.Released.Select(aggregate => Keyspace.PluginWaiting(plugin, aggregate)).ToArray();
        var cleared = change.Cleared.Select(position => Keyspace.PluginDead(plugin, position)).ToArray();
        await CommitAsync(new()
        {
            Aggregate = ControlOperation.AboutTheDatabase, Plugin = plugin, Cursor = change.Cursor,
            Waiting = waiting, Dead = dead, Released = released, Cleared = cleared,
            RowBytes = waiting.Sum(row => row.Item1.Length + row.Item2.Length) + dead.Sum(row => row.Item1.Length + row.Item2.Length)
                + released.Sum(key => key.Length) + cleared.Sum(key => key.Length),
        }).ConfigureAwait(false);
    }

    public async Task ForgetAsync(string plugin)
    {
        CheckName(plugin);
        // Some rows a commit, so that no append waits long; the plugin's own row goes with the last of them.
        while (await CommitAsync(new() { Aggregate = ControlOperation.AboutTheDatabase, Plugin = plugin, Forget = true, RowBytes = 0 }).ConfigureAwait(false) is { Remaining: > 0 })
        {
        }
    }

    async Task<Outcome> CommitAsync(DeliveryOperation operation)
    {
        var commit = new PendingCommit(operation);
        var outcomes = await database.Loop.CommitAsync(commit).ConfigureAwait(false);
        return outcomes[0].Refusal is { } refusal ? throw new RefusedException(refusal) : outcomes[0];
    }

    static void CheckName(string plugin)
    {
        if (Names.Check("The name of a plugin", plugin, Limits.TypeBytesMax) is { } refusal)
            throw new RefusedException(refusal);
    }

    /// <summary>What only a defect of the caller can bring is not kept: a place that the log does not have would skip the events that come to stand there.</summary>
    void Check(string plugin, DeliveryChange change)
    {
        var count = change.Waiting.Count + change.Released.Count + change.Dead.Count + change.Cleared.Count;
        if (count > Limits.DeliveryChangesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"{count} changes are asked for at once; at most {Limits.DeliveryChangesMax} are made. Make several of them.");
        var synced = database.LogSize;
        if (change.Cursor > synced)
            throw Beyond($"The cursor of the plugin `{plugin}`", change.Cursor.Value, synced);
        var aggregates = new HashSet<AggregateKey>();
        foreach (var entry in change.Waiting)
            CheckEvent($"What waits of {entry.Aggregate}", entry.Position, entry.Version, entry.Attempts, entry.EventType, synced, aggregates.Add(entry.Aggregate));
        foreach (var aggregate in change.Released)
        {
            if (!aggregates.Add(aggregate))
                throw Twice($"{aggregate}");
        }

        var positions = new HashSet<ulong>();
        foreach (var letter in change.Dead)
            CheckEvent($"The dead letter of {letter.Aggregate}", letter.Position, letter.Version, letter.Attempts, letter.EventType, synced, positions.Add(letter.Position));
        foreach (var position in change.Cleared)
        {
            if (!positions.Add(position))
                throw Twice($"Position {position}");
        }
    }

    static void CheckEvent(string what, ulong position, ulong version, int attempts, string eventType, ulong synced, bool first)
    {
        if (!first)
            throw Twice(what);
        if (position == 0 || position > synced)
            throw Beyond(what, position, synced);
        if (version == 0 || attempts < 0)
            throw new RefusedException(RefusalCode.InvalidArgument, $"{what} has version {version} and {attempts} attempts; versions begin at 1, attempts at 0.");
        if (Names.Check("event_type", eventType, Limits.TypeBytesMax) is { } refusal)
            throw new RefusedException(refusal);
    }

    static RefusedException Beyond(string what, ulong position, ulong synced) =>
        new(RefusalCode.InvalidArgument, $"{what} names position {position}; the log has {synced} entries that are on disk.");

    static RefusedException Twice(string what) => new(RefusalCode.InvalidArgument, $"{what} is named twice in one change.");

    RefusedEventRow RowOf(WaitingAggregate entry, StoreReader reader) => new()
    {
        Aggregate = entry.Aggregate, Version = entry.Version, Position = entry.Position, EventId = entry.EventId, EventType = entry.EventType,
        Attempts = entry.Attempts, Time = entry.NextAttemptAt.Ticks100ns, Held = entry.Held, SealedError = SealError(entry.Aggregate, entry.Position, entry.LastError, reader),
    };

    RefusedEventRow RowOf(DeadLetter letter, StoreReader reader) => new()
    {
        Aggregate = letter.Aggregate, Version = letter.Version, Position = letter.Position, EventId = letter.EventId, EventType = letter.EventType,
        Attempts = letter.Attempts, Time = letter.At.Ticks100ns, SealedError = SealError(letter.Aggregate, letter.Position, letter.LastError, reader),
    };

    /// <summary>What another end has answered may repeat what it was sent: as secret as the event.</summary>
    byte[] SealError(AggregateKey aggregate, ulong position, string error, StoreReader reader)
    {
        if (!TryFindCipher(aggregate, reader, out var cipher))
            return [];
        var text = Encoding.UTF8.GetBytes(Cut(error));
        var value = new byte[Sealer.SealedBytes(cipher, text.Length)];
        Sealer.Seal(cipher, Purpose.Delivery, Keyspace.Position(position), text, value, database.Nonces);
        return value;
    }

    string OpenError(RefusedEventRow row, StoreReader reader)
    {
        if (row.SealedError.IsEmpty)
            return "";
        if (TryFindCipher(row.Aggregate, reader, out var cipher))
        {
            var text = new byte[Sealer.OpenedBytes(cipher, row.SealedError.Length)];
            if (Sealer.TryOpen(cipher, Purpose.Delivery, Keyspace.Position(row.Position), row.SealedError.Span, text))
                return Encoding.UTF8.GetString(text);
        }

        return "(what it said is sealed with a key that this aggregate does not have any more)";
    }

    /// <summary>False in an encrypted store, where the aggregate is gone or its head is damaged: a reason is not worth a cursor that cannot be kept.</summary>
    bool TryFindCipher(AggregateKey aggregate, StoreReader reader, out AggregateCipher? cipher)
    {
        cipher = null;
        if (!database.Encrypted)
            return true;
        try
        {
            if (reader.FindWrappedKey(aggregate) is not { IsEmpty: false } wrapped)
                return false;
            cipher = database.Keyring.Open(aggregate, wrapped);
            return cipher is not null;
        }
        catch (RefusedException)
        {
            return false;
        }
    }

    static string Cut(string error)
    {
        if (error.Length <= Limits.DeliveryErrorCharactersMax)
            return error;
        var end = Limits.DeliveryErrorCharactersMax - 1;
        return string.Concat(error.AsSpan(0, char.IsHighSurrogate(error[end - 1]) ? end - 1 : end), "…");
    }
}
