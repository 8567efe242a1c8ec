using System.Buffers;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Plugins.Process;

/// <summary>Events for a program of the plugin directory, over its standard input: docs/plugin-authors.md.</summary>
/// <remarks>
/// A plugin that acknowledges has taken what it says it has; of one aggregate one event is under way, as it may refuse it.
/// One that does not has taken what was written to it and what it lived with for a while (<see cref="ProcessTail"/>); what it has not, perhaps, the next one gets again.
/// </remarks>
internal sealed class ProcessChannel : IPluginChannel
{
    readonly ProcessSupervisor _supervisor;
    readonly ProcessTail _tail;
    readonly TimeProvider _clock;
    readonly MessageWriter _message = new();
    readonly ArrayBufferWriter<byte> _frames = new(ServerLimits.ProcessWriteBytes);

    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: the definition names no program.</exception>
    public ProcessChannel(PluginDefinition plugin, PluginSurroundings surroundings)
    {
        var program = plugin.Config.Program ?? throw new RefusedException(RefusalCode.InvalidArgument, "A process plugin needs the name and version of an installed plugin.");
        _clock = surroundings.Clock;
        _tail = new(surroundings.Clock);
        _supervisor = new(plugin.Name ?? "process", program, surroundings, _tail);
    }

    public int BatchMax => ServerLimits.ProcessInFlightMax;

    public int Concurrency => 1;

    public ulong? Unsettled => _tail.First;

    /// <summary>Starts the program, which otherwise begins with the first event. From then on it is kept running.</summary>
    public void Start() => _supervisor.Start();

    /// <summary>The program is installed and may be run, and it runs if it should. One is not started for this: a second one beside it would want its port and its files.</summary>
    public Task CheckAsync(CancellationToken cancellation) => Task.Run(_supervisor.Check, cancellation);

    public async Task<DeliveryOutcome> DeliverAsync(IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        var lives = _tail.Lives;
        var (child, acknowledges, failure) = await _supervisor.FindAsync(cancellation).ConfigureAwait(false);
        if (child is null)
            return new(0, failure);
        return acknowledges
            ? await AskAsync(child, events, cancellation).ConfigureAwait(false)
            : await TellAsync(child, lives, events, cancellation).ConfigureAwait(false);
    }

    public async Task SettleAsync(CancellationToken cancellation)
    {
        while (true)
        {
            var changed = _supervisor.Changed;
            if (_tail.SettledIn is not { } left)
                return;
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            await Task.WhenAny(Task.Delay(left, _clock, enough.Token), changed).ConfigureAwait(false);
            await enough.CancelAsync().ConfigureAwait(false);
            cancellation.ThrowIfCancellationRequested();
        }
    }

    public ValueTask DisposeAsync() => _supervisor.DisposeAsync();

    /// <summary>To a plugin that does not acknowledge.</summary>
    async Task<DeliveryOutcome> TellAsync(PluginChild child, int lives, IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        var taken = 0;
        try
        {
            await TellAgainAsync(child, cancellation).ConfigureAwait(false);
            List<(ulong Position, byte[] Frame)> written = [];
            for (var i = 0; i < events.Count; i++)
            {
                byte[] frame;
                try
                {
                    frame = PluginEventFrame.Write(_message, events[i], child.Answers.Sent).ToArray();
                }
                catch (MessageException tooLarge)
                {
                    taken += await FlushAsync().ConfigureAwait(false);
                    return new(taken, new(IsRefusal: true, tooLarge.Message));
                }

                _ = child.Answers.Next();
                _frames.Write(frame);
                written.Add((events[i].Record.Position, frame));
                if (_frames.WrittenCount >= ServerLimits.ProcessWriteBytes || i == events.Count - 1)
                    taken += await FlushAsync().ConfigureAwait(false);
            }

            return new(taken, null);

            async Task<int> FlushAsync()
            {
                await child.WriteAsync(_frames.WrittenMemory, cancellation).ConfigureAwait(false);
                _frames.ResetWrittenCount();
                foreach (var (position, frame) in written)
                    _tail.Add(position, frame, lives);
                var count = written.Count;
                written.Clear();
                return count;
            }
        }
        catch (PluginDownException down)
        {
            return new(taken, new(IsRefusal: false, down.Message));
        }
        finally
        {
            _frames.ResetWrittenCount();
        }
    }

