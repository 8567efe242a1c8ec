using System.Text.Json;

namespace EventDbx.Cli;

/// <summary>Plugins and the queue, in this process: nobody delivers, and what is reached is reached from here.</summary>
internal sealed partial class DirectStore
{
    public Task<IReadOnlyList<PluginEntry>> ListPluginsAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<PluginEntry>>([.. plugins.List(session).Select(json => Read(json, PluginAnswers.ReadPlugin))]);

    public Task<ReadOnlyMemory<byte>> SetPluginAsync(string name, ReadOnlyMemory<byte> asked, CancellationToken cancellation) =>
        plugins.SetAsync(session, name, asked, cancellation);

    public async Task<(ReadOnlyMemory<byte> Json, bool Changed)> TogglePluginAsync(string name, bool enabled, string? from, CancellationToken cancellation)
    {
        var json = await (enabled ? plugins.EnableAsync(session, name, from, cancellation) : plugins.DisableAsync(session, name, cancellation)).ConfigureAwait(false);
        return Read(json, PluginAnswers.ReadChanged);
    }

    public Task RemovePluginAsync(string name, CancellationToken cancellation) => plugins.RemoveAsync(session, name, cancellation);

    public IAsyncEnumerable<PluginTest> TestPluginsAsync(string? name, CancellationToken cancellation) =>
        plugins.TestAsync(session, name, cancellation).Select(json => Read(json, PluginAnswers.ReadTest));

    public IAsyncEnumerable<ReplayProgress> ReplayToPluginAsync(string plugin, string type, string? id, CancellationToken cancellation) =>
        plugins.ReplayAsync(session, plugin, type, id, cancellation).Select(json => Read(json, PluginAnswers.ReadReplay));

    public Task<QueueListing> GetQueueAsync(string? plugin, int take, CancellationToken cancellation) =>
        Task.FromResult(Read(plugins.GetQueue(session, plugin, take), PluginAnswers.ReadQueue));

    public IAsyncEnumerable<RetryOutcome> RetryDeadAsync(string? plugin, Guid? eventId, CancellationToken cancellation) =>
        plugins.RetryAsync(session, plugin, eventId, cancellation).Select(json => Read(json, PluginAnswers.ReadRetry));

    public Task<long> ClearDeadAsync(string? plugin, CancellationToken cancellation) => plugins.ClearAsync(session, plugin, cancellation);

    static T Read<T>(ReadOnlyMemory<byte> answer, Func<JsonElement, T> read)
    {
        using var json = JsonDocument.Parse(answer);
        return read(json.RootElement);
    }
}
