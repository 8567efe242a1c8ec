using System.Buffers;
using System.Net.Sockets;

namespace EventDbx.Server.Plugins;

/// <summary>Each event a line of JSON over a connection that is kept. Nothing is read back: what was written may never have been read.</summary>
/// <remarks>
/// So events that were written stay in memory, <see cref="Unsettled"/>, until a <i>settlement</i>: the end of what is sent, answered by the receiver's own end, which says that it read
/// to there. Then another connection goes on. Where a connection ends before that, everything since the last settlement is written again: that, at most
/// <see cref="ServerLimits.PluginUnsettledEvents"/> events, is what a receiver may see twice. A receiver that ends connections by itself (the reference opened one for each
/// event, and receivers were written for that) is given fewer events on each (<see cref="TcpWindow"/>). The contract is docs/plugins.md, section "Kinds"; the reasons are docs/decisions/0025.
/// </remarks>
internal sealed class TcpChannel : IPluginChannel
{
    readonly PluginSurroundings _surroundings;
    readonly string _host;
    readonly int _port;

    /// <summary>One at a time: deliveries, settlements, and the repair of a connection that ended meanwhile.</summary>
    readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>A connection has ended; it may have been needed.</summary>
    readonly SemaphoreSlim _ended = new(0);
    readonly CancellationTokenSource _stop = new();
    readonly ArrayBufferWriter<byte> _output = new();
    readonly TcpWindow _window = new();
    readonly Task _repair;
    TcpLine? _line;
    ulong _unsettled;

    /// <summary>Whether the receiver was seen to keep a connection.</summary>
    bool _keeps;

    /// <exception cref="RefusedException">The host is an address that is blocked.</exception>
    public TcpChannel(PluginDefinition plugin, PluginSurroundings surroundings)
    {
        (_surroundings, _host, _port) = (surroundings, plugin.Config.Host, plugin.Config.Port);
        AddressRules.Of(surroundings).Check(_host);
        _repair = RepairAsync();
    }

    public int BatchMax => ServerLimits.PluginBatchMax;

    public int Concurrency => 1;

    public ulong? Unsettled => Volatile.Read(ref _unsettled) is var position and > 0 ? position : null;

    public async Task CheckAsync(CancellationToken cancellation) => (await _surroundings.ConnectAsync(_host, _port, cancellation).ConfigureAwait(false)).Dispose();

    public async Task<DeliveryOutcome> DeliverAsync(IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        var taken = 0;
        try
        {
            while (taken < events.Count)
            {
                // What was written before goes first, wherever its connection has gone since.
                await WriteAsync(settle: false, cancellation).ConfigureAwait(false);
                var added = _window.Add(events, taken);
                try
                {
                    await WriteAsync(settle: false, cancellation).ConfigureAwait(false);
                    taken += added;
                }
                catch
                {
                    // The window loses from its beginning on what was read. The others of this call are handed over again.
                    var left = Math.Min(added, _window.Count);
                    _window.TakeBack(left);
                    taken += added - left;
                    throw;
                }
            }

            return new(taken, null);
        }
        catch (PluginDownException down)
        {
            return new(taken, new(IsRefusal: false, down.Message));
        }
        finally
        {
            Leave();
        }
    }

    public async Task SettleAsync(CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            await WriteAsync(settle: true, cancellation).ConfigureAwait(false);
        }
        catch (PluginDownException)
        {
            // It stays unsettled, and is written again.
        }
        finally
        {
            Leave();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _repair.ConfigureAwait(false);
        await _turn.WaitAsync().ConfigureAwait(false);
        Drop();
        _stop.Dispose();
        _turn.Dispose();
    }

    void Leave()
    {
        Volatile.Write(ref _unsettled, _window.FirstPosition);
        _turn.Release();
    }

