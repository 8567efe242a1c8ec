using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EventDbx.Storage;

namespace EventDbx.Server.Daemon;

/// <summary>Where the socket of a data directory lies: <c>dbx.sock</c> in it, or elsewhere when that path is too long for a socket.</summary>
/// <remarks>A client does not work it out: the lock file of the directory says where its server listens.</remarks>
public static class SocketPlace
{
    /// <summary>Its name in the data directory.</summary>
    public const string FileName = "dbx.sock";

    const UnixFileMode Private = DurableFile.Mode | UnixFileMode.UserExecute;

    /// <summary>Bytes of a socket's path: what the system's address has room for, without the zero at its end.</summary>
    public static int BytesMax => OperatingSystem.IsMacOS() ? 103 : 107;

    /// <summary>The path for a data directory. A directory that is needed for it is made, and is this user's alone.</summary>
    /// <param name="dataDirectory">Absolute.</param>
    /// <param name="variable">The value of an environment variable; null when it is not set.</param>
    /// <exception cref="DaemonException">Somebody else has that directory, or put something else in its place.</exception>
    public static string For(string dataDirectory, Func<string, string?> variable)
    {
        var inside = Path.Combine(dataDirectory, FileName);
        if (Fits(inside) || OperatingSystem.IsWindows())
            return inside;

        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(dataDirectory)))[..16] + ".sock";
        if (variable("XDG_RUNTIME_DIR") is { } runtime && Path.IsPathFullyQualified(runtime) && Directory.Exists(runtime)
            && Path.Combine(runtime, "eventdbx") is var own && Fits(Path.Combine(own, name)))
        {
            return Path.Combine(Owned(own), name);
        }

        return Path.Combine(Owned(string.Create(CultureInfo.InvariantCulture, $"/tmp/eventdbx-{Posix.UserId}")), name);
    }

    static bool Fits(string path) => Encoding.UTF8.GetByteCount(path) <= BytesMax;

    /// <summary>The directory is there, is no link, belongs to this user, and nobody else gets in.</summary>
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    internal static string Owned(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory, Private);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            throw Refused(directory, refused.Message, refused);
        }

        // Once it is known to be ours, nobody can put another one in its place: /tmp is sticky, a runtime directory is its user's.
        if (!Posix.IsOwn(directory) || new DirectoryInfo(directory) is not { Exists: true, LinkTarget: null })
            throw Refused(directory, "it belongs to somebody else, or is a link.");

        File.SetUnixFileMode(directory, Private);
        return directory;
    }

    static DaemonException Refused(string directory, string why, Exception? cause = null) =>
        new($"The data directory's path is too long for a socket, and {directory}, where it would lie instead, cannot be used: {why}", cause);
}
