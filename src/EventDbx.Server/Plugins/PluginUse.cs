using EventDbx.Delivery;

namespace EventDbx.Server.Plugins;

/// <summary>A plugin for as long as somebody asks things of it: its courier where it runs, or one that is there for this alone and leaves again.</summary>
internal sealed class PluginUse(
    PluginDefinition plugin, PluginSurroundings surroundings, IDeliveryQueue queue, Func<PluginDefinition, IPluginChannel> open, Dispatcher? running) : IAsyncDisposable
{
    Courier? _alone;

    /// <summary>Does something, in its turn.</summary>
    /// <exception cref="RefusedException">The plugin cannot be opened, or was changed meanwhile.</exception>
    public Task<T> DoAsync<T>(Func<Courier, Task<T>> work, CancellationToken cancellation)
    {
        if (running is not null)
            return running.UseAsync(plugin, work, cancellation);
        var alone = _alone ??= new(plugin, surroundings, queue, open, new());
        return alone.DoAsync(() => work(alone), cancellation);
    }

    public ValueTask DisposeAsync() => _alone?.DisposeAsync() ?? ValueTask.CompletedTask;
}
