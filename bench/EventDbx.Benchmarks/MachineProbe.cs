using System.Runtime.InteropServices;

using Microsoft.Win32.SafeHandles;

namespace EventDbx.Benchmarks;

/// <summary>What a commit cannot be faster than: one small write and one <c>fdatasync</c>, alone on the disk.</summary>
internal static partial class MachineProbe
{
    const int WriteBytes = 512;

    public static void Run(Arguments arguments)
    {
        using var scratch = arguments.Scratch();
        Measure(scratch.Path, arguments.Int("count", 2000));
    }

    public static void Measure(string directory, int count)
    {
        var growing = Appending(Path.Combine(directory, "grows"), count);
        var preallocated = Preallocated(Path.Combine(directory, "stays"), count);
        Console.WriteLine($"fdatasync after {WriteBytes} B, file growing      {growing}");
        Console.WriteLine($"fdatasync after {WriteBytes} B, file preallocated {preallocated}");
    }

    static Latencies Appending(string path, int count)
    {
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        return Time(file, count);
    }

    static Latencies Preallocated(string path, int count)
    {
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        // Written, not only reserved: else the first sync of each block still changes the file's map.
        RandomAccess.Write(file, new byte[count * WriteBytes], 0);
        RandomAccess.FlushToDisk(file);
        return Time(file, count);
    }

    static Latencies Time(SafeFileHandle file, int count)
    {
        var block = new byte[WriteBytes];
        new Random(1).NextBytes(block);
        Latencies latencies = new();
        for (var i = 0; i < count; i++)
        {
            var startedAt = Stopwatch.GetTimestamp();
            RandomAccess.Write(file, block, (long)i * WriteBytes);
            Sync(file);
            latencies.Add(startedAt);
        }
        return latencies;
    }

    static void Sync(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
            RandomAccess.FlushToDisk(file);
        else if (fdatasync((int)file.DangerousGetHandle()) != 0)
            throw new IOException($"fdatasync: error {Marshal.GetLastPInvokeError()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(int file);
}
