using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;

namespace EventDbx.Server.Daemon;

/// <summary>What the life of a process needs of the C library and .NET has no words for. Unix only.</summary>
[UnsupportedOSPlatform("windows")]
internal static partial class Posix
{
    const int SigTerm = 15;
    const int SigKill = 9;
    const int NoSuchProcess = 3; // ESRCH, the same number on Linux and macOS.
    const int ReadWrite = 2;
    const int SetDescriptorFlags = 2; // F_SETFD
    const int CloseOnExec = 1; // FD_CLOEXEC
    const nuint CloseOnExecRequest = 0x20006601; // FIOCLEX of macOS and the BSDs.
    const nuint UnreadBytesRequest = 0x541B; // FIONREAD of Linux.
    const uint Unchanged = uint.MaxValue;
    const int Descriptors = 7; // RLIMIT_NOFILE
    const int DescriptorsOfMac = 8; // The same of macOS and the BSDs.
    const short PollOut = 4;
    const short PollError = 8;
    const short PollHangUp = 16;
    const int WorkingDirectory = -100; // AT_FDCWD
    const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    const uint StatUser = 8; // STATX_UID
    const uint StatType = 1; // STATX_TYPE
    const ushort FileTypeMask = 0xF000; // S_IFMT
    const ushort RegularFile = 0x8000; // S_IFREG
    const int StatBytes = 256;
    const int FileSystemBytes = 256; // struct statvfs, with room to spare.
    const int ClockBytes = 512; // struct timex, the same.
    const int ClockError = 5; // TIME_ERROR
    const uint Exchange = 2; // RENAME_EXCHANGE
    const uint Swap = 2; // RENAME_SWAP of macOS.

    public static uint UserId => geteuid();

