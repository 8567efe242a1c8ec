using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using EventDbx.Protocol;
using EventDbx.Server.Tokens;
using Grpc.Core;

namespace EventDbx.Server.Grpc;

/// <summary>Appends of one stream: many under way at once, committed and answered in the order of the requests.</summary>
/// <remarks>
/// One task reads, checks and hands over to the writer's queue, in order, which is the order of the commits; another answers in the
/// same order, as they are on disk. Between them lie as many as the window takes: then nothing more is read, and HTTP/2 makes the
/// client wait. What was handed over is committed, whatever becomes of the stream.
/// </remarks>
internal sealed class AppendStream(GrpcCall call, ServerCallContext context)
{
    static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);
    static readonly WriteOptions Flushed = new();

    readonly Channel<UnderWay> _underWay = Channel.CreateUnbounded<UnderWay>(new() { SingleReader = true, SingleWriter = true });
    readonly Window _window = new();
    readonly AppendRoom _room = call.AppendRoom;
    readonly CutOff _cutOff = call.CutOff!;
    Task _lastBegun = Task.CompletedTask;

    public async Task RunAsync(IAsyncStreamReader<AppendStreamRequest> requests, IServerStreamWriter<AppendStreamResponse> answers)
    {
        var watch = call.WatchToken(context.CancellationToken);
        try
        {
            // A client that waits for the answer to its first request before it sends it, waits for the headers.
            await context.WriteResponseHeadersAsync([]).ConfigureAwait(false);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(watch?.Ended ?? context.CancellationToken, call.Host.Ending);
            using var reading = CancellationTokenSource.CreateLinkedTokenSource(ended.Token);
            using var ending = ended.Token.UnsafeRegister(static stream => _ = ((AppendStream)stream!).EndAsync(), this);
            var answering = AnswerAsync(answers, reading);
            try
            {
                await ReadAsync(requests, reading.Token).ConfigureAwait(false);
            }
            finally
            {
                _underWay.Writer.Complete();
                await answering.ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (watch?.Refused is { } refused)
        {
            throw refused;
        }
        catch (OperationCanceledException) when (call.Host.Ending.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            throw new RefusedException(RefusalCode.Unavailable, "The server is stopping. What was answered is on disk; send the rest again in a moment.");
        }
        finally
        {
            if (watch is not null)
                await watch.DisposeAsync().ConfigureAwait(false);
        }
    }

    async Task ReadAsync(IAsyncStreamReader<AppendStreamRequest> requests, CancellationToken ended)
    {
        // Its token is looked at again and again; one session serves the whole stream.
        var session = call.Session;
        while (await requests.MoveNext(ended).ConfigureAwait(false))
        {
            var request = requests.Current;
            var bytes = request.CalculateSize();
            await _window.EnterAsync(bytes, ended).ConfigureAwait(false);
            var held = (long)bytes * ServerLimits.AppendStreamCost;
            await _room.EnterAsync(held, ended).ConfigureAwait(false);
            var append = Begin(session, request);
            if (append.IsFaulted)
            {
                // Only the refusal is left of it.
                _room.Give(held);
                held = 0;
            }

            if (!append.IsCompleted)
                Volatile.Write(ref _lastBegun, append);
            _underWay.Writer.TryWrite(new(request.Tag, bytes, held, append));
        }
    }

    /// <summary>When it returns, the append stands in the writer's queue, or is refused. It throws nothing.</summary>
    static Task<AppendResult> Begin(Session session, AppendStreamRequest request)
    {
        try
        {
            var draft = Shapes.Draft(request.Append ?? throw new RefusedException(RefusalCode.InvalidArgument, "`append` is missing: the request has nothing but a tag."));
            // Not cancelled with the call: what was taken is committed, and nobody waits for it then.
            return session.AppendAsync(draft, CancellationToken.None);
        }
        catch (Exception refused)
        {
            return Task.FromException<AppendResult>(refused);
        }
    }

    /// <summary>The token is refused, or the server stops: once everything that was taken is committed, the client has a moment to take the answers.</summary>
    async Task EndAsync()
    {
        Task last;
        do
        {
            last = Volatile.Read(ref _lastBegun);
            await last.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        while (last != Volatile.Read(ref _lastBegun));
        _cutOff.LastWords();
    }

    /// <summary>Goes to the end of what was taken, whatever happens: each is waited for, and gives back what it held.</summary>
    async Task AnswerAsync(IServerStreamWriter<AppendStreamResponse> answers, CancellationTokenSource reading)
    {
        var gone = false;
        ExceptionDispatchInfo? fault = null;
        while (await _underWay.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            while (_underWay.Reader.TryRead(out var next))
            {
                try
                {
                    var answer = await OutcomeAsync(next).ConfigureAwait(false);
                    if (!gone)
                        await WriteAsync(answers, answer).ConfigureAwait(false);
                }
                catch (Exception thrown)
                {
                    if (!gone && !call.IsGivenUp(context))
                        fault = ExceptionDispatchInfo.Capture(thrown);
                    gone = true;
                    // What nobody will be answered is not read either.
                    await reading.CancelAsync().ConfigureAwait(false);
                }
                finally
                {
                    _room.Give(next.Held);
                    _window.Leave(next.Bytes);
                }
            }
        }

        fault?.Throw();
    }

    async Task WriteAsync(IServerStreamWriter<AppendStreamResponse> answers, AppendStreamResponse answer)
    {
        // What is on disk already goes out with it.
        answers.WriteOptions = _underWay.Reader.TryPeek(out var following) && following.Append.IsCompleted ? Buffered : Flushed;
        var write = answers.WriteAsync(answer, context.CancellationToken);
        if (write.IsCompletedSuccessfully)
            return;
        // Who does not take it holds what others wait for.
        _cutOff.Waits();
        try
        {
            await write.ConfigureAwait(false);
        }
        finally
        {
            _cutOff.GetsOn();
        }
    }

    async Task<AppendStreamResponse> OutcomeAsync(UnderWay next)
    {
        try
        {
            return new() { Tag = next.Tag, Appended = Shapes.Appended(await next.Append.ConfigureAwait(false)) };
        }
        catch (Exception thrown)
        {
            return new() { Tag = next.Tag, Error = GrpcRefusals.Error(call.RefusalOf(thrown)) };
        }
    }

    readonly record struct UnderWay(ulong Tag, int Bytes, long Held, Task<AppendResult> Append);

    /// <summary>How much may be under way. One enters, one leaves.</summary>
    sealed class Window
    {
        readonly Lock _lock = new();
        int _count;
        long _bytes;
        TaskCompletionSource? _room;

        public ValueTask EnterAsync(int bytes, CancellationToken ended)
        {
            lock (_lock)
            {
                if (Fits(bytes))
                {
                    Take(bytes);
                    return default;
                }

                _room = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return WaitAsync(bytes, ended);
        }

        public void Leave(int bytes)
        {
            TaskCompletionSource? room;
            lock (_lock)
            {
                (_count, _bytes, room, _room) = (_count - 1, _bytes - bytes, _room, null);
            }

            room?.TrySetResult();
        }

        async ValueTask WaitAsync(int bytes, CancellationToken ended)
        {
            while (true)
            {
                Task room;
                lock (_lock)
                {
                    if (Fits(bytes))
                    {
                        Take(bytes);
                        return;
                    }

                    room = (_room ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
                }

                await room.WaitAsync(ended).ConfigureAwait(false);
            }
        }

        bool Fits(int bytes) => _count == 0 || (_count < ServerLimits.AppendStreamWindow && _bytes + bytes <= ServerLimits.AppendStreamWindowBytes);

        void Take(int bytes) => (_count, _bytes) = (_count + 1, _bytes + bytes);
    }
}
