using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Replication.Following;

namespace EventDbx.Server;

/// <summary>Who can reach the TCP listener, and whether others can read along.</summary>
public enum Exposure
{
    /// <summary>Only this machine.</summary>
    Loopback,

    /// <summary>Other machines, in clear text: tokens and payloads can be read on the way.</summary>
    Plaintext,

    /// <summary>Other machines, by TLS.</summary>
    Tls,
}

/// <summary>The certificate of a server that speaks TLS.</summary>
/// <param name="Certificate">Its file, absolute.</param>
/// <param name="Fingerprint">Of the certificate: <c>sha256:</c> and 64 hex digits.</param>
/// <param name="NotAfter">When it expires.</param>
/// <param name="SelfSigned">Whether it was made here: clients trust it by its file or its fingerprint only.</param>
/// <param name="ClientCertificates">Whether clients have to show one, too.</param>
public sealed record TlsStatus(string Certificate, string Fingerprint, Timestamp NotAfter, bool SelfSigned, bool ClientCertificates);

/// <summary>The newest checkpoint of a server.</summary>
public sealed record CheckpointStatus
{
    /// <summary>Entries of the log that it covers.</summary>
    public required ulong Size { get; init; }

    /// <summary>What it calls the log.</summary>
    public required string Origin { get; init; }

    /// <summary>When it was signed.</summary>
    public required Timestamp At { get; init; }

    /// <summary>How many of the configured witnesses have cosigned it.</summary>
    public required int Cosigned { get; init; }

    /// <summary>How many are configured.</summary>
    public required int Witnesses { get; init; }

    /// <summary>Those of them that do not cosign, and why; empty while all do.</summary>
    public IReadOnlyList<WitnessTrouble> Troubles { get; init; } = [];
}

/// <summary>Why a witness does not cosign.</summary>
/// <param name="Name">Of its key; empty for what is about all of them.</param>
/// <param name="Problem">For the end of a sentence.</param>
/// <param name="Contradicts">Whether it has cosigned another history than the one that is here: somebody has to look.</param>
public sealed record WitnessTrouble(string Name, string Problem, bool Contradicts)
{
    /// <summary>As people read it.</summary>
    public override string ToString() => Name.Length == 0 ? Problem : $"{Name} {(Contradicts ? "contradicts this log" : "has not cosigned")}: {Problem}";
}

/// <summary>What a running server is: the answer to <c>GET /admin/status</c>, and what <c>dbx status</c> prints.</summary>
public sealed record ServerStatus
{
    public required string Version { get; init; }

    public required int Pid { get; init; }

    /// <summary>Every address it listens on: <c>http://0.0.0.0:7070</c> or <c>https://0.0.0.0:7070</c>, <c>tcp://0.0.0.0:6363</c> for replication, <c>unix:/var/lib/eventdbx/dbx.sock</c>.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>Those of <see cref="Addresses"/> where peers of other machines come to; <see cref="Exposure"/> says nothing of them: they are never clear text.</summary>
    public IReadOnlyList<string> ReplicationForOthers =>
        [.. Addresses.Where(static one => one.StartsWith("tcp://", StringComparison.Ordinal) && System.Net.IPEndPoint.TryParse(one.AsSpan("tcp://".Length), out var place) && !System.Net.IPAddress.IsLoopback(place.Address))];

    /// <summary>Of the TCP listener.</summary>
    public required int Port { get; init; }

    public required Exposure Exposure { get; init; }

    /// <summary>The certificate of the TCP listener; null: it does not speak TLS.</summary>
    public TlsStatus? Tls { get; init; }

    public required Timestamp StartedAt { get; init; }

    public required TimeSpan Uptime { get; init; }

    public required Restriction Restriction { get; init; }

    public required Durability Durability { get; init; }

    /// <summary>Whether the store is encrypted.</summary>
    public required bool Encryption { get; init; }

    /// <summary>Absolute.</summary>
    public required string DataDir { get; init; }

    public required Guid DatabaseId { get; init; }

