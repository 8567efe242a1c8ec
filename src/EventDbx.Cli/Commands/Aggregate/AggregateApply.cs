using System.Text;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate apply</c>: appends one event.</summary>
internal static class AggregateApply
{
    static readonly Option<string[]> Field = new("--field")
    {
        HelpName = "KEY=VALUE",
        Description = "A member of the payload, as text; give it as often as needed.",
    };

    static readonly Option<string> Payload = Options.Text(
        "--payload", "JSON", "The whole payload: any JSON value. `-` reads standard input, `@FILE` a file.");

    static readonly Option<string> Patch = Options.Text(
        "--patch", "JSON",
        "Instead of a payload: a JSON Patch (RFC 6902) with `add` and `replace`, applied to the state that the event is appended to. " +
        "`-` reads standard input, `@FILE` a file.");

    static readonly Option<string> Note = Options.Text("--note", "TEXT", "A remark beside the event; up to 128 characters.");

    static readonly Option<bool> Stage = Options.Switch("--stage", "Do not append it yet: it waits for `aggregate commit`.");

    static readonly Option<string> EventId = Options.Text(
        "--event-id", "UUID", "An id of your own: the same append under the same id is made once, however often it is asked for.");

    static readonly Option<ulong?> ExpectedVersion = Options.Version(
        "--expected-version", "Append only if the aggregate is at this version; 0: only if it has no events.");

    public static Verb Create() => new("apply", "Append an event.", Slot.AggregateType, Slot.AggregateId, Slot.EventType)
    {
        Remarks =
        [
            "Prints the record once it is on disk. Without a payload and fields the payload is `{}`. The first event makes the " +
            "aggregate; the first command that writes makes the store, encrypted, and says where its key lies.",
        ],
        Examples =
        [
            new("dbx aggregate apply person p-002 patient-added --field name=\"Jane Doe\" --field status=active", "Two fields of text."),
            new("dbx aggregate apply order o-1 order-paid --payload '{\"total\":42.50,\"paid\":true}'", "Numbers and truth stay what they are."),
            new("dbx aggregate apply order o-1 order-moved --patch '[{\"op\":\"replace\",\"path\":\"/address/city\",\"value\":\"Spokane\"}]'", "A part of a field; the event holds the whole field."),
            new("dbx aggregate apply order o-1 order-paid --payload @paid.json --expected-version 3", "Only if nobody was faster."),
            new("dbx aggregate apply order o-1 order-paid --field total=42.50 --stage", "Later, together with others."),
            new("dbx aggregate apply --aggregate order --aggregate-id o-1 --event order-noted --note \"by phone\"", "By name."),
            new("dbx aggregate apply -- order -7 order-placed", "After `--` a name may begin with `-`."),
        ],
        Options = { Field, Payload, Patch, Note, Stage, EventId, ExpectedVersion, AccessToken.Option },
        Check = call =>
        {
            call.NotBoth(Field, Payload);
            call.NotBoth(Patch, Payload);
            call.NotBoth(Patch, Field);
            foreach (var option in (Option<string>[])[Payload, Patch])
            {
                if (call.Get(option) == "-")
                    AccessToken.NotFromInputToo(call, $"`{option.Name} -`");
            }
        },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var draft = new EventDraft
        {
            Aggregate = call.Aggregate,
            EventType = call[Slot.EventType],
            Payload = call.Has(Patch) ? default : await GivenAsync(call, Payload, cancellation).ConfigureAwait(false) ?? FieldsOf(call),
            Patch = await GivenAsync(call, Patch, cancellation).ConfigureAwait(false),
            EventId = IdOf(call),
            ExpectedVersion = call.Get(ExpectedVersion),
            Note = call.Get(Note),
        };
        // Before the store is opened, or made: a slip leaves nothing behind.
        if (draft.Check() is { } refusal)
            throw new RefusedException(refusal);
        return await Link.ToAnyAsync(
            call,
            async store =>
            {
                if (call.Get(Stage))
                    return await AggregateStaging.StageAsync(call, store, draft, cancellation).ConfigureAwait(false);
                var result = await store.AppendAsync(draft, cancellation).ConfigureAwait(false);
                try
                {
                    await call.Shell.Out.WriteAsync(new JsonText().Record(result.Record).ToString()).ConfigureAwait(false);
                    await call.Shell.Out.FlushAsync(cancellation).ConfigureAwait(false);
                }
                catch (OutputFailedException failed)
                {
                    // Else the event is appended a second time by who believes that it was not.
                    throw failed.Of(FormattableString.Invariant(
                        $"The command was carried out (version {result.Record.Version} of {draft.Aggregate} is event {EventIds.Format(result.Record.EventId)})"));
                }

                if (!result.Appended && !call.Json)
                    await call.NoteAsync("This event id is known: this is its event, and nothing was appended.").ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation).ConfigureAwait(false);
    }

    /// <summary>JSON from wherever an option says it is; null without the option.</summary>
    internal static async Task<ReadOnlyMemory<byte>?> GivenAsync(Call call, Option<string> option, CancellationToken cancellation) => call.Get(option) switch
    {
        // The cast matters: a bare null would become empty bytes.
        null => (ReadOnlyMemory<byte>?)null,
        "-" => await ReadAsync(call.Shell.OpenIn(), cancellation).ConfigureAwait(false),
        ['@', .. var path] => await ReadAsync(OpenFile(call, path), cancellation).ConfigureAwait(false),
        var text => Encoding.UTF8.GetBytes(text),
    };

    static FileStream OpenFile(Call call, string path)
    {
        var full = call.Shell.Resolve(path);
        if (Directory.Exists(full))
            throw new IOException($"{path} is a directory, where a file is due.");
        return File.Exists(full) ? File.OpenRead(full) : throw new IOException($"There is no file {path}.");
    }

    static byte[] FieldsOf(Call call)
    {
        Dictionary<string, string> members = [];
        foreach (var field in call.Get(Field) ?? [])
        {
            var at = field.IndexOf('=', StringComparison.Ordinal);
            var name = at < 0 ? "" : field[..at].Trim();
            if (name.Length == 0)
                throw new UsageException($"`--field` takes KEY=VALUE, not `{field}`.");
            members[name] = field[(at + 1)..].Trim();
        }

        var json = new JsonText(pretty: false).BeginObject();
        foreach (var (name, value) in members)
            json.Member(name, value);
        return Encoding.UTF8.GetBytes(json.EndObject().ToString());
    }

    /// <summary>All of it, up to a byte more than a payload may have: enough for the refusal.</summary>
    static async Task<ReadOnlyMemory<byte>> ReadAsync(Stream source, CancellationToken cancellation)
    {
        using (source)
        {
            var bytes = new byte[Limits.PayloadBytesMax + 1];
            var read = await source.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
            return bytes.AsMemory(0, read);
        }
    }

    static Guid? IdOf(Call call) => call.Get(EventId) is not { } text ? null
        : EventIds.TryParse(text, out var id, out var refusal) ? id
        : throw new UsageException($"`--event-id`: {refusal.Message}");
}
