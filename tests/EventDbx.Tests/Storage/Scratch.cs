using EventDbx.Storage;

namespace EventDbx.Tests.Storage;

/// <summary>A directory of its own, removed at the end.</summary>
internal sealed class Scratch : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("eventdbx-test-").FullName;

    public string At(string name) => Path.Combine(Root, name);

    public string Write(string name, ReadOnlySpan<byte> content)
    {
        var path = At(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
        return path;
    }

    public void FlipBit(string name, long byteIndex, int bit = 0)
    {
        using var file = File.OpenHandle(At(name), access: FileAccess.ReadWrite);
        Span<byte> one = stackalloc byte[1];
        RandomAccess.Read(file, one, byteIndex);
        one[0] ^= (byte)(1 << bit);
        RandomAccess.Write(file, one, byteIndex);
    }

    /// <summary>Names and contents of everything, to compare before and after.</summary>
    public string Fingerprint() => string.Join('\n', Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(file => $"{file} {Convert.ToHexString(Read(file))} {File.GetLastWriteTimeUtc(file).Ticks}"));

    static byte[] Read(string path)
    {
        // On Unix File takes an advisory lock to read, which a file locked by us refuses.
        using var file = OperatingSystem.IsWindows() ? File.OpenHandle(path, share: FileShare.ReadWrite) : Libc.Open(path, writable: false);
        var content = new byte[RandomAccess.GetLength(file)];
        DurableFile.Fill(file, content, 0);
        return content;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
