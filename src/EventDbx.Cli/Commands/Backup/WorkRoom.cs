using System.Security.Cryptography;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Backup;

/// <summary>A directory for the moment, held by a lock in it: what a killed command leaves is told from what another is at work in, on whatever machine.</summary>
internal sealed class WorkRoom : IDisposable
{
    const string Prefix = ".dbx-backup-verify-";
    const string LockName = "lock";

    readonly string _path;
    readonly FileStream _lock;

    WorkRoom(string path, FileStream held) => (_path, _lock) = (path, held);

    /// <summary>Does not exist yet.</summary>
    public string Target => System.IO.Path.Combine(_path, "unpacked");

    /// <summary>Makes one, and removes those that nobody holds any more, as far as it may.</summary>
    /// <param name="directory">In which.</param>
    /// <exception cref="IOException">It cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The same.</exception>
    public static WorkRoom In(string directory)
    {
        if (Directory.Exists(directory))
        {
            foreach (var left in Directory.EnumerateDirectories(directory, Prefix + "*"))
                Sweep(left);
        }

        var path = System.IO.Path.Combine(directory, Prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)));
        PrivateDirectory.Create(path);
        return new(path, new(System.IO.Path.Combine(path, LockName), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None));
    }

    public void Dispose()
    {
        Remove(Target);
        _lock.Dispose();
        Remove(_path);
    }

    /// <summary>One without a lock is being made, or is none of ours; one that cannot be locked is in use, or another user's.</summary>
    static void Sweep(string path)
    {
        try
        {
            using (new FileStream(System.IO.Path.Combine(path, LockName), FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                Remove(System.IO.Path.Combine(path, "unpacked"));
            Remove(path);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // It is not in anybody's way.
        }
    }

    static void Remove(string path)
    {
        try
        {
            Directory.Delete(path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // It was not made, or another was quicker.
        }
    }
}
