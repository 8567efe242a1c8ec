using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tls;

namespace EventDbx.Server.Health;

/// <summary>Who on this machine can read or change the files of an installation. Looks at owners and modes; opens nothing.</summary>
public static class FileCheck
{
    const string Check = "files";

    const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;
    const UnixFileMode OthersRead = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    const UnixFileMode OthersEnter = UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Keys that hold the path of a file with a secret in it. One that this version does not have is not looked for.</summary>
    static readonly string[] SecretFileKeys = ["data_encryption_key_file", "tls.key_file"];

    /// <param name="findings">Receives what is found.</param>
    /// <param name="file">The configuration.</param>
    /// <param name="logs">The directory of the server's log.</param>
    public static void Look(Findings findings, ConfigFile file, string logs)
    {
        if (OperatingSystem.IsWindows())
        {
            findings.Ok(Check, "Owners and modes are not looked at on this system.");
            return;
        }

        var before = findings.All.Count;
        var directory = Path.GetFullPath(file.Config.DataDir);
        if (Directory.Exists(directory))
            LookAtDirectory(findings, directory);
        // Nobody reads a file in a directory that they cannot enter.
        var closed = Directory.Exists(directory) && (File.GetUnixFileMode(directory) & OthersEnter) == 0;
        if (file.Exists)
            LookAtFile(findings, file.Path, secret: true, closed && IsIn(file.Path, directory));
        foreach (var path in Directory.Exists(directory) ? Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal).ToList() : [])
        {
            // A certificate is there to be shown; what the lock file says, `dbx status` says too.
            if (path != file.Path && Path.GetFileName(path) is var name && name != TlsFiles.OwnCertificateName && !name.EndsWith(".pub", StringComparison.Ordinal))
                LookAtFile(findings, path, secret: name is not ("schemas.json" or "watermark" or "LOCK" or "lock") && !name.EndsWith(".lock", StringComparison.Ordinal), closed);
        }

        foreach (var path in SecretFiles(file, directory).Append(Replication.NodeIdentity.PathOf(file.Config)))
        {
            if (!IsIn(path, directory) && File.Exists(path))
                LookAtFile(findings, path, secret: true, closed: false);
        }

        foreach (var path in Directory.Exists(logs) ? Directory.EnumerateFiles(logs).Order(StringComparer.Ordinal).ToList() : [])
            LookAtFile(findings, path, secret: false, closed && IsIn(path, directory));
        if (findings.All.Count == before)
            findings.Ok(Check, $"Only their owner reads and writes {file.Path} and the files in {directory}.");
    }

    static IEnumerable<string> SecretFiles(ConfigFile file, string directory) =>
        from name in SecretFileKeys
        let path = ConfigKeys.All.FirstOrDefault(key => key.Name == name)?.Get(file.Config) as string
        where path is not null
        select Path.GetFullPath(path, Path.GetDirectoryName(file.Path) ?? directory);

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    static void LookAtDirectory(Findings findings, string path)
    {
        LookAtOwner(findings, path);
        var mode = File.GetUnixFileMode(path);
        if ((mode & OthersWrite) != 0)
            findings.Problem(Check, $"Others may put files into {path}, or take them out (mode {Octal(mode)}).", $"chmod 700 {path}");
        else if ((mode & (OthersRead | OthersEnter)) != 0)
            findings.Warn(Check, $"Others may look into {path} (mode {Octal(mode)}).", $"chmod 700 {path}");
    }

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    static void LookAtFile(Findings findings, string path, bool secret, bool closed)
    {
        try
        {
            LookAtOwner(findings, path);
            var mode = File.GetUnixFileMode(path);
            if ((mode & OthersWrite) != 0)
                Add(findings, closed, $"Others may change {path} (mode {Octal(mode)}).", $"chmod 600 {path}");
            else if ((mode & OthersRead) != 0)
                Add(findings, closed || !secret, $"Others may read {path} (mode {Octal(mode)}).", $"chmod 600 {path}");
        }
        catch (Exception gone) when (gone is FileNotFoundException or DirectoryNotFoundException)
        {
            // It was one that comes and goes.
        }
    }

    static void Add(Findings findings, bool mild, string found, string advice)
    {
        if (mild)
            findings.Warn(Check, found, advice);
        else
            findings.Problem(Check, found, advice);
    }

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    static void LookAtOwner(Findings findings, string path)
    {
        if (Posix.OwnerOf(path) is { } owner && owner != Posix.UserId && owner != 0)
            findings.Problem(Check, FormattableString.Invariant($"{path} belongs to another user (uid {owner})."), $"Run dbx as that user, or give it to this one: chown {Environment.UserName} {path}");
    }

    static bool IsIn(string path, string directory) => path.StartsWith(Path.TrimEndingDirectorySeparator(directory) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    static string Octal(UnixFileMode mode) => Convert.ToString((int)mode, 8);
}
