using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace EventDbx.Server.Rest;

/// <summary>How much memory all request bodies together hold.</summary>
internal sealed class BodyBudget
{
    long _held;

    /// <summary>Bytes, as they are counted.</summary>
    public long Held => Interlocked.Read(ref _held);

    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _held, bytes) <= ServerLimits.BodyBytesMax)
            return true;
        Give(bytes);
        return false;
    }

    public void Give(long bytes) => Interlocked.Add(ref _held, -bytes);
}

/// <summary>The body of one request, whole, in rented memory.</summary>
internal sealed class RequestBody : IDisposable
{
    readonly BodyBudget _budget;
    byte[] _bytes = [];
    int _length;
    bool _pooled;
    long _taken;

    RequestBody(BodyBudget budget) => _budget = budget;

    public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, _length);

    /// <summary>Whether the request has a body, be it empty.</summary>
    public static bool IsThere(HttpContext http) => http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? false;

    /// <summary>Whether it was read to its end, so that another request may follow on the connection.</summary>
    public static bool WasRead(HttpContext http) => http.Items.ContainsKey(typeof(RequestBody));

    /// <summary>Nobody will read it, nor what is left of it: the connection ends with the answer.</summary>
    /// <remarks>
    /// Kestrel reads a chunked body to its end or limit all the same, so the limit becomes zero where it still can. Over HTTP/2 it asks
    /// the client to stop (NO_ERROR, RFC 9113, 8.1), and the connection is as good as before.
    /// </remarks>
    public static void LeaveUnread(HttpContext http)
    {
        if (HttpProtocol.IsHttp2(http.Request.Protocol))
            return;
        http.Response.Headers.Connection = "close";
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = 0;
    }

    /// <summary>Over HTTP/2, lets the rest of a short body come and drops it, before it is refused.</summary>
    /// <remarks>A client that is told to stop while it sends the last of a body may take that for a failure and lose the answer: curl 7.88 does, a time in seven.</remarks>
    public static async ValueTask PassOverAsync(HttpContext http, TimeProvider clock)
    {
        if (!HttpProtocol.IsHttp2(http.Request.Protocol) || http.Request.ContentLength > ServerLimits.BodyPassedOverBytes)
            return;
        using var late = new CancellationTokenSource(ServerLimits.BodyPassedOverWithin, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, http.RequestAborted);
        var (reader, passed) = (http.Request.BodyReader, 0L);
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(either.Token).ConfigureAwait(false);
                passed += read.Buffer.Length;
                reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted || passed > ServerLimits.BodyPassedOverBytes)
                    return;
            }
        }
        catch (Exception over) when (over is OperationCanceledException or IOException)
        {
            // It takes too long, is no body that HTTP allows, or nobody is there any more.
        }
    }

    /// <summary>Reads it. What says beforehand that it is too long is refused before a byte of it is read.</summary>
    /// <exception cref="RefusedException">It is too long, or there is no memory for it now.</exception>
    public static async ValueTask<RequestBody> ReadAsync(HttpContext http, BodyBudget budget, TimeProvider clock)
    {
        if (http.Request.ContentLength > Limits.RequestBytesMax)
            throw new RefusedException(RestRefusals.TooLarge(http.Request.ContentLength));
        // Over HTTP/2 Kestrel would close the connection for it, and what else is under way there. It has its time below.
        if (HttpProtocol.IsHttp2(http.Request.Protocol) && http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        var body = new RequestBody(budget);
        try
        {
            // Most have come with their head; those need no clock.
            if (!await body.TryFillAsync(http, wait: false, http.RequestAborted).ConfigureAwait(false))
            {
                using var late = new CancellationTokenSource(ServerLimits.BodyTimeout, clock);
                using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, http.RequestAborted);
                try
                {
                    await body.TryFillAsync(http, wait: true, either.Token).ConfigureAwait(false);
                }
                catch (OperationCanceledException) when (late.IsCancellationRequested && !http.RequestAborted.IsCancellationRequested)
                {
                    throw new RefusedException(RefusalCode.RequestTimeout, $"The body did not arrive within {ServerLimits.BodyTimeout.TotalSeconds:0} s.");
                }
            }

            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Return();
        _budget.Give(_taken);
        (_bytes, _length, _taken) = ([], 0, 0);
    }

    /// <summary>Reads to the end; or, without waiting, what is there, and then says whether that was the end.</summary>
    async ValueTask<bool> TryFillAsync(HttpContext http, bool wait, CancellationToken cancellation)
    {
        var reader = http.Request.BodyReader;
        while (true)
        {
            if (!reader.TryRead(out var read))
            {
                if (!wait)
                    return false;
                read = await reader.ReadAsync(cancellation).ConfigureAwait(false);
            }

            var piece = read.Buffer;
            if (_length + piece.Length > Limits.RequestBytesMax)
                throw new RefusedException(RestRefusals.TooLarge());
            Reserve((int)piece.Length, http.Request.ContentLength);
            piece.CopyTo(_bytes.AsSpan(_length));
            _length += (int)piece.Length;
            reader.AdvanceTo(piece.End);
            if (read.IsCompleted)
            {
                http.Items[typeof(RequestBody)] = this;
                return true;
            }
        }
    }

    /// <summary>Memory follows what has come, not what was announced.</summary>
    void Reserve(int more, long? announced)
    {
        if (_length + more <= _bytes.Length)
            return;
        var wanted = Math.Max(Math.Max(_length + more, _bytes.Length * 2), (int)Math.Min(announced ?? ServerLimits.BodyFirstBytes, ServerLimits.BodyFirstBytes));
        // What comes of a body, parsed and sealed, takes as much again and more.
        if (!_budget.TryTake(((long)wanted * ServerLimits.BodyCost) - _taken))
            throw new RefusedException(RefusalCode.Overloaded, "Too many large requests are under way at once. Send this one again in a moment.");
        _taken = (long)wanted * ServerLimits.BodyCost;
        // Large ones are the collector's again afterwards: the pool would keep them for good.
        var larger = wanted > ServerLimits.BodyPooledBytesMax ? GC.AllocateUninitializedArray<byte>(wanted) : ArrayPool<byte>.Shared.Rent(wanted);
        _bytes.AsSpan(0, _length).CopyTo(larger);
        Return();
        (_bytes, _pooled) = (larger, wanted <= ServerLimits.BodyPooledBytesMax);
    }

    void Return()
    {
        if (_pooled)
            ArrayPool<byte>.Shared.Return(_bytes);
        _pooled = false;
    }
}
