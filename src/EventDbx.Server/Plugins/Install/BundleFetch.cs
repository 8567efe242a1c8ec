using System.Buffers;
using System.Net;
using System.Security.Cryptography;
using EventDbx.Storage;

namespace EventDbx.Server.Plugins.Install;

/// <summary>Copies a bundle to where it is unpacked, and computes its SHA-256 on the way.</summary>
internal sealed class BundleFetch(TimeProvider clock, Func<HttpMessageHandler>? network, IProgress<InstallProgress>? progress)
{
    /// <returns>The hash in small hex, and whence it came in the end.</returns>
    public async Task<(string Hash, PluginSource From)> FetchAsync(BundleSource source, string to, CancellationToken cancellation)
    {
        if (source.Address is { } address)
            return await FetchAsync(address, to, cancellation).ConfigureAwait(false);
        if (Directory.Exists(source.Path))
            throw new RefusedException(RefusalCode.InvalidArgument, $"\"{source.Path}\" is a directory; a plugin is installed from a zip, a tar.gz or a single program.");
        if (!File.Exists(source.Path))
            throw new RefusedException(RefusalCode.NotFound, $"There is no file \"{source.Path}\".");
        var file = new FileStream(source.Path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, useAsync: true);
        await using (file.ConfigureAwait(false))
            return (await CopyAsync(file, file.Length, to, cancellation).ConfigureAwait(false), new(false, source.Path));
    }

    async Task<(string, PluginSource)> FetchAsync(Uri address, string to, CancellationToken cancellation)
    {
        // Its own time-out is one for headers alone; this one holds for all of it.
        using var late = new CancellationTokenSource(ServerLimits.PluginFetchTimeout, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        using var client = new HttpClient(network?.Invoke() ?? new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = Timeout.InfiniteTimeSpan };
        try
        {
            for (var redirects = 0; ; redirects++)
            {
                using var answer = await client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, both.Token).ConfigureAwait(false);
                if (RedirectOf(answer, address) is { } next)
                {
                    if (redirects == ServerLimits.PluginFetchRedirectsMax)
                        throw new RefusedException(RefusalCode.InvalidArgument, $"{BundleSource.Shown(address)} sends on and on: {redirects} redirects were followed.");
                    if (address.Scheme == "https" && next.Scheme != "https")
                        throw new RefusedException(RefusalCode.InvalidArgument, $"{BundleSource.Shown(address)} sends on to {BundleSource.Shown(next)}, which is not encrypted.");
                    // From http to http only a checksum lets it, and it was asked for at the door.
                    BundleSource.Check(next, hasChecksum: true);
                    address = next;
                    continue;
                }

                if (!answer.IsSuccessStatusCode)
                    throw new IOException($"{BundleSource.Shown(address)} answers {(int)answer.StatusCode}.");
                var body = await answer.Content.ReadAsStreamAsync(both.Token).ConfigureAwait(false);
                await using (body.ConfigureAwait(false))
                    return (await CopyAsync(body, answer.Content.Headers.ContentLength, to, both.Token).ConfigureAwait(false), new(true, BundleSource.Shown(address)));
            }
        }
        catch (HttpRequestException cause)
        {
            throw new IOException($"{BundleSource.Shown(address)} cannot be fetched: {cause.Message}", cause);
        }
        catch (OperationCanceledException cause) when (late.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw new IOException($"{BundleSource.Shown(address)} was not fetched within {ServerLimits.PluginFetchTimeout.TotalMinutes} minutes.", cause);
        }
    }

    static Uri? RedirectOf(HttpResponseMessage answer, Uri address)
    {
        if (answer.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            return null;
        var next = answer.Headers.Location is { } location ? new Uri(address, location) : null;
        return next is { Scheme: "http" or "https" } ? next
            : throw new RefusedException(RefusalCode.InvalidArgument, $"{BundleSource.Shown(address)} sends on, but to no http or https address.");
    }

    async Task<string> CopyAsync(Stream from, long? inAll, string to, CancellationToken cancellation)
    {
        if (inAll > ServerLimits.PluginBundleBytesMax)
            throw TooLarge(inAll.Value);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var file = new FileStream(to, Bundle.NewFile(DurableFile.Mode));
        await using (file.ConfigureAwait(false))
        {
            var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
            try
            {
                for (long bytes = 0; ;)
                {
                    var read = await from.ReadAsync(buffer, cancellation).ConfigureAwait(false);
                    if (read == 0)
                        break;
                    if ((bytes += read) > ServerLimits.PluginBundleBytesMax)
                        throw TooLarge(bytes);
                    hash.AppendData(buffer, 0, read);
                    await file.WriteAsync(buffer.AsMemory(0, read), cancellation).ConfigureAwait(false);
                    progress?.Report(new(InstallStep.Fetching, bytes, inAll));
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    static RefusedException TooLarge(long bytes) =>
        new(RefusalCode.LimitExceeded, $"The bundle has {bytes} bytes or more; at most {ServerLimits.PluginBundleBytesMax} are installed.");
}
