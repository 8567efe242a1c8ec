using System.Buffers;
using EventDbx.Staging;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate commit | unstage</c>, and what <c>apply --stage</c> and <c>list --stage</c> do: appends that wait.</summary>
internal static class AggregateStaging
{
    static readonly Slot EventId = new("--event-id", "ID", "The id of the staged event, as `aggregate list --stage` shows it.") { Optional = true };
    static readonly Option<bool> All = Options.Switch("--all", "All of them.");

    public static Verb Commit() => new("commit", "Commit everything that is staged in one batch: all of it, or nothing.")
    {
        Remarks = ["With a token: what that token may append to; the rest stays staged.", "Prints the records. When it is interrupted, commit again: what was committed is not appended twice."],
        Examples =
        [
            new("dbx aggregate commit", "In the order in which it was staged."),
            new("dbx aggregate commit --json", "The records as an array."),
        ],
        Options = { AccessToken.Option },
        Run = (call, cancellation) => Link.ToExistingAsync(
            call,
            async store => await WriteAsync(call, await store.CommitStagedAsync(cancellation).ConfigureAwait(false)).ConfigureAwait(false),
            absent: () => WriteNothing(call, "no staged events to commit"),
            cancellation),
    };

    public static Verb Unstage() => new("unstage", "Take a staged event back, or all of them.", EventId)
    {
        Examples =
        [
            new("dbx aggregate unstage 01890a5d-ac96-774b-bcce-b302099a8057", "One, by its id."),
            new("dbx aggregate unstage --all", "All of them."),
        ],
        Options = { All, AccessToken.Option },
        Check = call =>
        {
            if (call.Get(All) == (call.Find(EventId) is not null))
                throw new UsageException("Give the ID of a staged event, or `--all`.");
        },
        Run = UnstageAsync,
    };

    /// <summary>Stages an append.</summary>
    public static async Task<ExitCode> StageAsync(Call call, IStore store, EventDraft draft, CancellationToken cancellation)
    {
        var staged = await store.StageAsync(draft, cancellation).ConfigureAwait(false);
        if (call.Json)
            await call.Shell.Out.WriteAsync(Write(new JsonText(), staged).ToString()).ConfigureAwait(false);
        else
            await call.Shell.Out.WriteAsync("event staged for later commit\n").ConfigureAwait(false);
        return ExitCode.Done;
    }

    /// <summary>Shows what is staged: one JSON object after the other, or one array.</summary>
    public static Task<ExitCode> ListAsync(Call call, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            var staged = await store.GetStagedAsync(cancellation).ConfigureAwait(false);
            if (staged.Count == 0)
                return WriteNothing(call, "no staged events");
            var array = new JsonText().BeginArray();
            foreach (var one in staged)
            {
                if (call.Json)
                    Write(array, one);
                else
                    await call.Shell.Out.WriteAsync(Write(new JsonText(), one).ToString()).ConfigureAwait(false);
            }

            if (call.Json)
                await call.Shell.Out.WriteAsync(array.EndArray().ToString()).ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () => WriteNothing(call, "no staged events"),
        cancellation);

    static async Task<ExitCode> UnstageAsync(Call call, CancellationToken cancellation)
    {
        Guid? id = call.Find(EventId) is not { } text ? null
            : EventIds.TryParse(text, out var parsed, out var refusal) ? parsed
            : throw new UsageException($"ID: {refusal.Message}");
        return await Link.ToExistingAsync(
            call,
            async store => Unstaged(call, await store.UnstageAsync(id, cancellation).ConfigureAwait(false)),
            absent: () => id is null
                ? Unstaged(call, 0)
                : throw new RefusedException(RefusalCode.NotFound, $"No staged event has the id {id}: there is no store yet."),
            cancellation).ConfigureAwait(false);
    }

    static ExitCode Unstaged(Call call, int count)
    {
        call.Shell.Out.Write(call.Json ? new JsonText().BeginObject().Member("unstaged", count).EndObject().ToString() : $"unstaged {count} event(s)\n");
        return ExitCode.Done;
    }

    static ExitCode WriteNothing(Call call, string text)
    {
        call.Shell.Out.Write(call.Json ? "[]\n" : text + "\n");
        return ExitCode.Done;
    }

    static async Task<ExitCode> WriteAsync(Call call, IReadOnlyList<AppendResult> committed)
    {
        if (committed.Count == 0)
            return WriteNothing(call, "no staged events to commit");
        var array = new JsonText().BeginArray();
        foreach (var result in committed)
        {
            if (call.Json)
                array.Record(result.Record);
            else
                await call.Shell.Out.WriteAsync(new JsonText().Record(result.Record).ToString()).ConfigureAwait(false);
        }

        await call.Shell.Out.WriteAsync(call.Json ? array.EndArray().ToString() : $"committed {committed.Count} event(s)\n").ConfigureAwait(false);
        var known = committed.Count(result => !result.Appended);
        if (known > 0 && !call.Json)
            await call.NoteAsync($"{known} of them had been committed before, and were not appended again.").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static JsonText Write(JsonText json, StagedEvent staged)
    {
        var output = new ArrayBufferWriter<byte>();
        StagedJson.Write(output, staged);
        return json.Value(output.WrittenMemory);
    }
}
