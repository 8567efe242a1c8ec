using System.ComponentModel;
using System.Globalization;
using System.IO.Pipes;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Daemon;
using EventDbx.Server.Plugins.Install;

namespace EventDbx.Server.Plugins.Process;

/// <summary>One running plugin: what is written to it, what it says, how it ends.</summary>
/// <remarks>
/// <code>
/// stdin    init, then events                              frames, docs/plugin-authors.md
/// stdout   begins with a zero byte: frames, its answers   anything else: lines for the log
/// stderr   lines for the log
/// </code>
/// No shell, no terminal. When this process ends, however it does, the plugin finds the end of its standard input.
/// </remarks>
internal sealed class PluginChild : IDisposable
{
    readonly System.Diagnostics.Process _process;
    readonly PluginOutput _output;
    readonly TimeProvider _clock;
    readonly TaskCompletionSource<bool> _hello = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationTokenSource _ending = new();
    string? _fault;
    bool _inputClosed;

    PluginChild(System.Diagnostics.Process process, PluginOutput output, TimeProvider clock, bool mayAcknowledge)
    {
        (_process, _output, _clock) = (process, output, clock);
        if (!mayAcknowledge)
            _hello.TrySetResult(false);
        Ended = EndAsync(ReadOutputAsync(mayAcknowledge), output.ReadAsync(process.StandardError.BaseStream, "stderr"));
    }

    public int Id => _process.Id;

    public PluginAnswers Answers { get; } = new();

    /// <summary>It has acknowledged after it was taken for one that does not: what it was sent has to be sent again.</summary>
    public bool SaidHelloLate { get; private set; }

    /// <summary>Whether it has read all that was written to it, as far as the system says.</summary>
    public bool HasRead
    {
        get
        {
            try
            {
                return OperatingSystem.IsWindows() || _process.StandardInput.BaseStream is not PipeStream { SafePipeHandle: var pipe } || Posix.UnreadBytes((int)pipe.DangerousGetHandle()) is null or 0;
            }
            catch (Exception gone) when (gone is InvalidOperationException or ObjectDisposedException)
            {
                return false;
            }
        }
    }

    /// <summary>When it has ended and all it said was read: why, in words.</summary>
    public Task<string> Ended { get; }

    /// <summary>Whether it ended by itself, with code 0, at the end of its input: then it has read all of it.</summary>
    public bool EndedWell { get; private set; }

    /// <summary>Starts a plugin. It has been sent nothing yet.</summary>
    /// <exception cref="PluginDownException">It cannot be started.</exception>
    public static PluginChild Start(InstalledPlugin plugin, ProcessSettings settings, PluginOutput output, TimeProvider clock)
    {
        var (start, mayAcknowledge) = PluginStart.Of(plugin, settings);
        try
        {
            return new(System.Diagnostics.Process.Start(start)!, output, clock, mayAcknowledge);
        }
        catch (Exception cause) when (cause is Win32Exception or InvalidOperationException or IOException)
        {
            throw new PluginDownException($"it cannot be started: {cause.Message}", cause);
        }
    }

