using System.Buffers;
using System.Runtime.CompilerServices;
using EventDbx.Delivery;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <summary>What waits and what is dead.</summary>
internal sealed partial class PluginControl
{
    const int DeadPage = 200;

    public QueueView GetQueue(Session by, string? plugin, int take)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        by.DemandRoot(Manage);
        var (waiting, dead) = (0L, 0L);
        List<(string, WaitingAggregate)> waits = [];
        List<(string, DeadLetter)> letters = [];
        foreach (var label in LabelsOf(plugin))
        {
            var counts = _queue.Count(label);
            (waiting, dead) = (waiting + counts.Waiting, dead + counts.Dead);
            if (counts.Waiting > 0 && waits.Count < take)
                waits.AddRange(_queue.GetWaiting(label, null, take - waits.Count).Select(entry => (label, entry)));
            if (counts.Dead > 0 && letters.Count < take)
                letters.AddRange(_queue.GetDead(label, 0, take - letters.Count).Select(entry => (label, entry)));
        }

        return new(new(waiting, dead), waits, letters);
    }

    public async IAsyncEnumerable<RetryResult> RetryAsync(Session by, string? plugin, Guid? eventId, [EnumeratorCancellation] CancellationToken cancellation)
    {
        by.DemandRoot("retry dead events");
        foreach (var label in LabelsOf(plugin))
        {
            if (_queue.Count(label).Dead == 0)
                continue;
            var definition = Find(label);
            var use = Use(definition);
            await using (use.ConfigureAwait(false))
            {
                var isDown = false;
                foreach (var letter in DeadOf(label))
                {
                    if (eventId is not null && letter.EventId != eventId)
                        continue;
                    if (!definition.Enabled)
                    {
                        yield return new(label, letter, "the plugin is disabled; enable it first", Gone: false);
                        continue;
                    }

                    // One that is down is asked once: the others would only wait for the same.
                    if (isDown)
                        break;
                    RetryResult result;
                    try
                    {
                        var (failure, gone) = await use.DoAsync(courier => courier.RetryAsync(letter), cancellation).ConfigureAwait(false);
                        isDown = failure is { IsRefusal: false };
                        result = new(label, letter, failure?.Reason, gone);
                    }
                    catch (RefusedException refused)
                    {
                        isDown = true;
                        result = new(label, letter, refused.Message, Gone: false);
                    }

                    yield return result;
                }
            }
        }
    }

    public async Task<long> ClearAsync(Session by, string? plugin, CancellationToken cancellation)
    {
        by.DemandRoot("clear dead events");
        var cleared = 0L;
        foreach (var label in LabelsOf(plugin))
        {
            var dead = _queue.Count(label).Dead;
            if (dead == 0)
                continue;
            // Before it is done: nothing is given up of which the log does not know.
            await by.NoteChangeAsync(SettingChange.Plugin, label, ClearedBody(dead), cancellation).ConfigureAwait(false);
            var use = Use(Find(label));
            await using (use.ConfigureAwait(false))
            {
                foreach (var page in DeadOf(label).Chunk(DeadPage))
                    cleared += await use.DoAsync(courier => courier.ClearAsync(page), cancellation).ConfigureAwait(false);
            }
        }

        return cleared;
    }

    IReadOnlyList<string> LabelsOf(string? plugin) =>
        plugin is not null ? [Courier.LabelOf(Find(plugin))] : [.. _book.List().Select(Courier.LabelOf).Distinct(StringComparer.Ordinal)];

    /// <summary>In the order of their positions, read as they are taken.</summary>
    IEnumerable<DeadLetter> DeadOf(string label)
    {
        for (var after = 0UL; _queue.GetDead(label, after, DeadPage) is { Count: > 0 } page; after = page[^1].Position)
        {
            foreach (var letter in page)
                yield return letter;
        }
    }

    static ReadOnlyMemory<byte> ClearedBody(long events)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(output);
        members.Text("action"u8, "cleared");
        members.Number("events"u8, (ulong)events);
        members.End();
        return output.WrittenMemory;
    }
}
