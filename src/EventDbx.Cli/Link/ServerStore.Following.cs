using System.Runtime.CompilerServices;
using System.Text.Json;
using EventDbx.Mirroring;
using EventDbx.Server;
using EventDbx.Server.Replication.Following;

namespace EventDbx.Cli;

/// <summary>The mirror of another store, by its server, which follows on.</summary>
internal sealed partial class ServerStore : IFollowing
{
    public bool GoesOn => true;

    public async IAsyncEnumerable<FollowerStatus> FollowAsync(string remote, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var line in server.LinesAsync(HttpMethod.Post, "/admin/replication/follow", cancellation, Choice(("remote", remote))).ConfigureAwait(false))
        {
            using (line)
            {
                var json = line.RootElement;
                if (json.TryGetProperty("error", out var error))
                    throw ServerConnection.Refused(error);
                if (json.TryGetProperty("result", out var result))
                {
                    yield return FollowerStatus.Read(result);
                    yield break;
                }

                yield return FollowerStatus.Read(json);
            }
        }

        throw new ServerLostException("The server went away before the mirror had caught up. Once it is back it follows on; `dbx status` says how far it is.", new EndOfStreamException("The answer ends without a result."));
    }

    public async Task<string> GetLeaderAsync(CancellationToken cancellation)
    {
        var status = await server.AskAsync(HttpMethod.Get, "/admin/status", null, again: true, static (json, _) => ServerStatus.Read(json), cancellation).ConfigureAwait(false);
        return status.Follows?.Remote ?? throw FollowDesk.NoMirror();
    }

    public Task<Promotion> PromoteAsync(string? comment, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Post, "/admin/replication/promote", Choice(("comment", comment)), again: false, static (json, _) => Promoted(json), cancellation);

    static Promotion Promoted(JsonElement json) => new(
        json.GetProperty("epoch").GetUInt32(), json.GetProperty("kept").GetUInt64(), Hash(json, "root"), json.GetProperty("origin").GetString()!);
}
