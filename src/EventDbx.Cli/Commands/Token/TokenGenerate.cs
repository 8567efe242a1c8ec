using EventDbx.Access;
using EventDbx.Server.Tokens;

namespace EventDbx.Cli.Commands.Token;

/// <summary><c>dbx token generate</c>: a new token, shown this once.</summary>
internal static class TokenGenerate
{
    static readonly Slot Group = new("--group", "GROUP", "The group that stands in every event it appends.");
    static readonly Slot User = new("--user", "USER", "The user that stands there beside it.");

    static readonly Option<string> Subject = Options.Text("--subject", "TEXT", "Whom it is for (default: GROUP:USER).");
    static readonly Option<bool> Root = Options.Switch("--root", "It may do everything, and manage tokens.");

    static readonly Option<string[]> Action = new("--action")
    {
        HelpName = "ACTION",
        Description = "What it may do, such as aggregate.read or aggregate.*; give it as often as needed.",
    };

    static readonly Option<string[]> Resource = new("--resource")
    {
        HelpName = "RESOURCE",
        Description = "On which aggregates, such as aggregate:order or aggregate:order:2025-*; as often as needed (default: all).",
    };

    static readonly Option<long?> Ttl = TokenCommand.TtlOption("as configured");
    static readonly Option<string> IssuedBy = Options.Text("--issued-by", "TEXT", "Who issues it (default: cli).");
    static readonly Option<long?> Limit = TokenCommand.LimitOption("no limit");
    static readonly Option<bool> Auditor = Options.Switch("--auditor", "For an auditor: aggregate.read and log.read, on the resources given, and nothing else.");
    static readonly Option<bool> KeepAlive = Options.Switch("--keep-alive", "Every use moves its end to a whole lifetime from then on.");

    public static Verb Create() => new("generate", "Issue a token; it is shown this once, and only its hash is kept.", Group, User)
    {
        Remarks =
        [
            "Without `--root` and `--action` it may append to everything and read everything. Actions: aggregate.read, aggregate.append " +
            "(which implies reading), aggregate.archive, feed.read, log.read, records.import.",
            TokenCommand.Who,
        ],
        Examples =
        [
            new("dbx token generate --group admin --user jane --expiration 3600", "Appends and reads for an hour."),
            new("dbx token generate --group shop --user till-3 --action aggregate.append --resource aggregate:order --limit 1000", "A thousand events, on orders."),
            new("dbx token generate --group audit --user eve --auditor --resource aggregate:order:o-1", "One aggregate and its proofs, for an auditor."),
            new("dbx token generate --group ops --user deploy --root --json", "Everything, as JSON."),
        ],
        Options = { Subject, Root, Auditor, Action, Resource, Ttl, IssuedBy, Limit, KeepAlive, AccessToken.Option },
        Check = Check,
        Run = RunAsync,
    };

    static void Check(Call call)
    {
        if (!call.Get(Auditor))
            return;
        call.NotBoth(Auditor, Root);
        call.NotBoth(Auditor, Action);
        if (call.Get(Resource) is not { Length: > 0 })
            throw new UsageException($"what is to be audited? `{Auditor.Name}` needs `{Resource.Name}`: aggregate:order:o-1, aggregate:order for a type, or `*` for everything.");
        if (call.Has(Limit))
            throw new UsageException($"`{Auditor.Name}` and `{Limit.Name}` exclude each other: an auditor appends nothing.");
    }

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var request = new TokenRequest
        {
            Group = call[Group],
            User = call[User],
            Subject = call.Get(Subject),
            Root = call.Get(Root),
            Actions = call.Get(Auditor) ? [AccessActions.NameOf(AccessAction.AggregateRead), AccessActions.NameOf(AccessAction.LogRead)] : call.Get(Action) ?? [],
            Resources = call.Get(Resource) ?? [],
            TtlSeconds = (ulong?)call.Get(Ttl),
            IssuedBy = call.Get(IssuedBy) ?? "cli",
            WriteLimit = (ulong?)call.Get(Limit),
            KeepAlive = call.Get(KeepAlive),
        };
        return Link.ToTokensAsync(
            call,
            async store =>
            {
                var issued = await store.IssueTokenAsync(request, cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(call.Json ? TokenText.Json(issued) : TokenText.Of(issued)).ConfigureAwait(false);
                if (issued.ActionsDefaulted)
                    await call.NoteAsync("Without --root and --action it may append to everything that its resources reach, and read it.").ConfigureAwait(false);
                return ExitCode.Done;
            },
            absent: null,
            cancellation);
    }
}
