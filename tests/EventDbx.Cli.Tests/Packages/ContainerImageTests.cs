using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>The container image, without an engine: every name is a hash that fits, and its root file system works.</summary>
[Collection(PackageTests.Name)]
public sealed class ContainerImageTests(PackageBuild packages)
{
    const int User = 10001;

    [Fact]
    public async Task It_is_an_OCI_archive_whose_hashes_fit_and_whose_file_system_serves_as_a_user()
    {
        await packages.DemandAsync("container");
        using var scratch = new TemporaryDirectory();
        var layout = Directory.CreateDirectory(scratch["layout"]).FullName;
        await TarFile.ExtractToDirectoryAsync(packages.Find("*.oci.tar"), layout, overwriteFiles: false, TestContext.Current.CancellationToken);

        foreach (var blob in Directory.GetFiles(Path.Combine(layout, "blobs", "sha256")))
            Assert.Equal(Path.GetFileName(blob), Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(blob, TestContext.Current.CancellationToken))));
        Assert.Equal("1.0.0", Json(Path.Combine(layout, "oci-layout")).GetProperty("imageLayoutVersion").GetString());
        var manifest = Blob(layout, Json(Path.Combine(layout, "index.json")).GetProperty("manifests")[0]);
        var image = Blob(layout, manifest.GetProperty("config"));
        var config = image.GetProperty("config");
        Assert.Equal($"{User}:{User}", config.GetProperty("User").GetString());
        Assert.Equal("""["/usr/bin/dbx"]""", config.GetProperty("Entrypoint").GetRawText());
        Assert.Equal("""{"/data":{}}""", config.GetProperty("Volumes").GetRawText());
        Assert.Equal(packages.Version, config.GetProperty("Labels").GetProperty("org.opencontainers.image.version").GetString());
        // By this `dbx upgrade` knows where it runs; not every engine leaves a mark of its own.
        Assert.Contains("DOTNET_RUNNING_IN_CONTAINER=true", config.GetProperty("Env").EnumerateArray().Select(static one => one.GetString()));
        // The other list of the same archive names the same.
        var docker = Json(Path.Combine(layout, "manifest.json"))[0];
        Assert.Equal("blobs/sha256/" + manifest.GetProperty("config").GetProperty("digest").GetString()!["sha256:".Length..], docker.GetProperty("Config").GetString());
        // Without a host it would be the name of an image in a registry, and somebody else's.
        Assert.Equal($"localhost/eventdbx:{packages.Version}", docker.GetProperty("RepoTags")[0].GetString());

        var root = Directory.CreateDirectory(scratch["root"]).FullName;
        foreach (var (layer, diff) in manifest.GetProperty("layers").EnumerateArray().Zip(image.GetProperty("rootfs").GetProperty("diff_ids").EnumerateArray()))
        {
            var path = PathOf(layout, layer);
            Assert.Equal(new FileInfo(path).Length, layer.GetProperty("size").GetInt64());
            await using var plain = new GZipStream(File.OpenRead(path), CompressionMode.Decompress);
            Assert.Equal(diff.GetString(), "sha256:" + Convert.ToHexStringLower(await SHA256.HashDataAsync(plain, TestContext.Current.CancellationToken)));
            var unpacked = await Program.RunAsync("tar", scratch.Path, home: null, "-xpzf", path, "-C", root);
            Assert.True(unpacked.Code == ExitCode.Done, unpacked.Error);
        }

        Assert.False(File.Exists(Path.Combine(root, "bin/sh")), "there is a shell");
        Assert.NotEmpty(Directory.GetFiles(root, "copyright", SearchOption.AllDirectories));
        await ServesAsync(MinimalSystem.Of(root));
    }

    /// <summary>Start, health, append, stop: as the image says, as its user.</summary>
    static async Task ServesAsync(MinimalSystem system)
    {
        await using var here = system;
        var port = FreePort.Take();
        using var server = system.BeginAsUser(User, "/data", "/usr/bin/dbx", "start", "--foreground", $"--port={port}", "--bind=127.0.0.1");
        using HttpClient client = new();
        while (true)
        {
            Assert.True(server.Runs, server.Runs ? "" : (await server.WaitAsync()).Error);
            try
            {
                Assert.Equal("""{"status":"ok"}""", await client.GetStringAsync(new Uri($"http://127.0.0.1:{port}/health"), TestContext.Current.CancellationToken));
                break;
            }
            catch (HttpRequestException)
            {
                // Not yet.
            }
        }

        var appended = await system.TryAsUserAsync(User, "/data", "/usr/bin/dbx", "aggregate", "apply", "order", "o-1", "order-paid", "--field", "method=card");
        var read = await system.TryAsUserAsync(User, "/data", "/usr/bin/dbx", "aggregate", "get", "order", "o-1");
        // TLS and hashes are OpenSSL's, which is loaded when it is first used.
        var restarted = await system.TryAsUserAsync(User, "/data", "/usr/bin/dbx", "verify", "--all");
        var stopped = await system.TryAsUserAsync(User, "/data", "/usr/bin/dbx", "stop");
        var end = await server.WaitAsync();

        Assert.True(appended.Code == ExitCode.Done, appended.Error);
        Assert.Contains("\"method\"", read.Out, StringComparison.Ordinal);
        Assert.StartsWith("verified 1 events", restarted.Out, StringComparison.Ordinal);
        Assert.True(stopped.Code == ExitCode.Done, stopped.Error);
        Assert.True(end.Code == ExitCode.Done, end.Error);
        // So the rest of the file system may be read-only.
        Assert.Empty(Directory.EnumerateFileSystemEntries(system["/tmp"]));
    }

    static JsonElement Json(string file) => JsonDocument.Parse(File.ReadAllBytes(file)).RootElement;

    static string PathOf(string layout, JsonElement descriptor) => Path.Combine(layout, "blobs", descriptor.GetProperty("digest").GetString()!.Replace(':', '/'));

    static JsonElement Blob(string layout, JsonElement descriptor)
    {
        var path = PathOf(layout, descriptor);
        Assert.Equal(new FileInfo(path).Length, descriptor.GetProperty("size").GetInt64());
        return Json(path);
    }
}
