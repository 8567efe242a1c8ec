using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Checkpoints;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Tests.Upgrades;

/// <summary>An answer of the stand.</summary>
internal sealed record StandAnswer(int Status, byte[] Body)
{
    /// <summary>Where it sends on.</summary>
    public string? Location { get; init; }

    /// <summary>Bytes that it says and does not send: then it ends, or says nothing more.</summary>
    public int Withheld { get; init; }

    /// <summary>It does not say how many bytes it sends.</summary>
    public bool SaysNoLength { get; init; }

    /// <summary>It neither sends the rest nor ends, until the stand does.</summary>
    public bool Stalls { get; init; }
}

/// <summary>A server of releases on this machine, with real sockets, which a test can make lie.</summary>
internal sealed class ReleaseStand : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _end = new();
    readonly Task _accepting;
    readonly SigningKey _key = SigningKey.Of("eventdbx-test", NoteAlgorithm.Signature, RandomNumberGenerator.GetBytes(NoteKey.KeyBytes));
    readonly Dictionary<string, Dictionary<string, byte[]>> _files = [];

    public ReleaseStand()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    string Base => FormattableString.Invariant($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public string Address => $"{Base}/releases";

    public string PublicKey => _key.Public.ToString();

    /// <summary>Newest first, as they are listed.</summary>
    public List<JsonObject> Releases { get; } = [];

    /// <summary>What was asked for: path and query, and by whom.</summary>
    public List<(string Target, string Agent)> Requests { get; } = [];

    /// <summary>Answers before everything else.</summary>
    public Func<string, StandAnswer?> Instead { get; set; } = static _ => null;

    /// <summary>The files of a release, to be changed by the test.</summary>
    public Dictionary<string, byte[]> FilesOf(string tag) => _files[tag];

    /// <summary>Adds a release as it should be, the newest.</summary>
    public void Add(string version, bool prerelease = false)
    {
        var name = UpgradePlan.ArchiveOf(Parsed(version));
        Dictionary<string, byte[]> files = new() { [name] = Archive(name[..^".tar.gz".Length], ("dbx", Program(version), true), ("librocksdb.so", "a library", false), ("completions/dbx.bash", "#", false)) };
        files[ReleaseChecksums.FileName] = Signed(version, files);
        Add(version, files, prerelease);
    }

    public void Add(string version, Dictionary<string, byte[]> files, bool prerelease = false)
    {
        var tag = $"v{version}";
        _files[tag] = files;
        Releases.Insert(0, new()
        {
            ["tag_name"] = tag, ["name"] = $"EventDBX {version}", ["published_at"] = "2026-01-02T03:04:05Z", ["draft"] = false, ["prerelease"] = prerelease, ["html_url"] = $"https://example.invalid/{tag}",
        });
    }

    /// <summary>A program that says its version and does nothing else.</summary>
    public static string Program(string version) => $"#!/bin/sh\necho \"eventdbx {version}\"\n";

    public static byte[] Archive(string folder, params (string Name, string Content, bool Executable)[] entries)
    {
        using var bytes = new MemoryStream();
        using (var zipped = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true))
        using (var tar = new TarWriter(zipped))
        {
            foreach (var (name, content, executable) in entries)
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{folder}/{name}")
                {
                    Mode = (UnixFileMode)(executable ? 0b111_101_101 : 0b110_100_100), DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)),
                });
            }
        }

        return bytes.ToArray();
    }

    /// <summary>The signed list of these files.</summary>
    public byte[] Signed(string version, Dictionary<string, byte[]> files, SigningKey? key = null)
    {
        var text = $"eventdbx v{version}\n" + string.Concat(files.Where(static file => file.Key != ReleaseChecksums.FileName)
            .Select(static file => $"{Convert.ToHexStringLower(SHA256.HashData(file.Value))}  {file.Key}\n"));
        return Encoding.UTF8.GetBytes(SignedNote.Of(text, [(key ?? _key).Sign("eventdbx-test", text)]).ToString());
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _key.Dispose();
        _end.Dispose();
    }

    static ReleaseVersion Parsed(string version) => ReleaseVersion.TryParse(version, out var parsed) ? parsed : throw new ArgumentException(version);

    StandAnswer Of(string target)
    {
        if (Instead(target) is { } other)
            return other;
        var (path, query) = target.Split('?') is [var plain, var rest] ? (plain, rest) : (target, "");
        if (path == "/releases")
        {
            var (size, page) = (Number("per_page"), Number("page"));
            return new(200, Json(new JsonArray([.. Releases.Skip((page - 1) * size).Take(size).Select(Listed)])));
        }

        var release = path == "/releases/latest" ? Releases.FirstOrDefault(static one => !one["prerelease"]!.GetValue<bool>())
            : Releases.FirstOrDefault(one => path == $"/releases/tags/{one["tag_name"]}");
        if (release is not null)
            return new(200, Json(Listed(release)));
        // As GitHub does it: a file is elsewhere.
        if (path.StartsWith("/files/", StringComparison.Ordinal))
            return new(302, []) { Location = path.Replace("/files/", "/elsewhere/", StringComparison.Ordinal) };
        return path.Split('/') is [_, "elsewhere", var tag, var name] && _files.TryGetValue(tag, out var files) && files.TryGetValue(name, out var file) ? new(200, file) : new(404, "{\"message\":\"Not Found\"}"u8.ToArray());

        int Number(string name) => int.Parse(query.Split('&').First(part => part.StartsWith(name + "=", StringComparison.Ordinal))[(name.Length + 1)..], System.Globalization.CultureInfo.InvariantCulture);
    }

    JsonObject Listed(JsonObject release)
    {
        var whole = (JsonObject)release.DeepClone();
        var tag = whole["tag_name"]!.GetValue<string>();
        whole["assets"] = new JsonArray([.. (_files.TryGetValue(tag, out var files) ? files.Keys.ToArray() : []).Select(name =>
            (JsonNode)new JsonObject { ["name"] = name, ["browser_download_url"] = $"{Base}/files/{tag}/{name}", ["size"] = 1 })]);
        return whole;
    }

    static byte[] Json(JsonNode node) => Encoding.UTF8.GetBytes(node.ToJsonString());

    async Task AcceptAsync()
    {
        List<Task> served = [];
        try
        {
            while (true)
                served.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(served);
        }
    }

    async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                using var reader = new StreamReader(client.GetStream(), Encoding.Latin1, leaveOpen: true);
                var first = (await reader.ReadLineAsync(_end.Token) ?? "").Split(' ');
                if (first.Length < 2)
                    return;
                var agent = "";
                while (await reader.ReadLineAsync(_end.Token) is { Length: > 0 } line)
                {
                    if (line.StartsWith("User-Agent: ", StringComparison.OrdinalIgnoreCase))
                        agent = line["User-Agent: ".Length..];
                }

                lock (Requests)
                    Requests.Add((first[1], agent));
                await SendAsync(client.GetStream(), Of(first[1]));
            }
            catch (Exception gone) when (gone is IOException or OperationCanceledException)
            {
                // Whoever asked has heard enough.
            }
        }
    }

    async Task SendAsync(NetworkStream stream, StandAnswer answer)
    {
        var head = FormattableString.Invariant($"HTTP/1.1 {answer.Status} X\r\nConnection: close\r\n") + (answer.SaysNoLength ? "" : FormattableString.Invariant($"Content-Length: {answer.Body.Length}\r\n")) + (answer.Location is { } location ? $"Location: {location}\r\n" : "") + "\r\n";
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head), _end.Token);
        await stream.WriteAsync(answer.Body.AsMemory(0, answer.Body.Length - answer.Withheld), _end.Token);
        if (answer.Stalls)
            await Task.Delay(Timeout.Infinite, _end.Token);
    }
}
