using EventDbx.Server.Configuration;
using EventDbx.Storage;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Admin;

/// <summary>The settings as the file has them now: for what takes effect while the server runs.</summary>
/// <remarks>
/// The file is read each time, and parsed when its bytes are others: times of files are too coarse to tell two changes in a row apart.
/// It has a few KiB, and is read for admin requests and twice a second. Thread-safe.
/// </remarks>
internal sealed class LiveSettings(ServerOptions options)
{
    readonly Lock _gate = new();
    byte[]? _content;
    ServerConfig? _config;
    string? _problem;

    /// <summary>Where they are kept; null where nobody keeps them.</summary>
    public ConfigFile? File => options.ConfigFile;

    /// <summary>The settings in force.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: the file cannot be read as it stands, so nobody knows what is in force.</exception>
    public ServerConfig Read() => TryRead() ?? throw new RefusedException(new Refusal(
        RefusalCode.Unavailable, "The configuration of the server cannot be read as it stands; the log of the server says why. Until it can, the Admin API lets nobody in.") { Final = true });

    /// <summary>The settings in force; null while the file cannot be read, which is logged once for each reason.</summary>
    public ServerConfig? TryRead()
    {
        if (File is null)
            return options.Config;
        lock (_gate)
        {
            try
            {
                var content = DurableFile.Read(File.Path, ServerLimits.ConfigBytesMax) ?? [];
                if (_content is not null && content.AsSpan().SequenceEqual(_content))
                    return _config;
                (_config, _content) = (null, content);
                _config = File.Reload().Config;
                _problem = null;
            }
            catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or ConfigException)
            {
                (_config, _content) = (null, unreadable is ConfigException ? _content : null);
                if (_problem != unreadable.Message)
                    options.Log?.Invoke(new(Timestamp.From(options.Clock.GetUtcNow()), LogLevel.Error, "admin", $"The configuration cannot be read, and the Admin API lets nobody in: {unreadable.Message}"));
                _problem = unreadable.Message;
            }

            return _config;
        }
    }
}
