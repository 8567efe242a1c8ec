using System.Text;
using EventDbx.Access;
using EventDbx.Storage;
using Wire = EventDbx.Events.RecordJson;

namespace EventDbx.Cli.Commands.Audit;

/// <summary><c>dbx audit …</c>: the control entries of the log: who did what, when and from where.</summary>
internal static class AuditCommand
{
    static readonly Option<string> Kinds = Options.Text("--kind", "KIND", "Only these kinds, such as token_issue; several with commas.");
    static readonly Option<string> Subject = Options.Text("--subject", "SUBJECT", "Only what was about this: a token's id, TYPE/ID, a name.");
    static readonly Option<string> Group = Options.Text("--group", "GROUP", "Only what an actor of this group did.");
    static readonly Option<string> User = Options.Text("--user", "USER", "Only what an actor of this name did.");
    static readonly Option<string> Since = Options.Text("--since", "TIME", "Not before this time, such as 2026-01-31T00:00:00Z.");
    static readonly Option<string> Until = Options.Text("--until", "TIME", "Not after this time.");
    static readonly Option<long?> After = Options.WholeNumber("--after", "Only entries after this position of the log.");
    static readonly Option<long?> Take = Options.WholeNumber("--take", "How many at most, from the oldest on.");
    static readonly Option<string> Output = Options.Text("--output", "FILE", "Where the lines go; `-` is standard output.");

    public static Noun Create() => new(
        "audit",
        "Who did what to the store and its settings, when and from where.",
        CreateList(),
        CreateExport());

    static Verb CreateList()
    {
        var verb = new Verb("list", "List the control entries of the log, oldest first.")
        {
            Remarks =
            [
                "Every change that is no event leaves an entry in the log: aggregates made, removed, archived, restored and kept as snapshots; schemas; tokens " +
                "issued, refreshed and revoked; remotes, plugins and settings; keys; imports and recoveries. It says who, when, and from where: directory, socket, rest " +
                "or admin with an address, or server.",
                $"Kinds: {string.Join(", ", ControlKinds.All)}.",
                "Entries are leaves of the log tree like events, so none can be changed or left out unseen: docs/auditing.md. The log is walked from " +
                "`--after` on, some 100,000 entries in a moment.",
            ],
            Examples =
            [
                new("dbx audit list", "All of it."),
                new("dbx audit list --kind token_issue,token_revoke --since 2026-01-01T00:00:00Z", "Some of it."),
                new("dbx audit list --group admin --json", "What came with the admin master key, as an array."),
            ],
            Run = ListAsync,
        };
        AddFilters(verb);
        verb.Options.Add(Take);
        verb.Options.Add(AccessToken.Option);
        return verb;
    }

    static Verb CreateExport()
    {
        var verb = new Verb("export", "Write the control entries as lines of JSON, with what their hashes are made of.")
        {
            Remarks =
            [
                "One entry a line: position, kind, subject, created_at, issued_by, from, body, salt, hash. The hash is the entry's leaf in the log tree; " +
                "docs/proofs.md says how it is computed.",
                "A file is replaced when all of it is written, and is readable by its owner alone.",
            ],
            Examples =
            [
                new("dbx audit export --output audit.ndjson", "Into a file."),
                new("dbx audit export --kind config_change --output -", "To standard output."),
            ],
            Check = call =>
            {
                if (call.Get(Output) is null)
                    throw new UsageException("where to? `--output FILE`, or `--output -` for standard output.");
            },
            Run = ExportAsync,
        };
        AddFilters(verb);
        verb.Options.Add(Output);
        verb.Options.Add(AccessToken.Option);
        return verb;
    }

    static void AddFilters(Verb verb)
    {
        foreach (var option in (Option[])[Kinds, Subject, Group, User, Since, Until, After])
            verb.Options.Add(option);
    }

    static AuditFilter FilterOf(Call call) => new()
    {
        Kinds = KindsOf(call.Get(Kinds)),
        Subject = call.Get(Subject), Group = call.Get(Group), User = call.Get(User), Since = TimeOf(call, Since), Until = TimeOf(call, Until),
    };

    static string[] KindsOf(string? given)
    {
        if (given is null)
            return [];
        var kinds = given.Split(',', StringSplitOptions.TrimEntries);
        if (kinds.Any(kind => kind.Length == 0))
            throw new UsageException($"`{Kinds.Name}` is kinds with commas between them, such as token_issue,token_revoke, not `{given}`.");
        return kinds.Select(ControlKinds.ProblemOf).FirstOrDefault(problem => problem is not null) is { } refused ? throw new UsageException($"`{Kinds.Name}`: {refused}") : kinds;
    }

    static Timestamp? TimeOf(Call call, Option<string> option) => call.Get(option) is not { } text ? null
        : Timestamp.TryParse(text, out var time, out var refusal) ? time
        : throw new UsageException($"`{option.Name}`: {refusal.Message}");

