using EventDbx.Recovery;

namespace EventDbx.Cli.Commands;

/// <summary><c>dbx __inspect DIR</c>: the check of a store that was not closed, in a process that may hang or crash.</summary>
internal static class InspectCommand
{
    static readonly Slot DataDirectory = new("--directory", "DIR", "The data directory.");

    public static Verb Create() => new(Link.Inspect, "Check a store that was not closed; for dbx itself.", DataDirectory)
    {
        Hidden = true,
        Examples = [],
        Run = (call, _) => Task.FromResult((ExitCode)StoreCheck.Report(
            StoreInspection.Run(call.Shell.Resolve(call[DataDirectory])), call.Shell.Out)),
    };
}
