using System.Buffers;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>The remotes of the configuration: shown, put, removed.</summary>
internal static class RemoteRoutes
{
    static readonly string[] Members = ["endpoint", "public_key"];

    public static Task ListAsync(RestCall call) => Answer.OneAsync(call.Http, call.Host.Admin.Settings.Read().Remotes, static (output, remotes) =>
    {
        output.Write("{"u8);
        var first = true;
        foreach (var (name, remote) in remotes)
        {
            if (!first)
                output.Write(","u8);
            first = false;
            RecordJson.WriteText(output, name);
            output.Write(":"u8);
            Write(output, remote);
        }

        output.Write("}"u8);
    });

    public static async Task PutAsync(RestCall call)
    {
        var (endpoint, publicKey) = Read(call.Body);
        var (before, after) = await call.Host.Admin.ChangePeersAsync(
            peers => peers.PutRemoteAsync(call.Session, Name(call), endpoint ?? "", publicKey ?? "", replace: call.Query.Truth("create") != true), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, after, Write, before is null ? StatusCodes.Status201Created : StatusCodes.Status200OK).ConfigureAwait(false);
    }

    public static async Task RemoveAsync(RestCall call)
    {
        await call.Host.Admin.ChangePeersAsync(
            async peers =>
            {
                await peers.RemoveRemoteAsync(call.Session, Name(call)).ConfigureAwait(false);
                return true;
            },
            call.Cancellation).ConfigureAwait(false);
        call.Http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    static string Name(RestCall call) => call.Segment(2, "The name in the path");

    static (string? Endpoint, string? PublicKey) Read(ReadOnlyMemory<byte> body) => RequestJson.Read(body, static (ref json, text) =>
    {
        (string? endpoint, string? publicKey) = (null, null);
        var seen = 0;
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, "a remote", Members, ref seen, out var member))
        {
            if (member == 0)
                endpoint = RequestJson.Text(ref json, Members[member]);
            else
                publicKey = RequestJson.Text(ref json, Members[member]);
        }

        return (endpoint, publicKey);
    });

    static void Write(IBufferWriter<byte> output, RemoteConfig remote)
    {
        var members = new JsonMembers(output);
        members.Text("endpoint"u8, remote.Endpoint);
        members.Text("public_key"u8, remote.PublicKey);
        if (remote.Mode == RemoteMode.Follow)
            members.Text("mode"u8, RemoteConfig.Follow);
        members.End();
    }
}
