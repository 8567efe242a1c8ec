using System.Security.Cryptography;
using System.Text;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>A minimal Debian system in a directory, with the packages that were asked for and no others; commands run in it as its root.</summary>
/// <remarks>Where its packages come from is what this machine's own apt says. It is kept in artifacts/ for the next run, under its list of packages.</remarks>
internal sealed class MinimalSystem : IAsyncDisposable
{
    readonly string _root;
    readonly TemporaryDirectory? _outside;

    MinimalSystem(TemporaryDirectory? outside, string root) => (_outside, _root) = (outside, root);

    /// <summary>A path in it, as this machine sees it.</summary>
    public string this[string path] => _root + path;

    /// <summary>Makes one, or skips the test where that cannot be; in CI that is a failure, for a test that never runs is none.</summary>
    public static async Task<MinimalSystem> MakeAsync(IEnumerable<string> packages)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root", "a system in a directory needs root");
        Demand(Tools.Has("mmdebstrap") && Tools.Has("unshare"), "there is no mmdebstrap: tools/install-package-prerequisites.sh installs it");
        var list = string.Join(',', packages.Order(StringComparer.Ordinal));
        var name = (await File.ReadAllLinesAsync("/etc/os-release", TestContext.Current.CancellationToken))
            .Select(static line => line.Split('=')).First(static pair => pair[0] == "VERSION_CODENAME")[1].Trim('"');
        var cache = Path.Combine(Checkout.Root, "artifacts", "minimal", $"{name}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(list)))[..16]}.tar");
        if (!File.Exists(cache))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(cache)!);
            string[] sources = [.. new[] { "/etc/apt/sources.list" }.Where(File.Exists), .. Directory.GetFiles("/etc/apt/sources.list.d", "*.sources"), .. Directory.GetFiles("/etc/apt/sources.list.d", "*.list")];
            var made = await Program.RunAsync("mmdebstrap", Checkout.Root, home: null, ["--variant=minbase", $"--include={list}", name, cache + ".new.tar", .. sources]);
            Demand(made.Code == ExitCode.Done, $"no minimal system could be made here: {made.Error}");
            File.Move(cache + ".new.tar", cache);
        }

        var outside = new TemporaryDirectory();
        var root = Directory.CreateDirectory(outside["root"]).FullName;
        var unpacked = await Program.RunAsync("tar", outside.Path, home: null, "-xpf", cache, "-C", root);
        Assert.True(unpacked.Code == ExitCode.Done, unpacked.Error);
        return new(outside, root);
    }

    /// <summary>A directory that is one already, such as an image unpacked; it stays where it is.</summary>
    public static MinimalSystem Of(string root)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.UserName == "root", "a system in a directory needs root");
        Demand(Tools.Has("unshare"), "there is no unshare: util-linux has it");
        return new(null, root);
    }

    static void Demand(bool possible, string why)
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI")))
            Assert.True(possible, why);
        Assert.SkipUnless(possible, why);
    }

    /// <summary>Runs a program of it, which has to do well; returns what it printed, errors too.</summary>
    public async Task<string> RunAsync(params string[] command)
    {
        var outcome = await TryAsync(command);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', command)}: {outcome.Code}\n{outcome.Out}{outcome.Error}");
        return outcome.Out + outcome.Error;
    }

    /// <summary>Runs a program of it.</summary>
    public Task<Outcome> TryAsync(params string[] command) => Program.RunAsync("/bin/sh", "/", home: null, ["-c", Enter(""), _root, .. command]);

    /// <summary>A script of this machine that runs the program in the system, for a home in it.</summary>
    public void Link(string script, string home, string program)
    {
        File.WriteAllText(script, $"#!/bin/sh\nset -- '{_root}' /bin/sh -c 'cd \"{home}\" && exec {program} \"$@\"' dbx \"$@\"\nexport HOME='{home}' PATH=/usr/sbin:/usr/bin:/sbin:/bin\nroot=$1; shift\nexec {Unshare} \"$root\" \"$@\"\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Its /proc and the devices that every system and container has are there for the process and what it starts, and gone with them.</summary>
    const string Unshare = """/usr/bin/unshare --mount --propagation private /bin/sh -c 'mkdir -p "$0/proc" && mount -t proc proc "$0/proc" && mkdir -p "$0/dev" && mount -t tmpfs -o mode=755 tmpfs "$0/dev" && mknod -m 666 "$0/dev/null" c 1 3 && mknod -m 666 "$0/dev/zero" c 1 5 && mknod -m 444 "$0/dev/urandom" c 1 9 && mknod -m 444 "$0/dev/random" c 1 8 && ln -s /proc/self/fd "$0/dev/fd" && exec /usr/sbin/chroot $EVENTDBX_CHROOT_USER "$0" "$@"'""";

    static string Enter(string user) => $"unset EVENTDBX_PORT; export EVENTDBX_CHROOT_USER={user} HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive; exec {Unshare} \"$0\" \"$@\"";

    /// <summary>Runs a program of it as another user, by number.</summary>
    public Task<Outcome> TryAsUserAsync(int user, string home, params string[] command) =>
        Program.RunAsync("/bin/sh", "/", home: null, ["-c", $"export EVENTDBX_CHROOT_USER=--userspec={user}:{user} HOME={home} PATH=/usr/bin; exec {Unshare} \"$0\" \"$@\"", _root, .. command]);

    /// <summary>The same, and it goes on.</summary>
    public Program BeginAsUser(int user, string home, params string[] command) =>
        Program.Begin("/bin/sh", "/", ["-c", $"export EVENTDBX_CHROOT_USER=--userspec={user}:{user} HOME={home} PATH=/usr/bin; exec {Unshare} \"$0\" \"$@\"", _root, .. command]);

    public async ValueTask DisposeAsync()
    {
        // What it left running would keep its files.
        await Program.RunAsync("/bin/sh", "/", home: null, "-c", "for process in /proc/[0-9]*; do [ \"$(readlink $process/root)\" != \"$0\" ] || kill -9 ${process#/proc/}; done", _root);
        _outside?.Dispose();
    }
}
