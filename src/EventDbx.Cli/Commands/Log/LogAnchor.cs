using System.Globalization;
using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Log;

/// <summary><c>dbx log anchor</c>: keeps checkpoints in a directory elsewhere, and holds the log against those that are there.</summary>
/// <remarks>
/// <code>DIR/ORIGIN, percent-encoded/SIZE in 20 digits.checkpoint</code>
/// </remarks>
internal static class LogAnchor
{
    const string Suffix = ".checkpoint";

    static readonly Slot Directory = new("--dir", "DIR", "Where they are kept: out of reach of whoever could change the data.");

    public static Verb Create() => new("anchor", "Keep the newest checkpoint elsewhere, after a look at those kept before.", Directory)
    {
        Remarks =
        [
            "First every checkpoint of this log in the directory is checked: its signature, and that the log now continues it. Where one does not " +
            "fit, the log was changed or rolled back: it is named, with exit code 3, and nothing is written. Run it every hour onto a medium that " +
            "cannot be rewritten. Checkpoints of other logs, and of other epochs of this one, are left alone.",
        ],
        Examples =
        [
            new("dbx log anchor /mnt/worm/anchors", "Look, and keep one more."),
            new("dbx log anchor --dir anchors --json", "The same, as JSON."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => LogCommand.RunAsync(
        call,
        async store =>
        {
            var (note, history) = await LogHistory.OfNowAsync(store, cancellation).ConfigureAwait(false);
            var room = Path.Combine(call.Shell.Resolve(call[Directory]), Uri.EscapeDataString(history.Now.Origin));
            var kept = await CheckAsync(call, history, room, cancellation).ConfigureAwait(false);
            var name = string.Create(CultureInfo.InvariantCulture, $"{history.Now.Size:00000000000000000000}{Suffix}");
            var isNew = !File.Exists(Path.Combine(room, name));
            if (isNew)
            {
                System.IO.Directory.CreateDirectory(room);
                DurableFile.Write(Path.Combine(room, name), Encoding.UTF8.GetBytes(note.ToString()));
            }

            await call.Shell.Out.WriteAsync(Said(call, history.Now, kept, isNew ? Path.Combine(room, name) : null)).ConfigureAwait(false);
        },
        cancellation);

    /// <summary>Checks what is there, and returns how many.</summary>
    static async Task<int> CheckAsync(Call call, LogHistory history, string room, CancellationToken cancellation)
    {
        if (!System.IO.Directory.Exists(room))
            return 0;
        var files = System.IO.Directory.GetFiles(room, "*" + Suffix).Order(StringComparer.Ordinal).ToList();
        using var bar = new Progress(call.Shell, "checkpoints checked");
        for (var done = 0; done < files.Count; done++)
        {
            cancellation.ThrowIfCancellationRequested();
            var content = DurableFile.Read(files[done], SignedNote.BytesMax) ?? throw new IOException($"{files[done]} was there a moment ago.");
            var kept = history.Read(files[done], content) ?? throw LogHistory.Difference($"{files[done]} is a checkpoint of another log than its directory says");
            await history.DemandContinuesAsync(files[done], kept, cancellation).ConfigureAwait(false);
            bar.Report(done + 1, (done + 1.0) / files.Count);
        }

        return files.Count;
    }

    static string Said(Call call, Checkpoint now, int kept, string? path)
    {
        if (call.Json)
        {
            return new JsonText().BeginObject()
                .Member("origin", now.Origin).Member("size", now.Size).Member("root", now.Root.ToString())
                .Member("checked", (long)kept).Member("written", path)
                .EndObject().ToString();
        }

        var checkedText = kept == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{kept} checkpoint(s) kept before: the log continues each of them\n");
        return checkedText + (path is null
            ? string.Create(CultureInfo.InvariantCulture, $"nothing new: the checkpoint of {now.Size} entries is kept already\n")
            : string.Create(CultureInfo.InvariantCulture, $"wrote {path}: {now.Size} entries, root {now.Root}\n"));
    }
}
