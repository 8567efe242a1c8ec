namespace EventDbx.Server.Plugins;

/// <summary>An event of a page on its way to a plugin.</summary>
/// <param name="record">The event.</param>
internal sealed class PluginPageItem(EventRecord record)
{
    public EventRecord Record => record;

    /// <summary>Nothing is left to do with it here: taken, dead, or its aggregate waits.</summary>
    public bool IsDone { get; set; }

    /// <summary>How often it was handed over and the plugin was down.</summary>
    public int Downs { get; set; }
}

/// <summary>Events that follow each other in the log, as a courier hands them over; it is kept until each is done.</summary>
/// <param name="items">Those that the plugin gets, in the order of the log.</param>
/// <param name="reached">Everything up to here has been read.</param>
internal sealed class PluginPage(IReadOnlyList<PluginPageItem> items, ulong reached)
{
    public IReadOnlyList<PluginPageItem> Items => items;

    public ulong Reached => reached;

    /// <summary>The first one that is not done.</summary>
    public PluginPageItem? FindOpen()
    {
        foreach (var item in items)
        {
            if (!item.IsDone)
                return item;
        }

        return null;
    }

    /// <summary>The one of those that are not done that has failed most often; of those that have as often, the first.</summary>
    public PluginPageItem? FindSuspect()
    {
        PluginPageItem? suspect = null;
        foreach (var item in items)
        {
            if (!item.IsDone && item.Downs > (suspect?.Downs ?? -1))
                suspect = item;
        }

        return suspect;
    }

    /// <summary>Up to where everything is done.</summary>
    public ulong Done => FindOpen() is { } open ? open.Record.Position - 1 : reached;

    /// <summary>What one lane hands over after the other: whole aggregates, each in its order, together as much as one hand-over takes.</summary>
    public Queue<List<PluginPageItem>> Share(int batchMax)
    {
        var chains = new Dictionary<AggregateKey, List<PluginPageItem>>();
        var shares = new Queue<List<PluginPageItem>>();
        List<List<PluginPageItem>> ordered = [];
        foreach (var item in items)
        {
            if (item.IsDone)
                continue;
            if (!chains.TryGetValue(item.Record.Aggregate, out var chain))
            {
                chains.Add(item.Record.Aggregate, chain = []);
                ordered.Add(chain);
            }

            chain.Add(item);
        }

        List<PluginPageItem> share = [];
        foreach (var chain in ordered)
        {
            if (share.Count > 0 && share.Count + chain.Count > batchMax)
            {
                shares.Enqueue(share);
                share = [];
            }

            share.AddRange(chain);
        }

        if (share.Count > 0)
            shares.Enqueue(share);
        return shares;
    }
}