    public required uint Epoch { get; init; }

    /// <summary>Entries in the log that are on disk for good.</summary>
    public required ulong LogSize { get; init; }

    /// <summary>64 hex digits: root of the log tree over them.</summary>
    public required string LogRoot { get; init; }

    /// <summary>Open right now, on all listeners.</summary>
    public required int Connections { get; init; }

    /// <summary>What is wrong, in a sentence; null while all is well.</summary>
    public string? Unhealthy { get; init; }

    /// <summary>The origin that is configured, where checkpoints of this epoch have another one: it takes effect with the next. Null mostly.</summary>
    public string? LogOriginWaiting { get; init; }

    /// <summary>The newest checkpoint; null while none has been signed.</summary>
    public CheckpointStatus? Checkpoint { get; init; }

    /// <summary>Whom it follows, and how that stands; null where it is no mirror.</summary>
    public FollowerStatus? Follows { get; init; }

    /// <summary>Writes it as a JSON object.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("version", Version);
        json.WriteNumber("pid", Pid);
        json.WriteStartArray("addresses");
        foreach (var address in Addresses)
            json.WriteStringValue(address);
        json.WriteEndArray();
        json.WriteNumber("port", Port);
        json.WriteString("exposure", NameOf(Exposure));
        WriteTls(json, Tls);
        json.WriteString("started_at", StartedAt.ToString());
        json.WriteNumber("uptime_seconds", Math.Round(Uptime.TotalSeconds, 3));
        json.WriteString("restriction", NameOf(Restriction));
        json.WriteString("durability", NameOf(Durability));
        json.WriteString("encryption", Encryption ? "on" : "off");
        json.WriteString("data_dir", DataDir);
        json.WriteString("database_id", DatabaseId);
        json.WriteNumber("epoch", Epoch);
        json.WriteNumber("log_size", LogSize);
        json.WriteString("log_root", LogRoot);
        json.WriteNumber("connections", Connections);
        json.WriteString("unhealthy", Unhealthy);
        if (LogOriginWaiting is not null)
            json.WriteString("log_origin_waiting", LogOriginWaiting);
        if (Checkpoint is { } checkpoint)
        {
            json.WriteStartObject("checkpoint");
            json.WriteNumber("size", checkpoint.Size);
            json.WriteString("origin", checkpoint.Origin);
            json.WriteString("at", checkpoint.At.ToString());
            json.WriteNumber("cosigned", checkpoint.Cosigned);
            json.WriteNumber("witnesses", checkpoint.Witnesses);
            json.WriteStartArray("troubles");
            foreach (var trouble in checkpoint.Troubles)
            {
                json.WriteStartObject();
                json.WriteString("witness", trouble.Name);
                json.WriteString("problem", trouble.Problem);
                json.WriteBoolean("contradicts", trouble.Contradicts);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("checkpoint");
        }

        if (Follows is { } follows)
        {
            var written = new ArrayBufferWriter<byte>();
            follows.Write(written);
            json.WritePropertyName("follows");
            json.WriteRawValue(written.WrittenSpan);
        }

        json.WriteEndObject();
    }

