using System.Buffers;
using EventDbx.Reading;

namespace EventDbx.Server.Rest;

/// <summary>The audit: who did what, when and from where. It is the control entries of the log.</summary>
internal static class AuditRoutes
{
    public static async Task ReadAsync(RestCall call)
    {
        var query = call.Query;
        var filter = new AuditFilter
        {
            Kinds = query.Text("kind")?.Split(',') ?? [], Subject = query.Text("subject"), Group = query.Text("group"), User = query.Text("user"),
            Since = query.Time("since"), Until = query.Time("until"),
        };
        if (filter.Kinds.Any(kind => kind.Length == 0))
            throw QueryParameters.Refused("kind", query.Text("kind")!, "kinds such as token_issue, with commas between several");
        var page = call.Session.ReadAudit(query.Number("after") ?? 0, query.Take(call.Config.PageLimit, call.Config.PageLimit), filter);
        using var answer = new Answer(call.Http);
        answer.Output.Write("{\"items\":["u8);
        await answer.WriteListAsync(page.Items, RecordJson.WriteAudit).ConfigureAwait(false);
        answer.Output.Write("],\"after\":"u8);
        RecordJson.WriteNumber(answer.Output, page.ReachedPosition);
        answer.Output.Write(page.End ? ",\"end\":true}"u8 : ",\"end\":false}"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }
}
