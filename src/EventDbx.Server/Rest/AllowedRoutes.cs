using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Who may push to this node, or pull from it: shown, allowed, denied.</summary>
internal static class AllowedRoutes
{
    static readonly string[] Members = ["public_key", "push", "pull"];

    public static Task ListAsync(RestCall call) => Answer.OneAsync(call.Http, call.Host.Admin.Settings.Read().ReplicationAllow, static (output, peers) =>
    {
        output.Write("{"u8);
        var first = true;
        foreach (var (name, peer) in peers)
        {
            if (!first)
                output.Write(","u8);
            first = false;
            RecordJson.WriteText(output, name);
            output.Write(":"u8);
            Write(output, null, peer);
        }

        output.Write("}"u8);
    });

    public static async Task PutAsync(RestCall call)
    {
        var (publicKey, push, pull) = Read(call.Body);
        var (before, after) = await call.Host.Admin.ChangePeersAsync(
            peers => peers.AllowAsync(call.Session, Name(call), publicKey ?? "", push, pull, replace: call.Query.Truth("create") != true), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(
            call.Http, after, static (output, peer) => Write(output, null, peer), before is null ? StatusCodes.Status201Created : StatusCodes.Status200OK).ConfigureAwait(false);
    }

    public static async Task RemoveAsync(RestCall call)
    {
        var denied = await call.Host.Admin.ChangePeersAsync(peers => peers.DenyAsync(call.Session, Name(call)), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, denied, static (output, one) => Write(output, one.Name, one.Peer)).ConfigureAwait(false);
    }

    static string Name(RestCall call) => call.Segment(3, "The peer in the path");

    static (string? PublicKey, bool Push, bool Pull) Read(ReadOnlyMemory<byte> body) => RequestJson.Read(body, static (ref json, text) =>
    {
        (string? publicKey, var push, var pull) = (null, false, false);
        var seen = 0;
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, "an allowed peer", Members, ref seen, out var member))
        {
            if (member == 0)
                publicKey = RequestJson.Text(ref json, Members[member]);
            else if (member == 1)
                push = Truth(ref json, Members[member]);
            else
                pull = Truth(ref json, Members[member]);
        }

        return (publicKey, push, pull);
    });

    static bool Truth(ref Utf8JsonReader json, string name) => json.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        var found => throw new RefusedException(RefusalCode.InvalidArgument, $"`{name}` is true or false; this one is {RequestJson.Found(found)}."),
    };

    static void Write(IBufferWriter<byte> output, string? name, AllowedPeer peer)
    {
        var members = new JsonMembers(output);
        if (name is not null)
            members.Text("name"u8, name);
        members.Text("public_key"u8, peer.PublicKey);
        members.Truth("push"u8, peer.Push);
        members.Truth("pull"u8, peer.Pull);
        members.End();
    }
}
