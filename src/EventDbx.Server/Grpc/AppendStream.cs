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

    public async Task RunAsync(IAsyncStreamReader<AppendStreamRequest> requests, IServerStreamWriter<AppendStreamResponse> answers)
    {
        var watch = call.WatchToken(context.CancellationToken);
        try
        {
            // A client that waits for the answer to its first request before it sends it, waits for the headers.
            await context.WriteResponseHeadersAsync([]).ConfigureAwait(false);
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(watch?.Ended ?? context.CancellationToken, call.Host.Ending);
            var answering = AnswerAsync(answers);
            try
            {
                await ReadAsync(requests, ended.Token).ConfigureAwait(false);
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
            // A client that takes no answers holds what it sent; so may many, and together they have the bound of all requests.
            var held = (long)bytes * ServerLimits.AppendStreamCost;
            var begun = call.Budget.TryTake(held);
            _underWay.Writer.TryWrite(new(request.Tag, bytes, begun ? held : 0, begun ? Begin(session, request) : TooMuch()));
        }
    }

    /// <summary>When it returns, the append stands in the writer's queue, or is refused.</summary>
    static Task<AppendResult> Begin(Session session, AppendStreamRequest request)
    {
        try
        {
            var draft = Shapes.Draft(request.Append ?? throw new RefusedException(RefusalCode.InvalidArgument, "`append` is missing: the request has nothing but a tag."));
            // Not cancelled with the call: what was taken is committed, and nobody waits for it then.
            return session.AppendAsync(draft, CancellationToken.None);
        }
        catch (RefusedException refused)
        {
            return Task.FromException<AppendResult>(refused);
        }
    }

    static Task<AppendResult> TooMuch() =>
        Task.FromException<AppendResult>(new RefusedException(RefusalCode.Overloaded, "Too many large requests are under way at once. Send this one again in a moment."));

    async Task AnswerAsync(IServerStreamWriter<AppendStreamResponse> answers)
    {
        var gone = false;
        while (await _underWay.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            while (_underWay.Reader.TryRead(out var next))
            {
                var answer = await OutcomeAsync(next).ConfigureAwait(false);
                if (!gone)
                {
                    try
                    {
                        // What is on disk already goes out with it.
                        answers.WriteOptions = _underWay.Reader.TryPeek(out var following) && following.Append.IsCompleted ? Buffered : Flushed;
                        await answers.WriteAsync(answer, context.CancellationToken).ConfigureAwait(false);
                    }
                    catch (Exception cause) when (cause is OperationCanceledException or InvalidOperationException or IOException)
                    {
                        gone = true;
                    }
                }

                call.Budget.Give(next.Held);
                _window.Leave(next.Bytes);
            }
        }
    }

    async Task<AppendStreamResponse> OutcomeAsync(UnderWay next)
    {
        try
        {
            return new() { Tag = next.Tag, Appended = Shapes.Appended(await next.Append.ConfigureAwait(false)) };
        }
        catch (RefusedException refused)
        {
            return new() { Tag = next.Tag, Error = GrpcRefusals.Error(refused.Refusal) };
        }
        catch (ObjectDisposedException) when (call.Host.Stopping)
        {
            return new() { Tag = next.Tag, Error = GrpcRefusals.Error(new(RefusalCode.Unavailable, "The server is stopping. Try again in a moment.")) };
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
