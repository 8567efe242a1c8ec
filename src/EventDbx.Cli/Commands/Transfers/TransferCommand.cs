using EventDbx.Cli.Commands.Remote;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Cli.Commands.Transfers;

/// <summary><c>dbx push</c> and <c>dbx pull</c>: events to a remote, or from one.</summary>
internal static class TransferCommand
{
    static readonly Option<bool> DryRun = Options.Switch("--dry-run", "Compare, print what would go over, and change nothing.");

    static readonly Option<bool> Schema = Options.Switch("--schema", "Schemas, too.");

    static readonly Option<bool> SchemaOnly = Options.Switch("--schema-only", "Schemas, and no events.");

    static readonly Option<bool> Replace = Options.Switch("--replace", "With schemas: the receiver ends with the sender's and no others. Without it, it keeps those that it alone has.");

    static readonly Option<ulong?> BatchSize = Options.Version("--batch-size", "Events that are written at once (default: 500; at most 1000).");

    static readonly Option<string[]> Types = new("--aggregate") { HelpName = "TYPE", Description = "Only aggregates of this type; may be given several times." };

    static readonly Option<string[]> Aggregates = new("--aggregate-id")
    {
        HelpName = "TYPE:ID", Description = "Only this aggregate; may be given several times. Of a type that has some here, only these. Where the type holds a colon: TYPE::ID.",
    };

    const string Finished = "A run that is cut off is finished by the next: batches are written whole, and what is there is not sent again.";

    public static Verb Push() => Create(
        TransferDirection.Push, "push", "Bring events to a remote: those that it has not yet.",
        [
            "Fast-forward alone. Where the remote has events that are not here, or another history, nothing is sent, and the aggregate is named.",
            Finished,
            "This node must be allowed there: `dbx remote allow NAME --push --public-key KEY` on the remote.",
        ],
        [
            new("dbx push standby --dry-run", "What would go over."),
            new("dbx push standby --schema", "Schemas, then events."),
            new("dbx push standby --aggregate order --aggregate-id invoice:i-7", "All orders, and one invoice."),
            new("dbx push standby --schema-only --replace", "The remote ends with the schemas of here, and no others."),
        ]);

    public static Verb Pull() => Create(
        TransferDirection.Pull, "pull", "Fetch events from a remote: those that are not here yet.",
        [
            "Fast-forward alone. What is only here, or further here, stays as it is; where an aggregate has another history, nothing is fetched, and it is named.",
            Finished,
            "This node must be allowed there: `dbx remote allow NAME --pull --public-key KEY` on the remote.",
        ],
        [
            new("dbx pull leader --dry-run", "What would come over."),
            new("dbx pull leader --schema", "Events, then schemas."),
            new("dbx pull leader --aggregate-id order:o-1 --json", "One aggregate, with a report for programs."),
        ]);

    static Verb Create(TransferDirection direction, string name, string description, IReadOnlyList<string> remarks, IReadOnlyList<Example> examples) => new(name, description, RemoteCommand.Name)
    {
        Remarks = remarks,
        Examples = examples,
        Options = { DryRun, Schema, SchemaOnly, Replace, BatchSize, Types, Aggregates, AccessToken.Option },
        Check = call =>
        {
            if (Read(call, direction).Problem is { } problem)
                throw new UsageException(problem);
        },
        Run = (call, cancellation) => RunAsync(call, Read(call, direction), cancellation),
    };

    static TransferRequest Read(Call call, TransferDirection direction) => new()
    {
        Direction = direction,
        Remote = call[RemoteCommand.Name].Trim(),
        DryRun = call.Get(DryRun),
        Schemas = call.Get(Schema),
        SchemasOnly = call.Get(SchemaOnly),
        ReplaceSchemas = call.Get(Replace),
        BatchSize = call.Get(BatchSize) ?? TransferRequest.BatchSizeDefault,
        Filter = new ReplicaFilter
        {
            Types = [.. (call.Get(Types) ?? []).Select(static type => type.Trim()).Where(static type => type.Length > 0).Distinct()],
            Aggregates = [.. (call.Get(Aggregates) ?? []).Select(static text => text.Trim()).Where(static text => text.Length > 0).Select(AggregateOf).Distinct()],
        },
    };

