using System.Net;
using EventDbx.Backups;
using EventDbx.Server.Backups;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>A backup, as it is made: docs/backups.md.</summary>
internal static class BackupRoutes
{
    /// <summary>What refuses all of it is an answer of its own; what stops it later cuts the connection, so that nobody takes the part for the whole.</summary>
    public static async Task MakeAsync(RestCall call)
    {
        var order = call.Body.IsEmpty ? new() : BackupOrder.Read(call.Body.Span);
        if (order.Keys)
            DemandPrivacy(call);
        call.WatchToken();
        var host = call.Host;
        var request = BackupScope.Of(order, host.Database.Directory, host.Admin.Settings.File, host.Database.Encrypted, call.Version, host.Database.Documents);
        using var staged = await TakeAsync(call, request).ConfigureAwait(false);
        call.Http.Response.ContentType = "application/zstd";
        await call.Http.Response.StartAsync(call.Cancellation).ConfigureAwait(false);
        var output = new BackupAnswer(call.Http, call.BackupPatience, call.Cancellation);
        // A thread of its own: it reads, compresses and waits for whoever takes the answer.
        await Task.Factory.StartNew(
            () => staged.Write(output, null, call.Cancellation), call.Cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
        // All of it is taken. Before the answer ends, so that who has its end finds it noted; it is good where that fails, too.
        _ = BackupRecord.Write(host.Database.Directory, staged.Manifest, path: null);
    }

    /// <summary>Whether nobody else can read along. A proxy on this machine counts as this machine: what it does with an answer is its matter (docs/rest.md).</summary>
    internal static bool IsPrivate(bool ownerOnly, bool tls, IPAddress? from) => ownerOnly || tls || (from is not null && IPAddress.IsLoopback(from));

    static async Task<StagedBackup> TakeAsync(RestCall call, BackupRequest request)
    {
        try
        {
            return await call.Session.BackUpAsync(request, call.Cancellation).ConfigureAwait(false);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or Configuration.ConfigException)
        {
            throw new RefusedException(new Refusal(RefusalCode.Unavailable, $"The backup was not taken: {cause.Message}") { Final = true });
        }
    }

    /// <summary>Keys do not travel where others could read along.</summary>
    static void DemandPrivacy(RestCall call)
    {
        if (!IsPrivate(call.Http.Features.Get<Arrival>()?.OwnerOnly == true, call.Http.Request.IsHttps, call.Http.Connection.RemoteIpAddress))
            throw new RefusedException(RefusalCode.PermissionDenied, "A backup with its keys is given over TLS, on this machine, or over the owner's socket; not in the clear. Without keys (`{\"keys\":false}`) it is given here.");
    }
}
