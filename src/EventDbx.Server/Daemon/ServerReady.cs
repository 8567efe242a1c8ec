using System.Text.Json;
using System.Text.Json.Serialization;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Daemon;

/// <summary>What a server says once it answers requests: one line of JSON from the daemon to the process that started it.</summary>
/// <param name="Pid">Its process.</param>
/// <param name="Port">The port it really listens on.</param>
/// <param name="StartedAt">RFC 3339, UTC.</param>
/// <param name="Restriction">In force.</param>
/// <param name="DataDir">Absolute.</param>
/// <param name="LogFile">Where its log lies.</param>
/// <param name="Notices">What whoever starts it should know, a sentence or two each.</param>
/// <param name="Certificate">The file of its TLS certificate; null: it does not speak TLS.</param>
/// <param name="Fingerprint">Of that certificate: <c>sha256:</c> and 64 hex digits.</param>
public sealed record ServerReady(
    int Pid, int Port, string StartedAt, string Restriction, string DataDir, string LogFile, IReadOnlyList<string> Notices,
    string? Certificate = null, string? Fingerprint = null)
{
    /// <summary>The published line.</summary>
    public string Text => FormattableString.Invariant(
        $"EventDBX server is running on port {Port} (pid {Pid}) since {StartedAt} (restrict={Restriction})");

    /// <summary>How clients come to trust its certificate; null where it speaks no TLS.</summary>
    public string? TlsText => Certificate is null ? null : $"TLS certificate {Certificate}, fingerprint {Fingerprint}";

    /// <summary>One line.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, ServerReadyJson.Default.ServerReady);

    /// <summary>Reads such a line; null when it is none.</summary>
    public static ServerReady? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, ServerReadyJson.Default.ServerReady);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    internal static ServerReady Of(ServerStatus status, string logFile, IReadOnlyList<string> notices) => new(
        status.Pid, status.Port, status.StartedAt.ToString(), ConfigKeys.NameOf(status.Restriction), status.DataDir, logFile, notices,
        status.Tls?.Certificate, status.Tls?.Fingerprint);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ServerReady))]
internal sealed partial class ServerReadyJson : JsonSerializerContext;
