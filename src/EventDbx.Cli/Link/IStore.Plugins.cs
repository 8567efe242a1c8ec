namespace EventDbx.Cli;

/// <summary>Plugins, and what they have yet to take. What is asked and answered is the JSON of docs/rest.md on both roads.</summary>
internal partial interface IStore
{
    Task<IReadOnlyList<PluginEntry>> ListPluginsAsync(CancellationToken cancellation);

    /// <summary>Sets a plugin up, new or instead of the one of that name and kind; it is not reached for it.</summary>
    /// <param name="name">Of the plugin.</param>
    /// <param name="asked">The body of <c>PUT /admin/plugins/{name}</c>.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <returns>As it is kept, secrets hidden.</returns>
    Task<ReadOnlyMemory<byte>> SetPluginAsync(string name, ReadOnlyMemory<byte> asked, CancellationToken cancellation);

    /// <summary>Enables a plugin, which is reached first, or disables it.</summary>
    /// <param name="name">Of the plugin.</param>
    /// <param name="enabled">What it is to be.</param>
    /// <param name="from">Where one that is enabled begins: now, start or a position; null: where it stopped, or now.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <returns>As it is kept, with <c>changed</c> behind it, and whether it was changed.</returns>
    Task<(ReadOnlyMemory<byte> Json, bool Changed)> TogglePluginAsync(string name, bool enabled, string? from, CancellationToken cancellation);

    Task RemovePluginAsync(string name, CancellationToken cancellation);

    /// <summary>Reaches every enabled plugin, or one, and sends it the sample event.</summary>
    IAsyncEnumerable<PluginTest> TestPluginsAsync(string? name, CancellationToken cancellation);

    /// <summary>Sends stored events again, of one aggregate or of all of a type.</summary>
    IAsyncEnumerable<ReplayProgress> ReplayToPluginAsync(string plugin, string type, string? id, CancellationToken cancellation);

    /// <summary>What waits and what is dead.</summary>
    /// <param name="plugin">Of one plugin; null: of all.</param>
    /// <param name="take">Entries of each list at most; a server may lower it.</param>
    /// <param name="cancellation">Gives it up.</param>
    Task<QueueListing> GetQueueAsync(string? plugin, int take, CancellationToken cancellation);

    /// <summary>Tries dead events again, now.</summary>
    IAsyncEnumerable<RetryOutcome> RetryDeadAsync(string? plugin, Guid? eventId, CancellationToken cancellation);

    /// <summary>Gives dead events up for good.</summary>
    /// <returns>How many.</returns>
    Task<long> ClearDeadAsync(string? plugin, CancellationToken cancellation);
}