    /// <summary>Writes what is in the window, settles where it is full or this is asked for, and begins again where a connection ended.</summary>
    /// <exception cref="PluginDownException">The receiver is not there, or reads nothing.</exception>
    async Task WriteAsync(bool settle, CancellationToken cancellation)
    {
        try
        {
            while (true)
            {
                if (_line is { Ended.IsCompleted: true } ended && !MayBeSettled(ended))
                    await LoseAsync(ended).ConfigureAwait(false);
                else if (_window.IsFull || (_window.Written == _window.Count && _window.Written > 0 && (settle || _line is { Ended.IsCompleted: true })))
                    await SettleAsync(_line!, cancellation).ConfigureAwait(false);
                else if (_window.Written == _window.Count)
                    return;
                else
                    await SendAsync(_line ??= await ConnectAsync(cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
            }
        }
        catch (Exception failed) when (failed is OperationCanceledException or PluginDownException)
        {
            // A line may have been written in part.
            if (_line is not null)
                Drop();
            throw;
        }
    }

    /// <summary>A receiver that takes one event a connection and then ends it says with that what others say when they are asked.</summary>
    bool MayBeSettled(TcpLine ended) => ended.Ended is { IsCompletedSuccessfully: true } task && task.GetAwaiter().GetResult() && _window is { Limit: 1, Written: 1 };

    async Task<TcpLine> ConnectAsync(CancellationToken cancellation)
    {
        var line = new TcpLine(await _surroundings.ConnectAsync(_host, _port, cancellation).ConfigureAwait(false), _surroundings.Clock);
        _ = line.Ended.ContinueWith(_ => _ended.Release(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return line;
    }

    async Task SendAsync(TcpLine line, CancellationToken cancellation)
    {
        _output.ResetWrittenCount();
        _window.WriteNext(_output);
        try
        {
            await line.WriteAsync(_output.WrittenMemory, cancellation).ConfigureAwait(false);
        }
        catch (SocketException)
        {
            await LoseAsync(line).ConfigureAwait(false);
        }
    }

    async Task SettleAsync(TcpLine line, CancellationToken cancellation)
    {
        // Its end tells nothing once ours was sent: whoever closes after a line, or fails at one, may have had the next ones in a buffer, and never looked at them. So it is given time to do that first.
        var one = _window.Limit == 1;
        var keeps = !await line.EndsByItselfAsync(one && !_keeps ? ServerLimits.PluginProbeWithin : ServerLimits.PluginQuietFor, cancellation).ConfigureAwait(false);
        if (!keeps && !one)
        {
            await LoseAsync(line).ConfigureAwait(false);
            return;
        }

        _keeps = keeps;
        switch (await line.EndAsync(cancellation).ConfigureAwait(false))
        {
            case TcpEnd.Settled:
                line.Dispose();
                _line = null;
                _window.Settle(keeps);
                Volatile.Write(ref _unsettled, _window.FirstPosition);
                break;
            case TcpEnd.Broken:
                await LoseAsync(line).ConfigureAwait(false);
                break;
            default:
                // It may be slow: next time it is asked after fewer events.
                _window.Shrink(byItself: false);
                throw new PluginDownException(FormattableString.Invariant(
                    $"{_host}:{_port} did not end its side within {ServerLimits.PluginEndWithin.TotalSeconds:0} s after the end of what was sent, so nobody knows whether it read it; a receiver closes when it has read to the end"));
        }
    }

    /// <summary>The connection ended before what was written on it was settled.</summary>
    async Task LoseAsync(TcpLine line)
    {
        var byItself = line.Ended.IsCompleted && await line.Ended.ConfigureAwait(false);
        var written = _window.Written;
        line.Dispose();
        _line = null;
        if (written > 0 && !_window.Shrink(byItself))
            throw new PluginDownException(FormattableString.Invariant($"{_host}:{_port} ended the connection before it had read an event"));
    }

    void Drop()
    {
        _line?.Dispose();
        _line = null;
        _window.Restart();
    }

    /// <summary>Events that were written to a connection that ended are written again, even if no others come.</summary>
    async Task RepairAsync()
    {
        try
        {
            while (true)
            {
                await _ended.WaitAsync(_stop.Token).ConfigureAwait(false);
                for (var pause = ServerLimits.PluginRepairFirst; !await TryRepairAsync().ConfigureAwait(false); pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, ServerLimits.PluginRepairMax.Ticks)))
                    await Task.Delay(pause * (0.8 + 0.4 * _surroundings.Jitter()), _surroundings.Clock, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            // The plugin is closed.
        }
    }

    async Task<bool> TryRepairAsync()
    {
        await _turn.WaitAsync(_stop.Token).ConfigureAwait(false);
        try
        {
            await WriteAsync(settle: false, _stop.Token).ConfigureAwait(false);
            return true;
        }
        catch (PluginDownException)
        {
            return false;
        }
        finally
        {
            Leave();
        }
    }
}
