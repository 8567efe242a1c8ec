using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;

namespace EventDbx.Storage;

/// <summary>The few calls of the C library that .NET has no words for. Unix only.</summary>
[UnsupportedOSPlatform("windows")]
internal static partial class Libc
{
    const int ReadOnlyFlag = 0;
    const int ReadWriteFlag = 2;
    const int LockExclusiveNow = 2 | 4;
    const int Release = 8;
    const int NotSupportedForThisFile = 22; // EINVAL, the same number on Linux and macOS.

    static int CloseOnExec => OperatingSystem.IsMacOS() ? 0x1000000 : 0x80000;

    static int WouldBlock => OperatingSystem.IsMacOS() ? 35 : 11;

    /// <summary>Opens a file or directory that exists, without the advisory lock that .NET takes on every handle.</summary>
    /// <exception cref="IOException">It cannot be opened; the message names path and reason.</exception>
    public static SafeFileHandle Open(string path, bool writable)
    {
        var descriptor = open(path, (writable ? ReadWriteFlag : ReadOnlyFlag) | CloseOnExec);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw Failed("open", path);
    }

    /// <summary>Makes creations, renames and deletions in a directory durable.</summary>
    /// <exception cref="IOException">Whether they are is unknown; do not try again.</exception>
    public static void SyncDirectory(string path)
    {
        using var directory = Open(path, writable: false);
        if (fsync(directory) != 0 && Marshal.GetLastPInvokeError() != NotSupportedForThisFile)
            throw Failed("sync", path);
    }

    /// <summary>Takes the exclusive flock of an open file; false when another open file holds it.</summary>
    /// <exception cref="IOException">The file system has no locks.</exception>
    public static bool TryLock(SafeFileHandle file, string path)
    {
        if (flock(file, LockExclusiveNow) == 0)
            return true;
        return Marshal.GetLastPInvokeError() == WouldBlock ? false : throw Failed("lock", path);
    }

    /// <summary>
    /// Gives the lock back at once. Closing the file would not always do: a process that somebody starts at this moment holds
    /// a copy of it, and with it the lock, from its fork until its exec.
    /// </summary>
    public static void Unlock(SafeFileHandle file) => _ = flock(file, Release);

    static IOException Failed(string verb, string path)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"Cannot {verb} \"{path}\": {Marshal.GetPInvokeErrorMessage(error)} (error {error}).", new Win32Exception(error));
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int fsync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int flock(SafeFileHandle file, int operation);
}
