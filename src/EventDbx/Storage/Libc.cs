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
    const int WorkingDirectory = -100;
    const int NoFollow = 0x100;
    const int OfDescriptor = 0x1000;
    const int StatBytes = 256;
    const uint StatInode = 0x100;
    const uint StatOwner = 8;
    const ulong MountRoot = 0x2000;
    const int WriteAndEnter = 2 | 1;
    const uint NoReplace = 1;
    const uint ExclusiveOnMacOS = 4;
    const int AlreadyThere = 17; // EEXIST, the same number on Linux and macOS.
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

    /// <summary>Gives a file another name that nothing has; false where something has it; null where that cannot be asked for here, or failed.</summary>
    public static bool? TryRename(string path, string free)
    {
        try
        {
            return Named(OperatingSystem.IsMacOS() ? renamex_np(path, free, ExclusiveOnMacOS) : renameat2(WorkingDirectory, path, WorkingDirectory, free, NoReplace));
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Gives a file a second name that nothing has; false where something has it; null where that cannot be, as on file systems without such names, or failed.</summary>
    public static bool? TryLink(string existing, string free) => Named(link(existing, free));

    static bool? Named(int result) => result == 0 ? true : Marshal.GetLastPInvokeError() == AlreadyThere ? false : null;

    /// <summary>Whether an empty file is no file at all but a pipe, a socket, or another thing without a place in it.</summary>
    public static bool IsSpecial(string path)
    {
        // Without waiting: whoever opens a pipe for reading waits for a writer.
        var descriptor = open(path, ReadOnlyFlag | CloseOnExec | DoNotWait);
        if (descriptor < 0)
            return true;
        using var file = new FileStream(new SafeFileHandle(descriptor, ownsHandle: true), FileAccess.Read, bufferSize: 0);
        return !file.CanSeek;
    }

    /// <summary>Whether something else is mounted at a path, so that it cannot be renamed. A link is judged itself. False where the system does not tell.</summary>
    public static unsafe bool IsMountPoint(string path)
    {
        var found = stackalloc byte[StatBytes];
        // stx_attributes at byte 8; those that the file system knows of at byte 56.
        return TryStat(WorkingDirectory, path, NoFollow, found) && (*(ulong*)(found + 8) & *(ulong*)(found + 56) & MountRoot) != 0;
    }

    /// <summary>Whether this process may change what is in a directory, and so take it to another one.</summary>
    public static bool MayChange(string directory) => access(directory, WriteAndEnter) == 0;

    /// <summary>Whether a path still leads to a file that is open. Where the system does not tell: whether it leads to any.</summary>
    public static unsafe bool IsAt(SafeFileHandle file, string path)
    {
        byte* open = stackalloc byte[StatBytes], named = stackalloc byte[StatBytes];
        if (!OperatingSystem.IsLinux() || !TryStat(file.DangerousGetHandle().ToInt32(), "", OfDescriptor, open))
            return File.Exists(path);
        // stx_ino at byte 32, the device behind the others at byte 136.
        return TryStat(WorkingDirectory, path, 0, named) && *(ulong*)(open + 32) == *(ulong*)(named + 32) && *(ulong*)(open + 136) == *(ulong*)(named + 136);
    }

    /// <summary>As whom this process acts.</summary>
    public static uint UserId => geteuid();

    /// <summary>The user id of a path's owner; null where there is nothing, or the system does not tell.</summary>
    /// <param name="path">What it is asked of.</param>
    /// <param name="follow">Whether a link is followed; else it is judged itself.</param>
    public static unsafe uint? OwnerOf(string path, bool follow)
    {
        var found = stackalloc byte[StatBytes];
        // stx_uid at byte 20.
        return TryStat(WorkingDirectory, path, follow ? 0 : NoFollow, found, StatOwner) ? *(uint*)(found + 20) : null;
    }

    /// <summary>Its struct has the same layout on every architecture of Linux; elsewhere there is none.</summary>
    static unsafe bool TryStat(int directory, string path, int flags, byte* found, uint wanted = StatInode)
    {
        try
        {
            return OperatingSystem.IsLinux() && statx(directory, path, flags, wanted, found) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    static int DoNotWait => OperatingSystem.IsMacOS() ? 0x4 : 0x800;

    static IOException Failed(string verb, string path)
    {
        var error = Marshal.GetLastPInvokeError();
        return new IOException($"Cannot {verb} \"{path}\": {Marshal.GetPInvokeErrorMessage(error)} (error {error}).", new Win32Exception(error));
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string existing, string path);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int directory, string path, int otherDirectory, string free, uint flags);

    [LibraryImport("libc", EntryPoint = "renamex_np", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renamex_np(string path, string free, uint flags);

    [LibraryImport("libc", EntryPoint = "access", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int access(string path, int mode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int statx(int directory, string path, int flags, uint mask, byte* found);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint geteuid();

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int fsync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int flock(SafeFileHandle file, int operation);
}
