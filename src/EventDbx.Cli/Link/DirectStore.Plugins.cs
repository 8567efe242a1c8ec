using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Plugins;

namespace EventDbx.Cli;

/// <summary>Plugins and the queue, in this process: nobody delivers, and what is reached is reached from here.</summary>
internal sealed partial class DirectStore
{
    public Task<IReadOnlyList<PluginEntry>> ListPluginsAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<PluginEntry>>([.. plugins.List(session).Select(plugin => Read(plugin, PluginStatusJson.Write, PluginAnswers.ReadPlugin))]);

    public async Task<ReadOnlyMemory<byte>> SetPluginAsync(string name, ReadOnlyMemory<byte> asked, CancellationToken cancellation)
    {
        var upsert = PluginJson.ReadUpsert(asked, allowProcess: true) with { Unchecked = true };
        var (plugin, _) = await plugins.SetAsync(session, name, upsert, cancellation).ConfigureAwait(false);
        return Read(plugin.Definition, static (output, definition) => PluginJson.Write(output, definition, secrets: false), PluginAnswers.Raw);
    }

    public async Task<(ReadOnlyMemory<byte> Json, bool Changed)> TogglePluginAsync(string name, bool enabled, string? from, CancellationToken cancellation)
    {
        DeliveryStart? start = from is null ? null : DeliveryStart.Parse(from);
        var (plugin, changed) = await (enabled
            ? plugins.EnableAsync(session, name, start, cancellation)
            : plugins.DisableAsync(session, name, cancellation)).ConfigureAwait(false);
        return (Read((plugin.Definition, changed), PluginStatusJson.WriteChanged, PluginAnswers.Raw), changed);
    }

    public Task RemovePluginAsync(string name, CancellationToken cancellation) => plugins.RemoveAsync(session, name, cancellation);

    public IAsyncEnumerable<PluginTest> TestPluginsAsync(string? name, CancellationToken cancellation) =>
        plugins.TestAsync(session, name, cancellation).Select(result => Read(result, PluginStatusJson.WriteTest, PluginAnswers.ReadTest));

    public IAsyncEnumerable<ReplayProgress> ReplayToPluginAsync(string plugin, string type, string? id, CancellationToken cancellation) =>
        plugins.ReplayAsync(session, plugin, type, id, cancellation).Select(step => new ReplayProgress(step.Aggregate.Type, step.Aggregate.Id, step.Version, step.Done));

    public Task<QueueListing> GetQueueAsync(string? plugin, int take, CancellationToken cancellation) =>
        Task.FromResult(Read(plugins.GetQueue(session, plugin, take), QueueJson.Write, PluginAnswers.ReadQueue));

    public IAsyncEnumerable<RetryOutcome> RetryDeadAsync(string? plugin, Guid? eventId, CancellationToken cancellation) =>
        plugins.RetryAsync(session, plugin, eventId, cancellation).Select(result => Read(result, QueueJson.WriteRetry, PluginAnswers.ReadRetry));

    public Task<long> ClearDeadAsync(string? plugin, CancellationToken cancellation) => plugins.ClearAsync(session, plugin, cancellation);

    /// <summary>By the words of the wire, so that both roads say the same.</summary>
    static TRead Read<TFrom, TRead>(TFrom value, Action<IBufferWriter<byte>, TFrom> write, Func<JsonElement, TRead> read)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output, value);
        using var json = JsonDocument.Parse(output.WrittenMemory);
        return read(json.RootElement);
    }
}