    /// <summary>Reads what <see cref="Write"/> writes; members it does not know are ignored.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static ServerStatus Read(JsonElement json)
    {
        try
        {
            return new()
            {
                Version = json.GetProperty("version").GetString()!,
                Pid = json.GetProperty("pid").GetInt32(),
                Addresses = [.. json.GetProperty("addresses").EnumerateArray().Select(address => address.GetString()!)],
                Port = json.GetProperty("port").GetInt32(),
                Exposure = Named<Exposure>(json, "exposure", NameOf),
                Tls = json.TryGetProperty("tls", out var tls) && tls.ValueKind == JsonValueKind.Object ? ReadTls(tls) : null,
                StartedAt = Time(json, "started_at"),
                Uptime = TimeSpan.FromSeconds(json.GetProperty("uptime_seconds").GetDouble()),
                Restriction = Named<Restriction>(json, "restriction", NameOf),
                Durability = Named<Durability>(json, "durability", NameOf),
                Encryption = json.GetProperty("encryption").GetString() == "on",
                DataDir = json.GetProperty("data_dir").GetString()!,
                DatabaseId = json.GetProperty("database_id").GetGuid(),
                Epoch = json.GetProperty("epoch").GetUInt32(),
                LogSize = json.GetProperty("log_size").GetUInt64(),
                LogRoot = json.GetProperty("log_root").GetString()!,
                Connections = json.GetProperty("connections").GetInt32(),
                Unhealthy = json.GetProperty("unhealthy").GetString(),
                LogOriginWaiting = json.TryGetProperty("log_origin_waiting", out var waiting) ? waiting.GetString() : null,
                // A server of an older version has none.
                Follows = json.TryGetProperty("follows", out var follows) && follows.ValueKind == JsonValueKind.Object ? FollowerStatus.Read(follows) : null,
                Checkpoint = json.TryGetProperty("checkpoint", out var checkpoint) && checkpoint.ValueKind == JsonValueKind.Object ? ReadCheckpoint(checkpoint) : null,
            };
        }
        catch (Exception cause) when (cause is KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"This is no status of a server: {cause.Message}", cause);
        }
    }

    static void WriteTls(Utf8JsonWriter json, TlsStatus? tls)
    {
        if (tls is null)
        {
            json.WriteNull("tls");
            return;
        }

        json.WriteStartObject("tls");
        json.WriteString("certificate", tls.Certificate);
        json.WriteString("fingerprint", tls.Fingerprint);
        json.WriteString("not_after", tls.NotAfter.ToString());
        json.WriteBoolean("self_signed", tls.SelfSigned);
        json.WriteBoolean("client_certificates", tls.ClientCertificates);
        json.WriteEndObject();
    }

    static TlsStatus ReadTls(JsonElement json) => new(
        json.GetProperty("certificate").GetString()!, json.GetProperty("fingerprint").GetString()!, Time(json, "not_after"),
        json.GetProperty("self_signed").GetBoolean(), json.GetProperty("client_certificates").GetBoolean());

    static CheckpointStatus ReadCheckpoint(JsonElement json) => new()
    {
        Size = json.GetProperty("size").GetUInt64(),
        Origin = json.GetProperty("origin").GetString()!,
        At = Time(json, "at"),
        Cosigned = json.GetProperty("cosigned").GetInt32(),
        Witnesses = json.GetProperty("witnesses").GetInt32(),
        // A server of an older version tells none.
        Troubles = json.TryGetProperty("troubles", out var troubles)
            ? [.. troubles.EnumerateArray().Select(one => new WitnessTrouble(
                one.GetProperty("witness").GetString()!, one.GetProperty("problem").GetString()!, one.GetProperty("contradicts").GetBoolean()))]
            : [],
    };

    static Timestamp Time(JsonElement json, string member) => Timestamp.TryParse(json.GetProperty(member).GetString()!, out var time, out _)
        ? time : throw new FormatException($"`{member}` is no time.");

    static T Named<T>(JsonElement json, string member, Func<T, string> nameOf) where T : struct, Enum
    {
        var text = json.GetProperty(member).GetString();
        foreach (var value in Enum.GetValues<T>())
        {
            if (nameOf(value) == text)
                return value;
        }

        throw new FormatException($"`{member}` is \"{text}\", which this version does not know.");
    }

    static string NameOf(Exposure exposure) => exposure switch
    {
        Exposure.Loopback => "loopback",
        Exposure.Plaintext => "plaintext",
        Exposure.Tls => "tls",
    };

    static string NameOf(Restriction restriction) => restriction switch
    {
        Restriction.Off => "off",
        Restriction.Default => "default",
        Restriction.Strict => "strict",
    };

    static string NameOf(Durability durability) => durability switch { Durability.Sync => "sync", Durability.Relaxed => "relaxed" };
}
