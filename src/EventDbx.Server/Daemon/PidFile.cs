using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using EventDbx.Storage;

namespace EventDbx.Server.Daemon;

/// <summary>What <c>eventdbx.pid</c> says: which process serves the data directory.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="StartedAt">When the server was ready; RFC 3339, UTC. Null where nothing says so.</param>
/// <param name="ProcessStart">See <see cref="ProcessIdentity.Start"/>; null where nothing says so.</param>
/// <param name="LogFile">Where it writes its log; null where nothing says so.</param>
public sealed record PidFile(int Pid, string? StartedAt, long? ProcessStart, string? LogFile = null)
{
    /// <summary>Its name in the data directory.</summary>
    public const string Name = "eventdbx.pid";

    const int BytesMax = 4096;

    /// <summary>When it started, as a time; null where nothing says so, or it is none.</summary>
    [JsonIgnore]
    public DateTimeOffset? Since =>
        DateTimeOffset.TryParse(StartedAt, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    [JsonIgnore]
    internal ProcessIdentity? Identity => ProcessStart is { } start ? new(Pid, start) : null;

    /// <summary>The file; null when there is none, or nothing in it that can be read.</summary>
    /// <exception cref="IOException">It cannot be read; names its path.</exception>
    public static PidFile? Read(string dataDirectory)
    {
        var path = PathIn(dataDirectory);
        byte[]? content;
        try
        {
            content = DurableFile.Read(path, BytesMax);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"The PID file {path} cannot be read: {unreadable.Message}", unreadable);
        }

        if (content is null)
            return null;
        // A number alone is the form of older programs.
        if (int.TryParse(Encoding.UTF8.GetString(content).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var pid))
            return new(pid, null, null);
        try
        {
            return JsonSerializer.Deserialize(content, PidFileJson.Default.PidFile);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Whether there is a file, whatever is in it, and it is more than blank.</summary>
    public static bool IsIn(string dataDirectory) => new FileInfo(PathIn(dataDirectory)) is { Exists: true, Length: > 0 };

    /// <summary>Written by the server itself, which has the directory's lock.</summary>
    public void Write(string dataDirectory) =>
        DurableFile.Write(PathIn(dataDirectory), JsonSerializer.SerializeToUtf8Bytes(this, PidFileJson.Default.PidFile));

    /// <summary>Removes it, whoever it names; false when there was none.</summary>
    public static bool Remove(string dataDirectory) => DurableFile.Delete(PathIn(dataDirectory));

    /// <summary>Removes it where it is still this one: the next server may have written its own by now.</summary>
    public void RemoveOwn(string dataDirectory)
    {
        if (Read(dataDirectory) == this)
            Remove(dataDirectory);
    }

    static string PathIn(string dataDirectory) => Path.Combine(dataDirectory, Name);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PidFile))]
internal sealed partial class PidFileJson : JsonSerializerContext;
