using System.Buffers;
using EventDbx.Reading;
using EventDbx.Schemas;

namespace EventDbx.Server.Plugins;

/// <summary>What one plugin gets of the database: its events, unfiltered by what schemas hide, and what is sent along with them.</summary>
internal sealed class PluginEvents(Database database, PluginDefinition plugin)
{
    readonly Session _session = database.OpenSession();
    // One type is looked for where the entries are read: the others are not even opened.
    readonly FeedFilter _filter = new()
    {
        AggregateType = plugin.Types is [var type] ? type : null, EventType = plugin.Events is [var eventType] ? eventType : null,
        // Of a kind that sends them along; the owner is shown everything.
        WithSalts = true,
    };

    /// <summary>The events among the next entries of the log, and up to where it was read.</summary>
    public FeedPage ReadFeed(ulong after) =>
        _session.ReadFeed(after, ServerLimits.PluginPageEvents, _filter, ServerLimits.PluginPageBytes, batchesWhole: false);

    /// <summary>Completes once there is more of it.</summary>
    public Task WaitForFeedAsync(ulong after, CancellationToken cancellation) => _session.WaitForFeedAsync(after, cancellation);

    /// <summary>Events of an aggregate from a version on; null: it is gone.</summary>
    public IReadOnlyList<EventRecord>? FindEvents(AggregateKey aggregate, ulong from, int take)
    {
        try
        {
            return _session.GetEvents(aggregate, from, take).Items;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Whether the plugin gets an event.</summary>
    public bool Wants(EventRecord record) =>
        (plugin.Types.IsDefaultOrEmpty || plugin.Types.Contains(record.Aggregate.Type)) && (plugin.Events.IsDefaultOrEmpty || plugin.Events.Contains(record.EventType));

    /// <summary>An event, ready to go.</summary>
    /// <param name="record">The event.</param>
    /// <param name="exact">The state sent along is that after it, whatever the plugin is set to.</param>
    public Delivery Prepare(EventRecord record, bool exact = false)
    {
        exact |= plugin.ExactState;
        return new(record, () => FindState(record, exact), () => FindSchema(record.Aggregate.Type));
    }

    AggregateState? FindState(EventRecord record, bool exact)
    {
        try
        {
            return exact ? _session.GetAggregate(record.Aggregate, record.Version) : _session.GetAggregate(record.Aggregate);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.NotFound)
        {
            return null;
        }
    }

    ReadOnlyMemory<byte> FindSchema(string type)
    {
        if (_session.GetSchemas().Find(type) is not { } found)
            return default;
        var output = new ArrayBufferWriter<byte>();
        SchemaJson.Write(output, found.Schema);
        return output.WrittenMemory;
    }
}
