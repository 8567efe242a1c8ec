using System.Runtime.InteropServices;

namespace EventDbx.Benchmarks.Layout;

/// <summary>Makes the kernel forget a directory's files, and nobody else's.</summary>
internal static partial class PageCache
{
    const int DontNeed = 4;

    public static void Forget(string directory)
    {
        foreach (var path in Directory.EnumerateFiles(directory))
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(file);
            if (posix_fadvise((int)file.DangerousGetHandle(), 0, 0, DontNeed) != 0)
                throw new IOException($"{path} stays in the page cache.");
        }
    }

    [LibraryImport("libc")]
    private static partial int posix_fadvise(int file, long offset, long length, int advice);
}
