using System.Buffers;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json;
using EventDbx.Storage;

namespace EventDbx.Server.Upgrades;

/// <summary>How much a release address may send, and how long it may take.</summary>
public sealed record ReleaseBounds
{
    public TimeSpan LookupTimeout { get; init; } = ServerLimits.ReleaseLookupTimeout;

    public TimeSpan FetchTimeout { get; init; } = ServerLimits.ReleaseFetchTimeout;

    public TimeSpan StallTimeout { get; init; } = ServerLimits.ReleaseStallTimeout;

    public long ArchiveBytesMax { get; init; } = ServerLimits.ReleaseArchiveBytesMax;
}

/// <summary>Where releases are looked up and fetched: GitHub's releases API, or anything that answers like it.</summary>
/// <remarks>Proxies are those of the environment. Encrypted, but for a server on this machine; redirects as well.</remarks>
public sealed class ReleaseServer : IDisposable
{
    /// <summary>Names another address.</summary>
    public const string AddressVariable = "EVENTDBX_RELEASES_URL";

    /// <summary>Unless a variable says otherwise.</summary>
    public const string DefaultAddress = "https://api.github.com/repos/eventdbx/eventdbx-dotnet/releases";

    const int PageMax = 100;

    readonly string _address;
    readonly TimeProvider _clock;
    readonly ReleaseBounds _bounds;
    readonly HttpClient _client;

