using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Win32.SafeHandles;

namespace EventDbx.Storage;

/// <summary>Who holds a directory: the content of its lock file.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartedAt">When the lock was taken; RFC 3339, UTC.</param>
/// <param name="HeldBy">What the process is doing, for people: <c>server</c>, <c>dbx aggregate apply</c>.</param>
/// <param name="Socket">Where it listens for commands about the directory; null when it does not.</param>
public sealed record LockHolder(int Pid, string StartedAt, string HeldBy, string? Socket = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(LockHolder))]
internal sealed partial class LockHolderJson : JsonSerializerContext;

/// <summary>The exclusive lock of a data directory: the file <c>event_store.lock</c>, held open and locked by the kernel.</summary>
/// <remarks>
/// The lock is the kernel's, the content of the file is for people: after <c>kill -9</c> the lock is free at once, whatever
/// the file still says. The file stays when the lock is released. Only its holder may delete it, with the directory: whoever gets the lock of a file that has lost its name tries again.
/// </remarks>
internal sealed class DirectoryLock : IDisposable
{
    /// <summary>Name of the file in the data directory.</summary>
    public const string FileName = "event_store.lock";

    const int ContentBytesMax = 4096;
    static readonly TimeSpan Between = TimeSpan.FromMilliseconds(25);

    readonly SafeFileHandle _file;

    DirectoryLock(SafeFileHandle file) => _file = file;

    /// <summary>Takes the lock, or waits for it, or says who has it. When it says no, not a byte was changed.</summary>
    /// <param name="path">The lock file, in a directory that exists.</param>
    /// <param name="holder">What we are doing, for the next one who asks.</param>
    /// <param name="timeout">How long to wait for another holder; zero asks once. Blocks the calling thread.</param>
    /// <param name="time">The clock.</param>
    /// <param name="held">The lock; dispose it to release.</param>
    /// <param name="why">A full sentence naming the holder.</param>
    /// <param name="socket">Where we listen, for the next one who asks.</param>
    /// <exception cref="IOException">The file cannot be opened, or its file system has no locks.</exception>
    public static bool TryAcquire(
        string path, string holder, TimeSpan timeout, TimeProvider time,
        [NotNullWhen(true)] out DirectoryLock? held, [NotNullWhen(false)] out string? why, string? socket = null)
    {
        (held, why) = (null, null);
        var started = time.GetTimestamp();
        SafeFileHandle? file;
        while ((file = TryTake(path)) is null)
        {
            if (time.GetElapsedTime(started) >= timeout)
            {
                why = Explain(path);
                return false;
            }

            Wait(time);
        }

        held = new DirectoryLock(file);
        var since = time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        held.Say(JsonSerializer.SerializeToUtf8Bytes(new(Environment.ProcessId, since, holder, socket), LockHolderJson.Default.LockHolder));
        return true;
    }

    /// <summary>Who says to hold the lock, or null. Only a message: the process may be gone.</summary>
    public static LockHolder? ReadHolder(string path)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            // Not File.OpenHandle on Unix: it takes an advisory lock of its own, and is refused while the holder has it.
            using var file = OperatingSystem.IsWindows()
                ? File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete)
                : Libc.Open(path, writable: false);
            Span<byte> content = stackalloc byte[ContentBytesMax];
            // Whoever releases the lock leaves the file empty.
            return DurableFile.Fill(file, content, 0) is > 0 and var length
                ? JsonSerializer.Deserialize(content[..length], LockHolderJson.Default.LockHolder)
                : null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Who holds the lock now; null when nobody does.</summary>
    public static LockHolder? FindHolder(string path)
    {
        if (!File.Exists(path))
            return null;
        using (var free = TryTake(path))
        {
            if (free is not null)
                return null;
        }

        return ReadHolder(path) ?? new(0, "", "a process that does not say");
    }

    static string Explain(string path) => ReadHolder(path) is { } holder
        ? $"The data directory is in use by process {holder.Pid} ({holder.HeldBy}) since {holder.StartedAt}; its lock is \"{path}\"."
        : $"The data directory is in use by another process; its lock is \"{path}\".";

    /// <summary>The open, locked file, or null while somebody else has it.</summary>
    static SafeFileHandle? TryTake(string path) => OperatingSystem.IsWindows() ? TryTakeOnWindows(path) : TryTakeOnUnix(path);

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    static SafeFileHandle? TryTakeOnUnix(string path)
    {
        const int TriesMax = 100;
        for (var tries = 1; ; tries++)
        {
            CreateIfMissing(path);
            var file = Libc.Open(path, writable: true);
            try
            {
                if (!Libc.TryLock(file, path))
                {
                    file.Dispose();
                    return null;
                }

                // Whoever gave up a directory that it had made deleted the file that we were waiting for: the next one would lock another.
                // Where a file system has no lasting numbers for its files that cannot be told, and is not asked for ever.
                if (Libc.IsAt(file, path) || tries == TriesMax)
                    return file;
            }
            catch
            {
                file.Dispose();
                throw;
            }

            file.Dispose();
        }
    }

    /// <summary>Here the share mode is the lock: others may read who we are, and nobody may open for writing.</summary>
    static SafeFileHandle? TryTakeOnWindows(string path)
    {
        const int SharingViolation = unchecked((int)0x80070020);
        try
        {
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        }
        catch (IOException cause) when (cause.HResult == SharingViolation)
        {
            return null;
        }
    }

    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    static void CreateIfMissing(string path)
    {
        if (File.Exists(path))
            return;
        try
        {
            new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                Share = FileShare.ReadWrite,
                UnixCreateMode = DurableFile.Mode,
            }).Dispose();
        }
        catch (IOException) when (File.Exists(path))
        {
            // Somebody else was first; that is as good.
        }
    }

    static void Wait(TimeProvider time)
    {
        using var passed = new ManualResetEventSlim();
        using var timer = time.CreateTimer(static state => ((ManualResetEventSlim)state!).Set(), passed, Between, Timeout.InfiniteTimeSpan);
        passed.Wait();
    }

    void Say(ReadOnlySpan<byte> content)
    {
        try
        {
            RandomAccess.SetLength(_file, 0);
            RandomAccess.Write(_file, content, 0);
        }
        catch (IOException)
        {
            // The disk is full: the lock holds without a name on it.
        }
    }

    /// <summary>Releases the lock. The file stays, empty.</summary>
    public void Dispose()
    {
        if (_file.IsClosed)
            return;
        Say([]);
        if (!OperatingSystem.IsWindows())
            Libc.Unlock(_file);
        _file.Dispose();
    }
}