    /// <summary>At the first <c>::</c>, else at the first <c>:</c>.</summary>
    static AggregateKey AggregateOf(string text)
    {
        var (at, length) = text.IndexOf("::", StringComparison.Ordinal) is var twice and >= 0 ? (twice, 2) : (text.IndexOf(':', StringComparison.Ordinal), 1);
        if (at < 0)
            throw new UsageException($"aggregate id specification '{text}' must be in TYPE:ID or TYPE::ID format");
        var (type, id) = (text[..at].Trim(), text[(at + length)..].Trim());
        return type.Length == 0 || id.Length == 0
            ? throw new UsageException($"aggregate id specification '{text}' has empty type or id")
            : AggregateKey.Create(type, id);
    }

    static Task<ExitCode> RunAsync(Call call, TransferRequest request, CancellationToken cancellation) =>
        // A push takes from what is there; a dry run makes nothing. A first pull makes the store.
        request.Direction == TransferDirection.Push || request.DryRun
            ? Link.ToExistingAsync(call, store => RunAsync(call, store, request, cancellation), () => throw NoStore(request), cancellation)
            : Link.ToAnyAsync(call, store => RunAsync(call, store, request, cancellation), cancellation);

    static async Task<ExitCode> RunAsync(Call call, IStore store, TransferRequest request, CancellationToken cancellation)
    {
        using var bars = new Bars(call.Shell);
        TransferReport? soFar = null;
        try
        {
            await foreach (var step in store.TransferAsync(request, cancellation).ConfigureAwait(false))
            {
                if (step is TransferProgress progress)
                {
                    bars.Report(progress);
                    soFar = progress.SoFar ?? soFar;
                }
                else
                {
                    soFar = null;
                    await ShowAsync(step as TransferReport ?? ((TransferCutOff)step).Done).ConfigureAwait(false);
                }
            }
        }
        catch when (soFar is not null)
        {
            // A server that is not listened to any more says nothing more, and neither does one that is gone.
            await ShowAsync(soFar).ConfigureAwait(false);
            await call.NoteAsync("That is what is known: the batch that was under way may have gone over, too. Run the command again, and it goes on from there.").ConfigureAwait(false);
            throw;
        }

        return ExitCode.Done;

        async Task ShowAsync(TransferReport report)
        {
            bars.Dispose();
            await call.Shell.Out.WriteAsync(call.Json ? TransferText.Json(report) : TransferText.Of(report)).ConfigureAwait(false);
        }
    }

    static RefusedException NoStore(TransferRequest request) => new(
        RefusalCode.NotFound,
        request.Direction == TransferDirection.Push ? "There is no store yet, and so nothing to push." : "There is no store yet: everything would be pulled. Without `--dry-run` it is made.");

    /// <summary>A bar for each phase, one after the other.</summary>
    sealed class Bars(Shell shell) : IDisposable
    {
        Progress? _bar;
        TransferPhase _phase;

        public void Report(TransferProgress step)
        {
            if (_bar is null || step.Phase != _phase)
            {
                _bar?.Dispose();
                (_phase, _bar) = (step.Phase, new Progress(shell, step.Phase switch
                {
                    TransferPhase.Compare => "aggregates compared",
                    TransferPhase.Events => "events",
                    TransferPhase.Marks => "flags and snapshots",
                    TransferPhase.Schemas => "schemas",
                }));
            }

            _bar.Report((long)step.Done, step.Total is > 0 and var total ? (double)step.Done / total : null);
        }

        public void Dispose() => _bar?.Dispose();
    }
}