    /// <summary>Every page of what the command line asks for, until there is no more, or <paramref name="write"/> wants none.</summary>
    static async Task WalkAsync(Call call, IStore store, AuditFilter filter, Func<ControlRecord, Task<bool>> write, CancellationToken cancellation)
    {
        var after = (ulong)(call.Get(After) ?? 0);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var page = await store.ReadAuditAsync(after, Limits.PageItemsMax, filter, cancellation).ConfigureAwait(false);
            foreach (var item in page.Items)
            {
                if (!await write(item).ConfigureAwait(false))
                    return;
            }

            if (page.End)
                return;
            after = page.ReachedPosition;
        }
    }

    static Task<ExitCode> ListAsync(Call call, CancellationToken cancellation)
    {
        var filter = FilterOf(call);
        return Link.ToExistingAsync(
            call,
            async store =>
            {
                var left = call.Get(Take) ?? long.MaxValue;
                var array = call.Json ? new JsonText().BeginArray() : null;
                if (left > 0)
                {
                    await WalkAsync(
                        call, store, filter,
                        async item =>
                        {
                            if (array is null)
                            {
                                await call.Shell.Out.WriteAsync(LineOf(item)).ConfigureAwait(false);
                            }
                            else
                            {
                                Entry(array, item);
                                await array.DrainAsync(call.Shell.Out).ConfigureAwait(false);
                            }

                            return --left > 0;
                        },
                        cancellation).ConfigureAwait(false);
                }

                if (array is not null)
                    await call.Shell.Out.WriteAsync(array.EndArray().ToString()).ConfigureAwait(false);
                return ExitCode.Done;
            },
            absent: () =>
            {
                call.Shell.Out.Write(call.Json ? "[]\n" : "");
                return ExitCode.Done;
            },
            cancellation);
    }

    static Task<ExitCode> ExportAsync(Call call, CancellationToken cancellation)
    {
        var (filter, output) = (FilterOf(call), call.Get(Output)!);
        return Link.ToExistingAsync(
            call,
            async store =>
            {
                var path = output == "-" ? null : call.Shell.Resolve(output);
                var written = 0L;
                if (path is null)
                    await WriteLinesAsync(line => call.Shell.Out.WriteAsync(Encoding.UTF8.GetString(line.Span))).ConfigureAwait(false);
                else
                    await WriteFileAsync(path, WriteLinesAsync, cancellation).ConfigureAwait(false);
                var said = call.Json
                    ? new JsonText().BeginObject().Member("path", output).Member("entries", written).EndObject().ToString()
                    : FormattableString.Invariant($"wrote {written} entries{(path is null ? "" : $" to {output}")}\n");
                await (path is null ? call.NoteAsync(said.TrimEnd()) : call.Shell.Out.WriteAsync(said)).ConfigureAwait(false);
                return ExitCode.Done;

                Task WriteLinesAsync(Func<ReadOnlyMemory<byte>, Task> write)
                {
                    var line = new System.Buffers.ArrayBufferWriter<byte>();
                    return WalkAsync(
                        call, store, filter,
                        async item =>
                        {
                            line.ResetWrittenCount();
                            Wire.WriteAudit(line, item);
                            System.Buffers.BuffersExtensions.Write(line, "\n"u8);
                            await write(line.WrittenMemory).ConfigureAwait(false);
                            written++;
                            return true;
                        },
                        cancellation);
                }
            },
            absent: () => throw new RefusedException(RefusalCode.NotFound, "There is no audit to export: there is no store yet."),
            cancellation);
    }

    /// <summary>All of it, or nothing: the file takes its name when it is whole and on disk.</summary>
    static async Task WriteFileAsync(string path, Func<Func<ReadOnlyMemory<byte>, Task>, Task> writeAsync, CancellationToken cancellation)
    {
        var temporary = path + DurableFile.TemporarySuffix;
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Share = FileShare.None, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = DurableFile.Mode;
        try
        {
            var file = new FileStream(temporary, options);
            await using (file.ConfigureAwait(false))
            {
                await writeAsync(line => file.WriteAsync(line, cancellation).AsTask()).ConfigureAwait(false);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            DurableFile.CleanUp(path);
            throw;
        }
    }

    static string LineOf(ControlRecord item) => PlainText.Of(FormattableString.Invariant(
        $"position={item.Position} at={item.CreatedAt} kind={item.Kind} subject={item.Subject} by={(item.Actor is { } actor ? $"{actor.Group}/{actor.User}" : "nobody")} from={(item.From is { } from ? from : "unknown")} body={Encoding.UTF8.GetString(item.Body.Span)}")) + "\n";

    static void Entry(JsonText json, ControlRecord item)
    {
        json.BeginObject()
            .Member("position", item.Position)
            .Member("kind", item.Kind)
            .Member("subject", item.Subject)
            .Member("created_at", item.CreatedAt.ToString())
            .Name("issued_by").Actor(item.Actor)
            .Member("from", item.From);
        json.Name("body").Value(item.Body).Member("hash", item.Hash.ToString()).EndObject();
    }
}