    /// <param name="address">Of the list of releases; <c>/latest</c> and <c>/tags/TAG</c> are below it.</param>
    /// <param name="version">Of this program, for whoever keeps the statistics there.</param>
    /// <param name="clock">Time-outs.</param>
    /// <param name="bounds">Null: those of <see cref="ServerLimits"/>.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: it is not to be asked.</exception>
    public ReleaseServer(string address, string version, TimeProvider clock, ReleaseBounds? bounds = null)
    {
        if (!Uri.TryCreate(address.Trim(), UriKind.Absolute, out var parsed) || parsed.Query.Length > 0 || parsed.Fragment.Length > 0)
            throw Refused($"\"{(parsed is null ? Rest.Shown.Of(address) : Shown(parsed))}\" is no address of releases: https://HOST/PATH, or http:// on this machine ({AddressVariable}).");
        Check(parsed);
        (_address, _clock, _bounds) = (parsed.AbsoluteUri.TrimEnd('/'), clock, bounds ?? new());
        // Redirects are followed here, each held against the same rules. No proxy leads to this machine.
        _client = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = !parsed.IsLoopback }) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", $"eventdbx-cli/{version}");
    }

    /// <summary>The newest release that is neither a draft nor a candidate.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>: there is none.</exception>
    /// <exception cref="IOException">The address did not answer, or not like this.</exception>
    public async Task<ListedRelease> FindLatestAsync(CancellationToken cancellation)
    {
        var latest = await LookUpAsync($"{_address}/latest", cancellation).ConfigureAwait(false) ?? throw new RefusedException(RefusalCode.NotFound, $"There is no release at {_address}.");
        // Whoever publishes one can mark it wrongly, and everybody would take it.
        if (latest.Draft || latest.Prerelease || (ReleaseVersion.TryParse(latest.Tag, out var version) && version.IsCandidate))
            throw new RefusedException(RefusalCode.NotFound, $"The newest release at {_address} is said to be {Rest.Shown.Of(latest.Tag)}, which is a candidate or a draft. `dbx upgrade list` shows what there is; a candidate is installed by its name.");
        return latest;
    }

    /// <summary>The release of a version.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>: there is none.</exception>
    /// <exception cref="IOException">The address did not answer, or not like this.</exception>
    public async Task<ListedRelease> FindAsync(ReleaseVersion version, CancellationToken cancellation) =>
        await LookUpAsync($"{_address}/tags/{version.Tag}", cancellation).ConfigureAwait(false)
        ?? throw new RefusedException(RefusalCode.NotFound, $"There is no release {version.Tag} at {_address}; `dbx upgrade list` shows those that there are.");

    /// <summary>Releases, newest first; so many at most.</summary>
    /// <exception cref="IOException">The address did not answer, or not like this.</exception>
    public async Task<IReadOnlyList<ListedRelease>> ListAsync(int limit, CancellationToken cancellation)
    {
        List<ListedRelease> found = [];
        var size = Math.Min(limit, PageMax);
        for (var page = 1; found.Count < limit; page++)
        {
            Uri address = new(string.Create(CultureInfo.InvariantCulture, $"{_address}?per_page={size}&page={page}"));
            using var json = await JsonAsync(address, cancellation).ConfigureAwait(false);
            if (json is null)
                break;
            if (json.RootElement.ValueKind != JsonValueKind.Array)
                throw NotLikeThis(address, "it is no list");
            foreach (var one in json.RootElement.EnumerateArray().Take(limit - found.Count))
                found.Add(Read(one, address));
            if (json.RootElement.GetArrayLength() < size)
                break;
        }

        return found;
    }

    /// <summary>A small file.</summary>
    /// <exception cref="IOException">It cannot be fetched, or is larger.</exception>
    public async Task<byte[]> FetchAsync(Uri address, int bytesMax, CancellationToken cancellation)
    {
        using var late = new Deadline(_bounds.LookupTimeout, _bounds.StallTimeout, _clock, cancellation);
        return await late.RunAsync(Shown(address), async () =>
        {
            using var answer = await GetAsync(address, late).ConfigureAwait(false);
            Demand(answer, address);
            return await BytesAsync(answer, address, bytesMax, late).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    /// <summary>An archive, into a new file.</summary>
    /// <param name="address">Of the archive.</param>
    /// <param name="path">Of the file.</param>
    /// <param name="progress">Told how many bytes there are.</param>
    /// <param name="cancellation">Leaves what is there then.</param>
    /// <returns>Its SHA-256 in small hex.</returns>
    /// <exception cref="IOException">It cannot be fetched, or is larger than an archive may be.</exception>
    public async Task<string> FetchAsync(Uri address, string path, IProgress<(long Bytes, long? InAll)>? progress, CancellationToken cancellation)
    {
        using var late = new Deadline(_bounds.FetchTimeout, _bounds.StallTimeout, _clock, cancellation);
        return await late.RunAsync(Shown(address), async () =>
        {
            using var answer = await GetAsync(address, late).ConfigureAwait(false);
            Demand(answer, address);
            return await CopyAsync(answer, address, path, progress, late).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    public void Dispose() => _client.Dispose();

    async Task<ListedRelease?> LookUpAsync(string at, CancellationToken cancellation)
    {
        Uri address = new(at);
        using var json = await JsonAsync(address, cancellation).ConfigureAwait(false);
        return json is null ? null : Read(json.RootElement, address);
    }

    /// <summary>Null: there is no such thing.</summary>
    async Task<JsonDocument?> JsonAsync(Uri address, CancellationToken cancellation)
    {
        using var late = new Deadline(_bounds.LookupTimeout, _bounds.StallTimeout, _clock, cancellation);
        var bytes = await late.RunAsync(Shown(address), async () =>
        {
            using var answer = await GetAsync(address, late).ConfigureAwait(false);
            if (answer.StatusCode == HttpStatusCode.NotFound)
                return null;
            Demand(answer, address);
            return await BytesAsync(answer, address, ServerLimits.ReleaseAnswerBytesMax, late).ConfigureAwait(false);
        }).ConfigureAwait(false);
        try
        {
            return bytes is null ? null : JsonDocument.Parse(bytes);
        }
        catch (JsonException)
        {
            throw NotLikeThis(address, "it is no JSON");
        }
    }

    async Task<HttpResponseMessage> GetAsync(Uri address, Deadline late)
    {
        for (var redirects = 0; ; redirects++)
        {
            Check(address);
            late.Moved();
            var answer = await _client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, late.Token).ConfigureAwait(false);
            if (answer.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
                return answer;
            var location = answer.Headers.Location;
            answer.Dispose();
            Uri? next = null;
            if (location is not null && !Uri.TryCreate(address, location, out next))
                throw NotLikeThis(address, $"it sends on to \"{Rest.Shown.Of(location.OriginalString)}\", which is no address");
            if (next is null || redirects == ServerLimits.PluginFetchRedirectsMax)
                throw new IOException($"{Shown(address)} sends on {(next is null ? "to nowhere" : "and on")}.");
            address = next;
        }
    }

    static async Task<byte[]> BytesAsync(HttpResponseMessage answer, Uri address, int bytesMax, Deadline late)
    {
        using var bytes = new MemoryStream();
        await CopyAsync(answer, address, bytesMax, (part, _) =>
        {
            bytes.Write(part.Span);
            return ValueTask.CompletedTask;
        }, late).ConfigureAwait(false);
        return bytes.ToArray();
    }

    async Task<string> CopyAsync(HttpResponseMessage answer, Uri address, string path, IProgress<(long, long?)>? progress, Deadline late)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = DurableFile.Mode;
        var file = new FileStream(path, options);
        await using (file.ConfigureAwait(false))
        {
            await CopyAsync(answer, address, _bounds.ArchiveBytesMax, async (part, sofar) =>
            {
                hash.AppendData(part.Span);
                await file.WriteAsync(part, late.Token).ConfigureAwait(false);
                progress?.Report((sofar, answer.Content.Headers.ContentLength));
            }, late).ConfigureAwait(false);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    static async Task CopyAsync(HttpResponseMessage answer, Uri address, long bytesMax, Func<ReadOnlyMemory<byte>, long, ValueTask> take, Deadline late)
    {
        if (answer.Content.Headers.ContentLength > bytesMax)
            throw TooLarge(address, bytesMax);
        var body = await answer.Content.ReadAsStreamAsync(late.Token).ConfigureAwait(false);
        var buffer = ArrayPool<byte>.Shared.Rent(128 * 1024);
        try
        {
            for (long bytes = 0; ;)
            {
                late.Moved();
                var read = await body.ReadAsync(buffer, late.Token).ConfigureAwait(false);
                if (read == 0)
                    return;
                if ((bytes += read) > bytesMax)
                    throw TooLarge(address, bytesMax);
                await take(buffer.AsMemory(0, read), bytes).ConfigureAwait(false);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            await body.DisposeAsync().ConfigureAwait(false);
        }
    }

    static void Check(Uri address)
    {
        if (address.UserInfo.Length > 0)
            throw Refused($"An address with a name or password in it is not asked for releases: {Shown(address)}.");
        if (address.Scheme != "https" && !(address.Scheme == "http" && address.IsLoopback))
            throw Refused($"{Shown(address)} is not asked for releases: https is, and http on this machine.");
    }

    static void Demand(HttpResponseMessage answer, Uri address)
    {
        if (!answer.IsSuccessStatusCode)
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{Shown(address)} answers {(int)answer.StatusCode}{(answer.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.TooManyRequests ? "; it may have been asked too often" : "")}."));
    }

    static ListedRelease Read(JsonElement json, Uri address)
    {
        try
        {
            return ListedRelease.Read(json);
        }
        catch (FormatException wrong)
        {
            throw NotLikeThis(address, wrong.Message);
        }
        catch (InvalidOperationException)
        {
            // Such as "\ud800": JSON all the same.
            throw NotLikeThis(address, "it has a string that is no Unicode");
        }
    }

    static string Shown(Uri address) => address.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);

    static IOException NotLikeThis(Uri address, string why) => new($"{Shown(address)} does not answer like an address of releases: {why}.");

    static IOException TooLarge(Uri address, long bytesMax) => new(string.Create(CultureInfo.InvariantCulture, $"{Shown(address)} has more than {bytesMax} bytes, which nothing of a release has."));

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, message);

    /// <summary>A time for all of it, and one in which nothing comes.</summary>
    sealed class Deadline : IDisposable
    {
        readonly CancellationToken _asked;
        readonly TimeSpan _stall;
        readonly CancellationTokenSource _late, _stalled, _any;

        public Deadline(TimeSpan all, TimeSpan stall, TimeProvider clock, CancellationToken asked)
        {
            (_asked, _stall) = (asked, stall);
            (_late, _stalled) = (new(all, clock), new(stall, clock));
            _any = CancellationTokenSource.CreateLinkedTokenSource(asked, _late.Token, _stalled.Token);
        }

        public CancellationToken Token => _any.Token;

        /// <summary>Something came.</summary>
        public void Moved() => _stalled.CancelAfter(_stall);

        public async Task<T> RunAsync<T>(string address, Func<Task<T>> act)
        {
            try
            {
                return await act().ConfigureAwait(false);
            }
            catch (Exception cause) when (_any.IsCancellationRequested && !_asked.IsCancellationRequested && cause is (OperationCanceledException or HttpRequestException or IOException))
            {
                throw new IOException($"{address} does not answer in time.", cause);
            }
            catch (Exception cause) when (cause is HttpRequestException or HttpIOException)
            {
                throw new IOException($"{address} cannot be fetched: {cause.Message}", cause);
            }
        }

        public void Dispose()
        {
            _any.Dispose();
            _stalled.Dispose();
            _late.Dispose();
        }
    }
}
