using EventDbx.Encryption;
using System.Text;

namespace EventDbx.Cli;

/// <summary>The data key, by the server. It travels in a body, over the owner's socket.</summary>
internal sealed partial class ServerStore
{
    public Task<KeyHolder> FindKeyHolderAsync(CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Get, "/admin/key", null, again: true,
        static (json, _) => new KeyHolder(
            new(json.GetProperty("database_id").GetGuid(), Convert.FromHexString(json.GetProperty("key_check").GetString()!), Convert.FromHexString(json.GetProperty("next_key_check").GetString()!)),
            ByServer: true,
            json.GetProperty("config_file").GetString()),
        cancellation);

    public async Task<KeyRotationResult> RotateKeyAsync(DataKey next, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation)
    {
        var body = Encoding.UTF8.GetBytes($$"""{"new_key":"{{next.ToBase64()}}"}""");
        await foreach (var line in server.LinesAsync(HttpMethod.Post, "/admin/key/rotate", cancellation, body).ConfigureAwait(false))
        {
            using (line)
            {
                var json = line.RootElement;
                if (json.TryGetProperty("error", out var error))
                    throw ServerConnection.Refused(error);
                if (json.TryGetProperty("result", out var result))
                {
                    return new(
                        result.GetProperty("generation").GetUInt32(), result.GetProperty("keys").GetUInt64(), result.GetProperty("documents").GetInt32(),
                        result.GetProperty("resumed").GetBoolean())
                    {
                        WasDone = result.GetProperty("was_done").GetBoolean(),
                        DocumentsLeft = [.. result.GetProperty("documents_left").EnumerateArray().Select(static name => name.GetString()!)],
                    };
                }

                progress?.Report(new(json.GetProperty("done").GetUInt64(), json.GetProperty("total").GetUInt64())
                {
                    Compacting = json.GetProperty("phase").GetString() == "compact",
                });
            }
        }

        throw new ServerLostException("The server went away before the rotation ended. Run the command again, and it goes on.", new EndOfStreamException("The answer ends without a result."));
    }
}
