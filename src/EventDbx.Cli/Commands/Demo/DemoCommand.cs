namespace EventDbx.Cli.Commands.Demo;

/// <summary><c>dbx demo</c>: what EventDBX is, in a quarter of a minute, with commands to repeat.</summary>
internal static class DemoCommand
{
    static readonly Option<bool> Keep = Options.Switch("--keep", "Leave the directory, with the store as it was before the damage, for your own tries.");

    public static Verb Create() => new("demo", "Show in a few seconds what EventDBX does, in a temporary directory.")
    {
        Remarks =
        [
            "Starts a server of its own, issues a token, appends a small order history over REST, and shows state, history, a version " +
            "conflict, a retried append and verification. Then it changes one byte of the stopped store and verifies again. Every command " +
            "is printed as you would type it. Nothing outside its directory is touched.",
        ],
        Examples =
        [
            new("dbx demo", "Look, and leave nothing behind."),
            new("dbx demo --keep", "Look, and go on with the directory."),
        ],
        Options = { Keep },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var directory = Directory.CreateTempSubdirectory("eventdbx-demo-").FullName;
        var stage = new DemoStage(call.Shell, directory, cancellation);
        try
        {
            using var story = new DemoStory(stage);
            await story.TellAsync().ConfigureAwait(false);
        }
        finally
        {
            await stage.LeaveAsync().ConfigureAwait(false);
            if (!call.Get(Keep))
                Directory.Delete(directory, recursive: true);
        }

        await call.NoteAsync(call.Get(Keep)
            ? $"The store is still in {directory}: `cd {directory}` and use `--config config.toml`."
            : "All of it is deleted again; `dbx demo --keep` leaves it. To begin in earnest: `dbx start`.").ConfigureAwait(false);
        return ExitCode.Done;
    }
}
