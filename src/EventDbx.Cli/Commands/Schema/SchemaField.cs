using System.Text;
using EventDbx.Schemas;

namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema field …</c>: the columns of a schema.</summary>
internal static class SchemaField
{
    static readonly Slot Field = new("--field", "FIELD", "A top-level field of the payload.");
    static readonly Slot ColumnType = new("--column-type", "COLUMN", "integer, float, decimal(p,s), boolean, text, timestamp, date, json, binary or object.");

    static readonly Option<string> Rules = Options.Text(
        "--rules", "JSON", "Rules, such as {\"required\":true,\"range\":{\"min\":\"0\"}}. `-` reads standard input, `@FILE` a file.");

    static readonly Option<bool> Clear = Options.Switch("--clear", "No rules, nested fields included.");

    public static Noun Create() => new("field", "The types and rules of fields.", Set(), SetRules(), Remove());

    static Verb Set() => new("set", "Set the type of a field, and its rules; those it had are dropped.", Slot.AggregateType, Field, ColumnType)
    {
        Remarks =
        [
            "Rules: required, contains, does_not_contain, regex, format (email, url, credit_card), length {min,max}, range {min,max} as text, " +
            "must_match (a dotted path), properties (of an object).",
        ],
        Examples =
        [
            new("dbx schema field set order total \"decimal(12,2)\" --rules '{\"required\":true}'", "Every event has a total."),
            new("dbx schema field set order email text --rules '{\"format\":\"email\"}'", "A text that is an address."),
            new("dbx schema field set --aggregate order --field paid --column-type boolean", "By name."),
        ],
        Options = { Rules, AccessToken.Option },
        Check = NotTwiceFromInput,
        Run = async (call, cancellation) =>
        {
            List<SchemaEdit> edits = [SchemaEdit.SetColumn(call[Field], TypeOf(call[ColumnType]))];
            if (call.Has(Rules))
                edits.Add(await RulesAsync(call, cancellation).ConfigureAwait(false));
            return await ChangeAsync(call, edits, cancellation).ConfigureAwait(false);
        },
    };

    static Verb SetRules() => new("rules", "Set the rules of a field; its type stays, and so do nested fields unless `properties` is given.", Slot.AggregateType, Field)
    {
        Examples =
        [
            new("dbx schema field rules order email --rules '{\"format\":\"email\",\"length\":{\"max\":200}}'", "In place of those it had."),
            new("dbx schema field rules order email --clear", "Any text."),
        ],
        Options = { Rules, Clear, AccessToken.Option },
        Check = call =>
        {
            call.NotBoth(Rules, Clear);
            if (!call.Has(Rules) && !call.Get(Clear))
                throw new UsageException("Give `--rules JSON`, or `--clear`.");
            NotTwiceFromInput(call);
        },
        Run = async (call, cancellation) => await ChangeAsync(
            call, [call.Get(Clear) ? SchemaEdit.ClearRules(call[Field]) : await RulesAsync(call, cancellation).ConfigureAwait(false)], cancellation).ConfigureAwait(false),
    };

    static Verb Remove() => new("remove", "Remove the type of a field: it may hold anything.", Slot.AggregateType, Field)
    {
        Examples = [new("dbx schema field remove order email", "By position."), new("dbx schema field remove --aggregate order --field email", "By name.")],
        Options = { AccessToken.Option },
        Run = (call, cancellation) => SchemaCommand.ChangeAsync(
            call, [SchemaEdit.RemoveColumn(call[Field])], schema => $"schema={schema.Aggregate} removed_field={call[Field]}", cancellation),
    };

    static void NotTwiceFromInput(Call call)
    {
        if (call.Get(Rules) == "-")
            AccessToken.NotFromInputToo(call, "`--rules -`");
    }

    static Task<ExitCode> ChangeAsync(Call call, IReadOnlyList<SchemaEdit> edits, CancellationToken cancellation) => SchemaCommand.ChangeAsync(
        call, edits, schema => $"schema={schema.Aggregate} field={call[Field]} column={SchemaJson.Text(schema.ColumnTypes[call[Field]])}", cancellation);

    // As JSON, so that what is no type is refused as it is in a file.
    static Column TypeOf(string text) => SchemaJson.ReadColumn(Encoding.UTF8.GetBytes(new JsonText(pretty: false).Value(text).ToString()));

    static async Task<SchemaEdit> RulesAsync(Call call, CancellationToken cancellation)
    {
        var given = await Aggregate.AggregateApply.GivenAsync(call, Rules, cancellation).ConfigureAwait(false);
        var rules = SchemaJson.ReadRules(given!.Value.Span, out var hasProperties);
        return SchemaEdit.SetRules(call[Field], rules, hasProperties);
    }
}
