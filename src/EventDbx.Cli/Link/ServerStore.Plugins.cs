using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Wire = EventDbx.Events.RecordJson;

namespace EventDbx.Cli;

/// <summary>Plugins and the queue, by the server.</summary>
internal sealed partial class ServerStore
{
    public Task<IReadOnlyList<PluginEntry>> ListPluginsAsync(CancellationToken cancellation) => server.AskAsync<IReadOnlyList<PluginEntry>>(
        HttpMethod.Get, "/admin/plugins", null, again: true, static (json, _) => [.. json.EnumerateArray().Select(PluginAnswers.ReadPlugin)], cancellation);

    /// <remarks>Sent twice, it is set up once.</remarks>
    public Task<ReadOnlyMemory<byte>> SetPluginAsync(string name, ReadOnlyMemory<byte> asked, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Put, $"{PluginPath(name)}?check=false", asked, again: true, static (json, _) => PluginAnswers.Raw(json), cancellation);

    public Task<(ReadOnlyMemory<byte> Json, bool Changed)> TogglePluginAsync(string name, bool enabled, string? from, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, new Query($"{PluginPath(name)}/{(enabled ? "enable" : "disable")}").With("from", from).ToString(), null, again: false,
        static (json, _) => PluginAnswers.ReadChanged(json), cancellation);

    public Task RemovePluginAsync(string name, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Delete, PluginPath(name), null, again: false, Nothing, cancellation);

    public IAsyncEnumerable<PluginTest> TestPluginsAsync(string? name, CancellationToken cancellation) => StepsAsync(
        name is null ? "/admin/plugins/test" : $"{PluginPath(name)}/test", null, PluginAnswers.ReadTest, "the test ended", cancellation);

    public IAsyncEnumerable<ReplayProgress> ReplayToPluginAsync(string plugin, string type, string? id, CancellationToken cancellation) => StepsAsync(
        $"{PluginPath(plugin)}/replay", Choice(("aggregate_type", type), ("aggregate_id", id)), PluginAnswers.ReadReplay,
        "the replay ended. Run the command again: plugins are used to getting an event twice", cancellation);

    public Task<QueueListing> GetQueueAsync(string? plugin, int take, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Get, new Query("/admin/queue").With("plugin", plugin).With("take", (ulong)take).ToString(), null, again: true,
        static (json, _) => PluginAnswers.ReadQueue(json), cancellation);

    public IAsyncEnumerable<RetryOutcome> RetryDeadAsync(string? plugin, Guid? eventId, CancellationToken cancellation) => StepsAsync(
        "/admin/queue/retry", Choice(("plugin", plugin), ("event_id", eventId is { } id ? EventIds.Format(id) : null)), PluginAnswers.ReadRetry,
        "everything was tried; `dbx queue` says what is dead still", cancellation);

    public Task<long> ClearDeadAsync(string? plugin, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, "/admin/queue/clear", Choice(("plugin", plugin)), again: false, static (json, _) => json.GetProperty("cleared").GetInt64(), cancellation);

    static string PluginPath(string name) => $"/admin/plugins/{Uri.EscapeDataString(name)}";

    /// <summary>An object of the members that there are.</summary>
    static ReadOnlyMemory<byte> Choice(params ReadOnlySpan<(string Name, string? Value)> members)
    {
        var output = new ArrayBufferWriter<byte>();
        output.Write("{"u8);
        var any = false;
        foreach (var (name, value) in members)
        {
            if (value is null)
                continue;
            if (any)
                output.Write(","u8);
            any = true;
            Wire.WriteText(output, name);
            output.Write(":"u8);
            Wire.WriteText(output, value);
        }

        output.Write("}"u8);
        return output.WrittenMemory;
    }

    /// <summary>The lines of an answer up to its result.</summary>
    async IAsyncEnumerable<T> StepsAsync<T>(
        string target, ReadOnlyMemory<byte>? body, Func<JsonElement, T> read, string before, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var line in server.LinesAsync(HttpMethod.Post, target, cancellation, body).ConfigureAwait(false))
        {
            using (line)
            {
                var json = line.RootElement;
                if (json.TryGetProperty("error", out var error))
                    throw ServerConnection.Refused(error);
                if (json.TryGetProperty("result", out _))
                    yield break;
                yield return read(json);
            }
        }

        throw new ServerLostException($"The server went away before {before}.", new EndOfStreamException("The answer ends without a result."));
    }
}