    async Task TellAgainAsync(PluginChild child, CancellationToken cancellation)
    {
        var again = _tail.TakeStale();
        if (again.Count == 0)
            return;
        foreach (var (_, frame) in again)
        {
            ProcessTail.Renumber(frame, child.Answers.Next());
            await child.WriteAsync(frame, cancellation).ConfigureAwait(false);
        }

        _tail.Renew();
    }

    /// <summary>To a plugin that acknowledges: in waves, in which no aggregate stands twice.</summary>
    async Task<DeliveryOutcome> AskAsync(PluginChild child, IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        var first = 0;
        List<ulong> wave = [];
        HashSet<AggregateKey> aggregates = [];
        try
        {
            await AskAgainAsync(child, cancellation).ConfigureAwait(false);
            for (var i = 0; i <= events.Count; i++)
            {
                if (i == events.Count || wave.Count == ServerLimits.ProcessInFlightMax || aggregates.Contains(events[i].Record.Aggregate))
                {
                    await WriteAsync().ConfigureAwait(false);
                    await child.AnsweredAsync(child.Answers.Sent, cancellation).ConfigureAwait(false);
                    if (FindRefusal() is { } refused)
                        return refused;
                    first += wave.Count;
                    wave.Clear();
                    aggregates.Clear();
                    if (i == events.Count)
                        break;
                }

                ReadOnlyMemory<byte> frame;
                try
                {
                    frame = PluginEventFrame.Write(_message, events[i], child.Answers.Sent);
                }
                catch (MessageException tooLarge)
                {
                    await WriteAsync().ConfigureAwait(false);
                    await child.AnsweredAsync(child.Answers.Sent, cancellation).ConfigureAwait(false);
                    return FindRefusal() ?? new(first + wave.Count, new(IsRefusal: true, tooLarge.Message));
                }

                wave.Add(child.Answers.Next());
                aggregates.Add(events[i].Record.Aggregate);
                _frames.Write(frame.Span);
                if (_frames.WrittenCount >= ServerLimits.ProcessWriteBytes)
                    await WriteAsync().ConfigureAwait(false);
            }

            return new(first, null);
        }
        catch (PluginDownException down)
        {
            // What it answered before it went is answered.
            var answered = wave.Count(sequence => sequence < child.Answers.Answered);
            return FindRefusal() ?? new(first + answered, new(IsRefusal: false, down.Message));
        }
        finally
        {
            _frames.ResetWrittenCount();
        }

        async Task WriteAsync()
        {
            await child.WriteAsync(_frames.WrittenMemory, cancellation).ConfigureAwait(false);
            _frames.ResetWrittenCount();
        }

        DeliveryOutcome? FindRefusal()
        {
            for (var i = 0; i < wave.Count && wave[i] < child.Answers.Answered; i++)
            {
                if (child.Answers.TakeRefusal(wave[i]) is { } why)
                    return new(first + i, new(IsRefusal: true, Bounded(why)));
            }

            return null;
        }
    }

    /// <summary>What an earlier one was handed that did not acknowledge, and this one does. What it refuses of that is taken all the same: nobody asks any more.</summary>
    async Task AskAgainAsync(PluginChild child, CancellationToken cancellation)
    {
        if (_tail.First is null)
            return;
        foreach (var (_, frame) in _tail.TakeStale())
        {
            ProcessTail.Renumber(frame, child.Answers.Next());
            await child.WriteAsync(frame, cancellation).ConfigureAwait(false);
        }

        await child.AnsweredAsync(child.Answers.Sent, cancellation).ConfigureAwait(false);
        _tail.Clear();
    }

    static string Bounded(string why)
    {
        var text = why.Trim();
        return text.Length == 0 ? "it gave no reason" : text.Length <= Limits.DeliveryErrorCharactersMax ? text : text[..Limits.DeliveryErrorCharactersMax];
    }
}
