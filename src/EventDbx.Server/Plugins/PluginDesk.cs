using System.Buffers;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Plugins;

/// <summary>The plugins of a directory that this process has open, for a command: asked and answered in the JSON of docs/rest.md, as a server is.</summary>
/// <remarks>Nobody delivers here: what is reached is reached when it is asked for, and left again.</remarks>
public sealed class PluginDesk : IDisposable
{
    readonly PluginBook _book;
    readonly PluginControl _control;

    /// <param name="database">Open.</param>
    /// <param name="config">The settings of the command.</param>
    /// <param name="clock">The time.</param>
    public PluginDesk(Database database, ServerConfig config, TimeProvider clock)
    {
        var surroundings = new PluginSurroundings
        {
            Database = database, DataDirectory = config.DataDir, Settings = () => config, Clock = clock,
            Jitter = static () => RandomNumberGenerator.GetInt32(int.MaxValue) / (double)int.MaxValue,
        };
        _book = new(surroundings);
        _control = new PluginControl(surroundings, _book, running: null);
    }

    /// <summary>As <c>GET /admin/plugins</c>, one after the other.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> List(Session by) => _control.List(by).Select(plugin => Written(plugin, PluginStatusJson.Write));

    /// <summary>As <c>PUT /admin/plugins/{name}?check=false</c>, process plugins too.</summary>
    /// <exception cref="RefusedException">Nothing was changed.</exception>
    public async Task<ReadOnlyMemory<byte>> SetAsync(Session by, string name, ReadOnlyMemory<byte> asked, CancellationToken cancellation)
    {
        var upsert = PluginJson.ReadUpsert(asked, allowProcess: true) with { Unchecked = true };
        var (plugin, _) = await _control.SetAsync(by, name, upsert, cancellation).ConfigureAwait(false);
        return Written(plugin.Definition, static (output, definition) => PluginJson.Write(output, definition, secrets: false));
    }

    /// <summary>As <c>POST /admin/plugins/{name}/enable</c>.</summary>
    /// <param name="by">Who does it.</param>
    /// <param name="name">Of the plugin.</param>
    /// <param name="from">Where it begins: now, start, or a position; null: where it stopped, or now.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="RefusedException">Nothing was changed.</exception>
    public async Task<ReadOnlyMemory<byte>> EnableAsync(Session by, string name, string? from, CancellationToken cancellation)
    {
        DeliveryStart? start = from is null ? null : DeliveryStart.Parse(from);
        var (plugin, changed) = await _control.EnableAsync(by, name, start, cancellation).ConfigureAwait(false);
        return Written((plugin.Definition, changed), PluginStatusJson.WriteChanged);
    }

    /// <summary>As <c>POST /admin/plugins/{name}/disable</c>.</summary>
    /// <exception cref="RefusedException">Nothing was changed.</exception>
    public async Task<ReadOnlyMemory<byte>> DisableAsync(Session by, string name, CancellationToken cancellation)
    {
        var (plugin, changed) = await _control.DisableAsync(by, name, cancellation).ConfigureAwait(false);
        return Written((plugin.Definition, changed), PluginStatusJson.WriteChanged);
    }

    /// <summary>As <c>DELETE /admin/plugins/{name}</c>.</summary>
    /// <exception cref="RefusedException">Nothing was changed.</exception>
    public Task RemoveAsync(Session by, string name, CancellationToken cancellation) => _control.RemoveAsync(by, name, cancellation);

    /// <summary>As the lines of <c>POST /admin/plugins/test</c>, but for the last.</summary>
    public IAsyncEnumerable<ReadOnlyMemory<byte>> TestAsync(Session by, string? name, CancellationToken cancellation) =>
        _control.TestAsync(by, name, cancellation).Select(result => Written(result, PluginStatusJson.WriteTest));

    /// <summary>As the lines of <c>POST /admin/plugins/{name}/replay</c>, but for the last.</summary>
    public IAsyncEnumerable<ReadOnlyMemory<byte>> ReplayAsync(Session by, string plugin, string type, string? id, CancellationToken cancellation) =>
        _control.ReplayAsync(by, plugin, type, id, cancellation).Select(step => Written(step, PluginStatusJson.WriteReplay));

    /// <summary>As <c>GET /admin/queue</c>.</summary>
    public ReadOnlyMemory<byte> GetQueue(Session by, string? plugin, int take) => Written(_control.GetQueue(by, plugin, take), QueueJson.Write);

    /// <summary>As the lines of <c>POST /admin/queue/retry</c>, but for the last.</summary>
    public IAsyncEnumerable<ReadOnlyMemory<byte>> RetryAsync(Session by, string? plugin, Guid? eventId, CancellationToken cancellation) =>
        _control.RetryAsync(by, plugin, eventId, cancellation).Select(result => Written(result, QueueJson.WriteRetry));

    /// <summary>As <c>POST /admin/queue/clear</c>.</summary>
    /// <returns>How many.</returns>
    public Task<long> ClearAsync(Session by, string? plugin, CancellationToken cancellation) => _control.ClearAsync(by, plugin, cancellation);

    public void Dispose() => _book.Dispose();

    static ReadOnlyMemory<byte> Written<T>(T value, Action<IBufferWriter<byte>, T> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output, value);
        return output.WrittenMemory;
    }
}