    /// <summary>Asks a process to end, or ends it; false when it is gone.</summary>
    /// <exception cref="IOException">It may not be signalled.</exception>
    public static bool Signal(int pid, bool force)
    {
        // 0 and below are whole groups of processes; 1 is the server in a container of its own.
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 1);
        if (kill(pid, force ? SigKill : SigTerm) == 0)
            return true;
        var error = Marshal.GetLastPInvokeError();
        return error == NoSuchProcess ? false : throw Failed($"signal process {pid}", error);
    }

    /// <summary>Asks all processes of a group to end, or ends them; false when there is none that can be.</summary>
    /// <param name="group">The id of the process that began it.</param>
    /// <param name="force">Ends them.</param>
    public static bool SignalGroup(int group, bool force)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(group, 2);
        return kill(-group, force ? SigKill : SigTerm) == 0;
    }

    /// <summary>Whether a group has a process yet.</summary>
    public static bool HasGroup(int group)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(group, 2);
        return kill(-group, 0) == 0;
    }

    /// <summary>How many descriptors this process may have open at once; null where the system does not say.</summary>
    public static long? DescriptorsMax()
    {
        var bounds = default(Bounds);
        if (getrlimit(OperatingSystem.IsMacOS() ? DescriptorsOfMac : Descriptors, ref bounds) != 0)
            return null;
        return bounds.Soft > long.MaxValue ? long.MaxValue : (long)bounds.Soft;
    }

    /// <summary>Lets this process have as many descriptors open as the system allows it: shells and services start with fewer.</summary>
    public static void RaiseDescriptors()
    {
        var bounds = default(Bounds);
        // A Mac allows fewer than it says.
        if (!OperatingSystem.IsLinux() || getrlimit(Descriptors, ref bounds) != 0 || bounds.Soft >= bounds.Hard)
            return;
        bounds.Soft = bounds.Hard;
        _ = setrlimit(Descriptors, ref bounds);
    }

    /// <summary>Leaves the terminal and its process group: neither its end nor its Ctrl-C reaches this process any more.</summary>
    /// <returns>False when this process leads a group already, as the first process of a container does.</returns>
    public static bool StartSession() => setsid() >= 0;

    /// <summary>Standard input, output and error lead nowhere from now on; whoever reads them finds their end.</summary>
    public static void CloseStandardStreams()
    {
        var nowhere = open("/dev/null", ReadWrite);
        if (nowhere < 0)
            throw Failed("open /dev/null", Marshal.GetLastPInvokeError());
        for (var standard = 0; standard <= 2; standard++)
        {
            if (dup2(nowhere, standard) < 0)
                throw Failed("redirect a standard stream", Marshal.GetLastPInvokeError());
        }

        if (nowhere > 2)
            _ = close(nowhere);
    }

    /// <summary>Keeps what this process has open, but for the standard streams, from the processes that it starts.</summary>
    /// <remarks>Its own is so already; this is about what it was given itself, such as the lock of a script that calls it.</remarks>
    public static void KeepDescriptorsToItself()
    {
        var directory = OperatingSystem.IsLinux() ? "/proc/self/fd" : "/dev/fd";
        if (!Directory.Exists(directory))
            return;
        // All names first: the one of the listing itself is gone by then, and it does not matter.
        foreach (var name in Directory.EnumerateFileSystemEntries(directory).Select(Path.GetFileName).ToList())
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var descriptor) || descriptor <= 2)
                continue;
            // fcntl takes a varying number of arguments, which are handed over in another way on a Mac; this request has none.
            _ = OperatingSystem.IsLinux() ? fcntl(descriptor, SetDescriptorFlags, CloseOnExec) : ioctl(descriptor, CloseOnExecRequest);
        }
    }

    /// <summary>Whether what is written to a pipe or socket arrives nowhere, because nobody has its other end any more.</summary>
    public static bool NobodyReads(int descriptor)
    {
        var asked = new PollDescriptor { Descriptor = descriptor, Events = PollOut };
        return poll(ref asked, 1, 0) > 0 && (asked.Happened & (PollError | PollHangUp)) != 0;
    }

    /// <summary>Bytes that were written to a pipe and not read yet; null where the system does not say.</summary>
    public static int? UnreadBytes(int descriptor)
    {
        // It takes a varying number of arguments, which are handed over in another way on a Mac.
        var bytes = 0;
        return OperatingSystem.IsLinux() && ioctl(descriptor, UnreadBytesRequest, ref bytes) == 0 ? bytes : null;
    }

    /// <summary>Whether a path is this user's; for root, it is from now on. A link is judged itself, not what it leads to.</summary>
    public static bool IsOwn(string path) => lchown(path, UserId, Unchanged) == 0;

    /// <summary>The user id of a path's owner; null where the system does not tell. A link is judged itself.</summary>
    public static unsafe uint? OwnerOf(string path)
    {
        // struct statx: its layout is the same on every architecture, stx_uid at byte 20. Elsewhere than on Linux there is none.
        if (!OperatingSystem.IsLinux())
            return null;
        var found = stackalloc byte[StatBytes];
        try
        {
            return statx(WorkingDirectory, path, NoFollow, StatUser, found) == 0 ? *(uint*)(found + 20) : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Whether a path leads to an ordinary file, links followed; null where the system does not tell.</summary>
    public static unsafe bool? IsRegularFile(string path)
    {
        if (!OperatingSystem.IsLinux())
            return null;
        try
        {
            // struct statx: stx_mode is 2 bytes at 28.
            var found = stackalloc byte[StatBytes];
            return statx(WorkingDirectory, path, 0, StatType, found) == 0 ? (*(ushort*)(found + 28) & FileTypeMask) == RegularFile : null;
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Files that a user without privileges may yet make on the file system of a path; null where the system does not tell, or the file system does not count them.</summary>
    public static unsafe long? FreeFiles(string path)
    {
        // struct statvfs of 64-bit Linux: eleven fields of 8 bytes, f_files the sixth, f_favail the eighth.
        if (!OperatingSystem.IsLinux() || !Environment.Is64BitProcess)
            return null;
        var found = stackalloc ulong[FileSystemBytes / sizeof(ulong)];
        return statvfs(path, found) == 0 && found[5] > 0 ? (long)Math.Min(found[7], long.MaxValue) : null;
    }

    /// <summary>Whether the kernel was told that something keeps the clock of this machine right; null where the system does not tell.</summary>
    public static unsafe bool? ClockIsKept()
    {
        if (!OperatingSystem.IsLinux())
            return null;
        // struct timex: the first field says what to change, and zero is nothing.
        var clock = stackalloc byte[ClockBytes];
        new Span<byte>(clock, ClockBytes).Clear();
        var state = adjtimex(clock);
        return state < 0 ? null : state != ClockError;
    }

    /// <summary>Lets two paths change places in one step; false where the system or file system cannot.</summary>
    public static bool TryExchange(string left, string right)
    {
        try
        {
            return OperatingSystem.IsMacOS() ? renamex_np(left, right, Swap) == 0 : renameat2(WorkingDirectory, left, WorkingDirectory, right, Exchange) == 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Gives a path another name, which a file or link that has it loses in the same step. A link is renamed itself, whatever it leads to.</summary>
    /// <exception cref="IOException">Nothing has changed.</exception>
    public static void Rename(string from, string to)
    {
        if (rename(from, to) != 0)
            throw Failed($"rename \"{from}\" to \"{to}\"", Marshal.GetLastPInvokeError());
    }

    static IOException Failed(string what, int error) =>
        new($"Cannot {what}: {Marshal.GetPInvokeErrorMessage(error)} (error {error}).", new Win32Exception(error));

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int getrlimit(int resource, ref Bounds bounds);

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int setrlimit(int resource, ref Bounds bounds);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "setsid", SetLastError = true)]
    private static partial int setsid();

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint geteuid();

    [LibraryImport("libc", EntryPoint = "dup2", SetLastError = true)]
    private static partial int dup2(int from, int to);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int poll(ref PollDescriptor descriptors, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int close(int descriptor);

    [LibraryImport("libc", EntryPoint = "fcntl")]
    private static partial int fcntl(int descriptor, int command, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int ioctl(int descriptor, nuint request);

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int ioctl(int descriptor, nuint request, ref int value);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint owner, uint group);

    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(int leftDirectory, string left, int rightDirectory, string right, uint flags);

    [LibraryImport("libc", EntryPoint = "renamex_np", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renamex_np(string left, string right, uint flags);

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int statvfs(string path, ulong* found);

    [LibraryImport("libc", EntryPoint = "adjtimex")]
    private static unsafe partial int adjtimex(byte* clock);

    /// <summary>Of a resource of a process.</summary>
    [StructLayout(LayoutKind.Sequential)]
    struct Bounds
    {
        public ulong Soft;
        public ulong Hard;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int statx(int directory, string path, int flags, uint mask, byte* found);

    [StructLayout(LayoutKind.Sequential)]
    struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Happened;
    }
}
