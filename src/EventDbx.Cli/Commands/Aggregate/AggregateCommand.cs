namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate …</c>: one aggregate, or the list of them.</summary>
internal static class AggregateCommand
{
    public static Noun Create() => new(
        "aggregate",
        "Append events to aggregates; read, compare, replay, verify and archive them.",
        AggregateCreate.Create(),
        AggregateApply.Create(),
        AggregateList.Create(),
        AggregateGet.Create(),
        AggregateReplay.Create(),
        AggregateDiff.Create(),
        AggregateExport.Create(),
        AggregateVerify.Create(),
        AggregateProof.Create(),
        AggregateSnapshot.Take(),
        AggregateSnapshot.List(),
        AggregateArchive.Create(),
        AggregateRestore.Create(),
        AggregateRemove.Create(),
        AggregateStaging.Commit(),
        AggregateStaging.Unstage());
}
