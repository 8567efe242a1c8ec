using EventDbx.Cli.Output;

namespace EventDbx.Cli.Commands.Man;

/// <summary><c>dbx man [DIRECTORY]</c>: the manual page, made from the command tree.</summary>
internal static class ManCommand
{
    const string FileName = "dbx.1";

    static readonly Slot Target = new("--directory", "DIRECTORY", "Where to write dbx.1, such as ~/.local/share/man/man1; made if there is none (default: print it).") { Optional = true };

    public static Verb Create() => new("man", "Print the manual page of dbx, or write it where `man` finds it.", Target)
    {
        Remarks = ["One page, dbx(1), has every command with its options and examples: what `--help` says. Packages install it."],
        Examples =
        [
            new("dbx man ~/.local/share/man/man1", "From then on, `man dbx`."),
            new("dbx man | man -l -", "Read it now."),
        ],
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var page = ManPage.Of(CommandTree.Root);
        string? path = null;
        if (call.Find(Target) is { } directory)
        {
            if (directory.Length == 0)
                throw new UsageException($"{Target.ValueName} is empty; give it a path.");
            var full = call.Shell.Resolve(directory);
            Directory.CreateDirectory(full);
            path = Path.Combine(full, FileName);
            await File.WriteAllTextAsync(path, page, cancellation).ConfigureAwait(false);
        }

        var text = call.Json ? new JsonText().BeginObject().Member("path", path).Member("page", path is null ? page : null).EndObject().ToString()
            : path is null ? page : $"Wrote {path}\n";
        await call.Shell.Out.WriteAsync(text).ConfigureAwait(false);
        return ExitCode.Done;
    }
}
