using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Replication;

/// <summary>The database at the other end of a session.</summary>
/// <remarks>What it says is held against the form of an answer, and against what was asked; whether it is true, hash by hash, is for whoever applies it.</remarks>
public sealed class RemoteReplica : IReplica
{
    readonly PeerChannel _channel;
    ulong _sequence;
    int _busy;
    Exception? _lost;

    /// <param name="channel">Open, and proven to lead to the pinned node; disposed with this.</param>
    internal RemoteReplica(PeerChannel channel) => _channel = channel;

    public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => AskAsync(
        static message => ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.Identify), ReplicationResponseKind.Identify,
        static answer => WireRecords.Read(ReplicationFrames.ReadLogEnd(answer)), cancellation);

    public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(take, 1);
        var question = new WirePositionQuestion(filter.Types, [.. filter.Aggregates.Select(WireRecords.Of)], after is null ? null : WireRecords.Of(after), (uint)take);
        return AskAsync(message => ReplicationFrames.WritePositionQuestion(message, question), ReplicationResponseKind.ListPositions, answer =>
        {
            var (positions, more) = ReplicationFrames.ReadPositions(answer);
            var page = new ReplicaPosition[positions.Count];
            var last = after;
            for (var i = 0; i < page.Length; i++)
            {
                page[i] = WireRecords.Read(positions[i]);
                if (last is not null && page[i].Aggregate.CompareTo(last) <= 0)
                    throw new MessageException($"positions are not in the order of their keys at {page[i].Aggregate}");
                last = page[i].Aggregate;
            }

            return page.Length <= take && (page.Length > 0 || !more) ? new PositionPage(page, more) : throw new MessageException($"a page has {page.Length} positions where {take} were asked for");
        }, cancellation);
    }

    public async Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation)
    {
        var found = new List<Hash32?>(places.Count);
        foreach (var part in places.Chunk(Limits.PageItemsMax))
        {
            var asked = PlacesOf(part);
            found.AddRange(await AskAsync<Hash32?[]>(message => ReplicationFrames.WriteRootsQuestion(message, asked), ReplicationResponseKind.FindRoots, answer =>
            {
                var roots = ReplicationFrames.ReadRoots(answer);
                return roots.Count == asked.Length
                    ? [.. roots.Select(static root => root.IsEmpty ? (Hash32?)null : WireRecords.ReadHash(root.Span))]
                    : throw new MessageException($"{roots.Count} roots came where {asked.Length} were asked for");
            }, cancellation).ConfigureAwait(false));
        }

        return found;
    }

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        var place = new WirePlace(WireRecords.Of(aggregate), from);
        return AskAsync(
            message => ReplicationFrames.WriteEventsQuestion(message, place, (uint)limit), ReplicationResponseKind.PullEvents, answer => EventsIn(answer, [(aggregate, from)], limit), cancellation);
    }

    public async Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(limit, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(places.Count, Limits.PageItemsMax);
        if (places.Count == 0)
            return [];
        var asked = PlacesOf(places);
        return await AskAsync(
            message => ReplicationFrames.WriteEventsQuestion(message, asked, (uint)limit), ReplicationResponseKind.PullEvents, answer => EventsIn(answer, places, limit), cancellation).ConfigureAwait(false);
    }

    public async Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation)
    {
        if (events.Count == 0)
            return 0;
        var sequence = ++_sequence;
        var wire = WireRecords.Of(events);
        return await AskAsync(message => ReplicationFrames.WriteApply(message, sequence, wire), ReplicationResponseKind.ApplyEvents, answer =>
        {
            var (applied, appended) = ReplicationFrames.ReadApplied(answer);
            if (applied != sequence)
                throw new MessageException($"batch {sequence} was answered as batch {applied}");
            return appended <= (uint)events.Count ? (int)appended : throw new MessageException($"{appended} events are said to be new of {events.Count}");
        }, cancellation).ConfigureAwait(false);
    }

    public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation)
    {
        var asked = WireRecords.Of(aggregate);
        return AskAsync(message => ReplicationFrames.WriteMarksQuestion(message, asked), ReplicationResponseKind.FindMarks, answer =>
        {
            if (ReplicationFrames.ReadMarks(answer) is not { } found)
                return null;
            var marks = WireRecords.Read(found);
            return marks.Aggregate.Equals(aggregate) ? marks : throw new MessageException($"what is known of {marks.Aggregate} came where {aggregate} was asked for");
        }, cancellation);
    }

    public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation)
    {
        var wire = WireRecords.Of(marks);
        return AskAsync(message => ReplicationFrames.WriteApplyMarks(message, wire), ReplicationResponseKind.ApplyMarks, ReplicationFrames.ReadMarksApplied, cancellation);
    }

    public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => AskAsync(
        static message => ReplicationFrames.WriteQuestion(message, ReplicationRequestKind.PullSchemas), ReplicationResponseKind.PullSchemas, ReplicationFrames.ReadSchemas, cancellation);

    public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => AskAsync(
        message => ReplicationFrames.WriteApplySchemas(message, schemas.Span, merge: !replace), ReplicationResponseKind.ApplySchemas,
        static answer => ReplicationFrames.ReadSchemasApplied(answer) is <= int.MaxValue and var changed ? (int)changed : throw new MessageException("more schemas changed than there can be"), cancellation);

    public Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation)
    {
        var milliseconds = (uint)Math.Clamp(wait.TotalMilliseconds, 0, ServerLimits.ReplicaLogWaitMax.TotalMilliseconds);
        return AskAsync(message => ReplicationFrames.WriteLogQuestion(message, after, milliseconds), ReplicationResponseKind.PullLog, answer =>
        {
            var page = WireRecords.Read(ReplicationFrames.ReadLogPage(answer));
            return page.After == after ? page : throw new MessageException($"the log behind {page.After} came where that behind {after} was asked for");
        }, cancellation, TimeSpan.FromMilliseconds(milliseconds));
    }

    public async ValueTask DisposeAsync()
    {
        // What is under way is cut off; else the other end is told that this was all.
        if (Interlocked.Exchange(ref _busy, 1) == 0 && _lost is null)
        {
            _channel.Patience = TimeSpan.FromSeconds(1);
            await _channel.EndAsync().ConfigureAwait(false);
        }

        _lost ??= new ObjectDisposedException(nameof(RemoteReplica));
        await _channel.DisposeAsync().ConfigureAwait(false);
    }

    static WirePlace[] PlacesOf(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places)
    {
        var wire = new WirePlace[places.Count];
        for (var i = 0; i < wire.Length; i++)
            wire[i] = new(WireRecords.Of(places[i].Aggregate), places[i].Version);
        return wire;
    }

    /// <summary>The events of an answer: of the aggregates that were asked for, in their order, without a gap.</summary>
    static IReadOnlyList<EventRecord> EventsIn(MessageReader answer, IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit)
    {
        var events = WireRecords.Read(ReplicationFrames.ReadEvents(answer));
        if (events.Count > limit)
            throw new MessageException($"{events.Count} events came where {limit} were asked for");
        var at = 0;
        var last = places[0].From;
        foreach (var record in events)
        {
            while (!places[at].Aggregate.Equals(record.Aggregate))
            {
                if (++at == places.Count)
                    throw new MessageException($"an event of {record.Aggregate} came that was not asked for, or out of its order");
                last = places[at].From;
            }

            if (record.Version != ++last)
                throw new MessageException($"version {record.Version} of {record.Aggregate} came where {last} was due");
        }

        return events;
    }

    /// <summary>One request and its answer.</summary>
    /// <param name="write">Writes the request.</param>
    /// <param name="expected">Which answer it has.</param>
    /// <param name="read">Reads that.</param>
    /// <param name="cancellation">Gives it up, and the session.</param>
    /// <param name="wait">How much longer than usual it may take.</param>
    async Task<T> AskAsync<T>(
        Func<MessageWriter, ReadOnlyMemory<byte>> write, ReplicationResponseKind expected, Func<MessageReader, T> read, CancellationToken cancellation, TimeSpan wait = default)
    {
        cancellation.ThrowIfCancellationRequested();
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new InvalidOperationException("A session has one request under way at a time, and this one has ended, or has one.");
        try
        {
            if (_lost is not null)
                throw new ReplicaLostException($"The session has ended: {_lost.Message}", _lost);
            return await ExchangeAsync(write, expected, read, wait, cancellation).ConfigureAwait(false);
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
        }
    }

    async Task<T> ExchangeAsync<T>(Func<MessageWriter, ReadOnlyMemory<byte>> write, ReplicationResponseKind expected, Func<MessageReader, T> read, TimeSpan wait, CancellationToken cancellation)
    {
        try
        {
            _channel.Patience = ServerLimits.SessionAnswerTimeout + wait;
            await _channel.WriteAsync(write, cancellation).ConfigureAwait(false);
            var answer = await _channel.ReadAsync(cancellation).ConfigureAwait(false) ?? throw new IOException("The other end has ended the session.");
            var kind = ReplicationFrames.KindOfResponse(answer);
            if (kind == ReplicationResponseKind.Error)
                throw WireRecords.Read(ReplicationFrames.ReadRefusal(answer));
            if (kind != expected)
                throw new MessageException($"unexpected response variant for {expected} response: {kind}");
            try
            {
                return read(answer);
            }
            catch (RefusedException refused)
            {
                // A record or a name in it is none: the same as a message that is none.
                throw new MessageException(refused.Message);
            }
        }
        catch (RefusedException)
        {
            throw;
        }
        catch (MessageException wrong)
        {
            _lost = wrong;
            throw new ReplicaLostException($"The other end says what cannot be: {SessionHandshake.Sentence(wrong.Message)}", wrong);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or InvalidOperationException)
        {
            _lost = gone;
            throw new ReplicaLostException($"The session was lost: {gone.Message}", gone);
        }
        catch (Exception given)
        {
            // Where a request was given up its answer would be that of the next one.
            _lost = given;
            throw;
        }
    }
}
