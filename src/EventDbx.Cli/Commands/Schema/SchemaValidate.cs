namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema validate</c>: an event that is not appended.</summary>
internal static class SchemaValidate
{
    static readonly Option<string> Payload = Options.Text(
        "--payload", "JSON", "The payload of the event. `-` reads standard input, `@FILE` a file.");

    public static Verb Create() => new("validate", "Hold an event against its schema without appending it.", Slot.AggregateType, Slot.EventType)
    {
        Remarks = ["In every restriction mode. A type without a schema takes any event."],
        Examples =
        [
            new("dbx schema validate --aggregate order --event order-paid --payload '{\"total\":42.50}'", "Would it be taken?"),
            new("dbx schema validate order order-paid --payload @paid.json --json", "Everything that it breaks, as JSON."),
        ],
        Options = { Payload, AccessToken.Option },
        Check = call =>
        {
            if (!call.Has(Payload))
                throw new UsageException("`--payload` is missing: give it JSON.");
            if (call.Get(Payload) == "-")
                AccessToken.NotFromInputToo(call, "`--payload -`");
        },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var (type, eventType) = (SchemaCommand.TypeOf(call), call[Slot.EventType]);
        var payload = (await Aggregate.AggregateApply.GivenAsync(call, Payload, cancellation).ConfigureAwait(false))!.Value;
        // Whatever the store holds: what is no JSON would not even become a request.
        if (new EventDraft { Aggregate = AggregateKey.Create(type, "any"), EventType = eventType, Payload = payload }.Check() is { } refusal)
            throw new RefusedException(refusal);
        return await Link.ToExistingAsync(
            call,
            async store =>
            {
                await store.ValidateAsync(type, eventType, payload, cancellation).ConfigureAwait(false);
                return Passed(call, type, eventType);
            },
            absent: () => Passed(call, type, eventType),
            cancellation).ConfigureAwait(false);
    }

    static ExitCode Passed(Call call, string type, string eventType)
    {
        call.Shell.Out.Write(
            call.Json ? new JsonText().BeginObject().Member("aggregate", type).Member("event", eventType).Member("validation", "ok").EndObject().ToString()
            : PlainText.Line($"aggregate={type} event={eventType} validation=ok"));
        return ExitCode.Done;
    }
}