    /// <summary>Whether it acknowledges what it is sent.</summary>
    /// <param name="mustSoon">It is known to: it has as long as for any other answer, and is hung otherwise.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="PluginDownException">It said nothing, or has ended.</exception>
    public async Task<bool> AcknowledgesAsync(bool mustSoon, CancellationToken cancellation)
    {
        try
        {
            return await _hello.Task.WaitAsync(mustSoon ? ServerLimits.ProcessAnswerTimeout : ServerLimits.ProcessHelloTimeout, _clock, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException) when (mustSoon)
        {
            throw Fail($"it has not answered for {ServerLimits.ProcessAnswerTimeout.TotalSeconds} s");
        }
        catch (TimeoutException)
        {
            _hello.TrySetResult(false);
            return await _hello.Task.ConfigureAwait(false);
        }
    }

    /// <summary>Writes frames, whole.</summary>
    /// <exception cref="PluginDownException">It does not read, or has ended; it is killed, as it may have half of one.</exception>
    public async Task WriteAsync(ReadOnlyMemory<byte> frames, CancellationToken cancellation)
    {
        try
        {
            for (var rest = frames; !rest.IsEmpty;)
            {
                // By the piece: one that reads slowly is not one that does not read.
                var piece = rest[..Math.Min(rest.Length, ServerLimits.ProcessWriteBytes)];
                using var late = new CancellationTokenSource(ServerLimits.ProcessAnswerTimeout, _clock);
                using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token, _ending.Token);
                try
                {
                    await _process.StandardInput.BaseStream.WriteAsync(piece, both.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellation.IsCancellationRequested)
                {
                    throw Fail($"it has not read its standard input for {ServerLimits.ProcessAnswerTimeout.TotalSeconds} s");
                }

                rest = rest[piece.Length..];
            }
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            Fail("what was written to it was called off half way");
            throw;
        }
        catch (Exception cause) when (cause is IOException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
        {
            throw Fail("it does not read its standard input", cause);
        }
    }

    /// <summary>Until everything before a sequence is answered.</summary>
    /// <exception cref="PluginDownException">It answers nothing any more; what was answered stands in <see cref="Answers"/>.</exception>
    public async Task AnsweredAsync(ulong before, CancellationToken cancellation)
    {
        while (true)
        {
            var changed = Answers.Changed;
            if (Answers.Answered >= before)
                return;
            if (Ended.IsCompleted)
                throw new PluginDownException(await Ended.ConfigureAwait(false));
            try
            {
                await changed.WaitAsync(ServerLimits.ProcessAnswerTimeout, _clock, cancellation).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                throw Fail($"it has acknowledged nothing for {ServerLimits.ProcessAnswerTimeout.TotalSeconds} s");
            }
        }
    }

    /// <summary>Lets it end in order: the end of its input, then a request, then a kill.</summary>
    public async Task StopAsync()
    {
        _inputClosed = true;
        try
        {
            await _process.StandardInput.BaseStream.DisposeAsync().ConfigureAwait(false);
        }
        catch (IOException)
        {
            // It has ended.
        }

        if (await EndsWithinAsync(ServerLimits.ProcessStopTimeout).ConfigureAwait(false))
            return;
        if (!OperatingSystem.IsWindows() && !_process.HasExited)
        {
            Posix.Signal(_process.Id, force: false);
            if (await EndsWithinAsync(ServerLimits.ProcessStopTimeout).ConfigureAwait(false))
                return;
        }

        Kill();
        await Ended.ConfigureAwait(false);
    }

    /// <summary>It is of no use any more.</summary>
    public PluginDownException Fail(string why, Exception? cause = null)
    {
        Interlocked.CompareExchange(ref _fault, why, null);
        Kill();
        return new(_fault!, cause);
    }

    public void Dispose()
    {
        _process.Dispose();
        _ending.Dispose();
    }

    async Task<bool> EndsWithinAsync(TimeSpan time)
    {
        try
        {
            await Ended.WaitAsync(time, _clock).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (Exception gone) when (gone is InvalidOperationException or Win32Exception)
        {
            // It has ended.
        }
    }

    async Task<string> EndAsync(Task output, Task errors)
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        try
        {
            // What it said last is in the pipes still; a child of its own may hold them open. By the system's clock: nothing waits for it but the end.
            await Task.WhenAll(output, errors).WaitAsync(ServerLimits.ProcessDrainTimeout, TimeProvider.System).ConfigureAwait(false);
        }
        catch (Exception cause) when (cause is not OutOfMemoryException)
        {
            // Then without: it has ended.
        }

        EndedWell = _inputClosed && _process.ExitCode == 0;
        var why = _fault ?? string.Create(CultureInfo.InvariantCulture, $"it has ended with code {_process.ExitCode}");
        await _ending.CancelAsync().ConfigureAwait(false);
        _hello.TrySetException(new PluginDownException(why));
        _ = _hello.Task.Exception;
        // Completed first: whoever wakes finds that it has ended.
        _ = Ended?.ContinueWith(_ => Answers.Wake(), TaskScheduler.Default);
        return why;
    }

    async Task ReadOutputAsync(bool mayAcknowledge)
    {
        var output = _process.StandardOutput.BaseStream;
        if (!mayAcknowledge)
        {
            await _output.ReadAsync(output, "stdout").ConfigureAwait(false);
            return;
        }

        var first = new byte[1];
        if (await output.ReadAsync(first).ConfigureAwait(false) == 0)
        {
            _hello.TrySetResult(false);
        }
        else if (first[0] != 0)
        {
            _hello.TrySetResult(false);
            // Not through a buffer: it would wait until it is full, and a line is told when it is there.
            await _output.ReadAsync(output, "stdout", first).ConfigureAwait(false);
        }
        else
        {
            var buffered = new BufferedStream(output, 16 * 1024);
            await using (buffered.ConfigureAwait(false))
                await ReadAnswersAsync(new(buffered, first)).ConfigureAwait(false);
        }
    }

    async Task ReadAnswersAsync(FrameReader frames)
    {
        try
        {
            var hello = await frames.ReadAsync(CancellationToken.None).ConfigureAwait(false);
            if (hello is null || PluginFrames.Read(hello).Kind != PluginMessageKind.Init)
                throw new MessageException("The first message is not init.");
            if (!_hello.TrySetResult(true) && !await _hello.Task.ConfigureAwait(false))
            {
                SaidHelloLate = true;
                Fail("it began to acknowledge late, and is started anew");
                return;
            }

            while (await frames.ReadAsync(CancellationToken.None).ConfigureAwait(false) is { } frame)
            {
                var message = PluginFrames.Read(frame);
                if (message.Kind is not (PluginMessageKind.Ack or PluginMessageKind.Error))
                    throw new MessageException("A plugin answers with ack or error.");
                if (!Answers.Answer(message.Sequence, message.Kind == PluginMessageKind.Error ? message.Reason : null))
                    throw new MessageException($"It answers event {message.Sequence}, which it was not sent.");
            }
        }
        catch (MessageException broken)
        {
            Fail($"its standard output is not what docs/plugin-authors.md says: {broken.Message}");
        }
    }
}
