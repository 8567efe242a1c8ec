namespace EventDbx.Cli;

/// <summary>The body of an answer, as it comes.</summary>
/// <param name="response">Disposed with it.</param>
/// <param name="stream">Its content.</param>
/// <param name="lost">What is thrown when the connection breaks.</param>
internal sealed class ServerBody(HttpResponseMessage response, Stream stream, Func<Exception, ServerLostException> lost) : IDisposable
{
    /// <summary>Bytes read; 0 at the end.</summary>
    /// <exception cref="ServerLostException">The connection broke.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellation)
    {
        try
        {
            return await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false);
        }
        catch (Exception broken) when (broken is IOException or HttpRequestException)
        {
            throw lost(broken);
        }
    }

    public void Dispose()
    {
        stream.Dispose();
        response.Dispose();
    }
}
