using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using EventDbx.Storage;

namespace EventDbx.Server.Logs;

/// <summary>The file <c>eventdbx.log</c>: a new one each day (local time) and when it is full; so many older ones are kept.</summary>
/// <remarks>
/// The older ones are named after the time of their first line: <c>eventdbx_2025-01-31_00-00-00.log</c>, with <c>-1</c>, <c>-2</c> where
/// that is taken. A log that cannot be written fails nothing: that is said once, and tried again now and then.
/// </remarks>
internal sealed partial class LogFile(string directory, TimeProvider clock, Action<string> complain) : IDisposable
{
    public const string Name = "eventdbx.log";

    /// <summary>Bytes of one file: still opened by any editor.</summary>
    public const long BytesMaxDefault = 64 * 1024 * 1024;

    /// <summary>Older files that are kept: two weeks where they are small.</summary>
    public const int KeptMaxDefault = 14;

    /// <summary>Between two tries where the log cannot be written: a full disk must not cost every request an open.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    const string TimeForm = "yyyy-MM-dd_HH-mm-ss";

    readonly Lock _gate = new();
    FileStream? _stream;
    DateTimeOffset _began;
    long? _failedAt;
    bool _complained;

    public long BytesMax { get; init; } = BytesMaxDefault;

    public int KeptMax { get; init; } = KeptMaxDefault;

    string Current => Path.Combine(directory, Name);

    /// <param name="line">With its end.</param>
    public void Write(string line)
    {
        lock (_gate)
        {
            if (_failedAt is { } failed && clock.GetElapsedTime(failed) < Pause)
                return;
            try
            {
                var bytes = Encoding.UTF8.GetBytes(line);
                var stream = Ready(bytes.Length);
                stream.Write(bytes);
                stream.Flush();
                _failedAt = null;
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or NotSupportedException)
            {
                Fail(cause);
            }
        }
    }

    /// <summary>Whether a file is an older log of ours.</summary>
    public static bool IsOlder(string name) => OlderName().IsMatch(name);

    public void Dispose()
    {
        lock (_gate)
            Close();
    }

    FileStream Ready(int more)
    {
        var now = clock.GetLocalNow();
        if (_stream is { } open && (now.Date != _began.Date || (open.Length > 0 && open.Length + more > BytesMax)))
        {
            Close();
            MoveAway();
        }

        return _stream ??= Open(now);
    }

    FileStream Open(DateTimeOffset now)
    {
        PrivateDirectory.Create(directory);
        _began = now;
        var file = new FileInfo(Current);
        if (file.Exists && file.Length > 0)
        {
            _began = FirstLineOf(Current) ?? InZone(file.LastWriteTimeUtc);
            if (InZone(file.LastWriteTimeUtc).Date != now.Date)
            {
                MoveAway();
                _began = now;
            }
            else if (_began.Date != now.Date)
            {
                // Begun on another day and written to today, by a clock that was turned: it goes on.
                _began = now;
            }
        }

        var options = new FileStreamOptions
        {
            Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 0,
        };
        if (OperatingSystem.IsWindows())
            return new FileStream(Current, options);
        options.UnixCreateMode = DurableFile.Mode;
        var stream = new FileStream(Current, options);
        File.SetUnixFileMode(stream.SafeFileHandle, DurableFile.Mode);
        return stream;
    }

    void MoveAway()
    {
        var name = $"eventdbx_{_began.ToString(TimeForm, CultureInfo.InvariantCulture)}";
        for (var n = 0; ; n++)
        {
            var target = Path.Combine(directory, n == 0 ? $"{name}.log" : string.Create(CultureInfo.InvariantCulture, $"{name}-{n}.log"));
            if (Path.Exists(target))
                continue;
            File.Move(Current, target);
            break;
        }

        var older = new DirectoryInfo(directory).EnumerateFiles("eventdbx_*.log")
            .Where(file => IsOlder(file.Name))
            .OrderByDescending(file => file.Name[..("eventdbx_".Length + TimeForm.Length)], StringComparer.Ordinal)
            .ThenByDescending(NumberOf);
        foreach (var tooOld in older.Skip(KeptMax).ToList())
            tooOld.Delete();
    }

    void Fail(Exception cause)
    {
        _failedAt = clock.GetTimestamp();
        try
        {
            Close();
        }
        catch (IOException)
        {
            // The same trouble once more.
        }

        if (!_complained)
            complain($"The log {Current} cannot be written: {cause.Message} The server goes on without it.");
        _complained = true;
    }

    void Close()
    {
        var stream = _stream;
        _stream = null;
        stream?.Dispose();
    }

    DateTimeOffset? FirstLineOf(string path)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        var start = new char[24];
        return reader.ReadBlock(start) == start.Length
            && DateTimeOffset.TryParseExact(
                start, LogText.TimeForm, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
            ? TimeZoneInfo.ConvertTime(time, clock.LocalTimeZone)
            : null;
    }

    DateTimeOffset InZone(DateTime utc) => TimeZoneInfo.ConvertTime(new DateTimeOffset(utc, TimeSpan.Zero), clock.LocalTimeZone);

    static int NumberOf(FileInfo file) =>
        OlderName().Match(file.Name).Groups[1] is { Success: true, ValueSpan: var digits }
        && int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    [GeneratedRegex(@"^eventdbx_[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{2}-[0-9]{2}-[0-9]{2}(?:-([0-9]{1,9}))?\.log\z")]
    private static partial Regex OlderName();
}
