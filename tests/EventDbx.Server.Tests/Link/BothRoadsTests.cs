using System.Text;
using System.Text.RegularExpressions;
using EventDbx.Cli.Output;
using EventDbx.Server.Tests.Conformance;

namespace EventDbx.Server.Tests.Link;

/// <summary>Every verb with the server running and with it stopped: the same output, the same errors, the same exit codes.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed partial class BothRoadsTests
{
    const string Id = "01890a5d-ac96-774b-bcce-b302099a805";

    /// <summary>Command lines in their order; <c>{jti}</c> is the id of the first token, <c>&lt;</c> what stands behind it is standard input.</summary>
    static IEnumerable<string[]> Script() =>
    [
        ["aggregate", "create", "order", "o-0", "--comment", "reserved"],
        ["aggregate", "create", "order", "o-0"],
        ["aggregate", "create", "order", "o-9", "--json"],
        ["aggregate", "apply", "order", "o-1", "order-placed", "--field", "customer=Jane Doe", "--event-id", Id + "0", "--note", "by phone"],
        ["aggregate", "apply", "order", "o-1", "order-placed", "--field", "customer=Jane Doe", "--event-id", Id + "0", "--note", "by phone"],
        ["aggregate", "apply", "order", "o-1", "order-placed", "--field", "customer=Joe", "--event-id", Id + "0"],
        ["aggregate", "apply", "order", "o-1", "order-paid", "--payload", """{"total":42.50,"paid":true,"big":123456789012345678901234567890}"""],
        ["aggregate", "apply", "order", "o-1", "order-paid", "--expected-version", "7"],
        ["aggregate", "apply", "order", "o-1", "order-paid", "--expected-version", "7", "--json"],
        ["aggregate", "apply", "order", "o-1", "order-paid", "--payload", "{"],
        ["aggregate", "apply", "order", "o-1", "order-paid", "--event-id", "no"],
        ["aggregate", "apply", "order", "o-1"],
        ["aggregate", "apply", "--", "-x", "-y", "-z"],
        ["aggregate", "list"],
        ["aggregate", "list", "--json"],
        ["aggregate", "list", "--take", "1"],
        ["aggregate", "list", "--take", "0"],
        ["aggregate", "list", "--type", "none"],
        ["aggregate", "list", "--cursor", "nonsense!"],
        ["aggregate", "list", "--skip", "1", "--cursor", "AQ"],
        ["aggregate", "get", "order", "o-1"],
        ["aggregate", "get", "order", "o-1", "--typed", "--include-events"],
        ["aggregate", "get", "order", "o-1", "--version", "1", "--fields", "customer,absent"],
        ["aggregate", "get", "order", "o-1", "--at", "2001-01-01T00:00:00Z"],
        ["aggregate", "get", "order", "none"],
        ["aggregate", "get", "order", "..", "--json"],
        ["aggregate", "replay", "order", "o-1"],
        ["aggregate", "replay", "order", "o-1", "--json", "--skip", "1"],
        ["aggregate", "replay", "order", "none"],
        ["aggregate", "verify", "order", "o-1"],
        ["aggregate", "verify", "order", "o-1", "--quick", "--json"],
        ["aggregate", "verify", "order", "none"],
        ["aggregate", "archive", "order", "o-1", "--comment", "year closed"],
        ["aggregate", "apply", "order", "o-1", "order-paid"],
        ["aggregate", "list", "--archived", "true"],
        ["aggregate", "restore", "order", "o-1", "--json"],
        ["aggregate", "archive", "order", "none"],
        ["aggregate", "apply", "order", "o-1", "order-moved", "--patch", """[{"op":"add","path":"/address","value":{"city":"Portland"}},{"op":"replace","path":"/customer","value":"Jo"}]"""],
        ["aggregate", "apply", "order", "o-1", "order-moved", "--patch", "-", "<", """[{"op":"replace","path":"/address/city","value":"Spokane"}]"""],
        ["aggregate", "apply", "order", "o-1", "order-moved", "--patch", """[{"op":"replace","path":"/none/city","value":1}]"""],
        ["aggregate", "apply", "order", "o-1", "order-moved", "--patch", """[{"op":"remove","path":"/customer"}]"""],
        ["aggregate", "apply", "order", "o-1", "order-moved", "--patch", "[", "--json"],
        ["aggregate", "apply", "order", "o-1", "order-moved", "--patch", "[]", "--payload", "{}"],
        ["aggregate", "apply", "order", "o-1", "order-moved", "--patch", "[]", "--field", "a=b"],
        ["aggregate", "diff", "order", "o-1", "--from", "0", "--to", "3"],
        ["aggregate", "diff", "order", "o-1", "--from", "1", "--json"],
        ["aggregate", "diff", "order", "o-1", "--from", "2", "--to", "1"],
        ["aggregate", "diff", "order", "o-1", "--from", "99"],
        ["aggregate", "diff", "order", "o-1"],
        ["aggregate", "diff", "order", "none", "--from", "0"],
        ["aggregate", "snapshots", "order", "o-1"],
        ["aggregate", "snapshot", "order", "o-1", "--comment", "before the audit"],
        ["aggregate", "snapshot", "--aggregate", "order", "--aggregate-id", "o-1", "--json"],
        ["aggregate", "snapshots", "order", "o-1"],
        ["aggregate", "snapshots", "order", "o-1", "--json"],
        ["aggregate", "snapshot", "order", "none"],
        ["aggregate", "snapshots", "order", "none"],
        ["aggregate", "commit"],
        ["aggregate", "commit", "--json"],
        ["aggregate", "list", "--stage"],
        ["aggregate", "list", "--stage", "--json"],
        ["aggregate", "list", "--stage", "--take", "1"],
        ["aggregate", "apply", "cart", "c-1", "filled", "--payload", """{"n":1,"list":[]}""", "--stage"],
        ["aggregate", "apply", "cart", "c-1", "filled", "--patch", """[{"op":"add","path":"/list/-","value":1}]""", "--stage", "--event-id", Id + "3", "--note", "n"],
        ["aggregate", "apply", "cart", "c-1", "filled", "--patch", """[{"op":"add","path":"/list/-","value":1}]""", "--stage", "--json", "--event-id", Id + "3", "--note", "n"],
        ["aggregate", "apply", "cart", "c-1", "filled", "--patch", """[{"op":"add","path":"/list/-","value":2}]""", "--stage", "--event-id", Id + "3"],
        ["aggregate", "apply", "cart", "c-1", "filled", "--stage", "--expected-version", "7"],
        ["aggregate", "apply", "cart", "c-2", "filled", "--stage", "--event-id", Id + "4", "--expected-version", "0"],
        ["aggregate", "list", "--stage"],
        ["aggregate", "list", "--stage", "--json"],
        ["aggregate", "unstage"],
        ["aggregate", "unstage", "no"],
        ["aggregate", "unstage", Id + "4"],
        ["aggregate", "unstage", Id + "4"],
        ["aggregate", "unstage", Id + "4", "--all"],
        ["aggregate", "commit"],
        ["aggregate", "commit"],
        ["aggregate", "get", "cart", "c-1", "--typed"],
        ["aggregate", "apply", "cart", "c-1", "filled", "--stage"],
        ["aggregate", "unstage", "--all", "--json"],
        ["schema", "list"],
        ["schema", "list", "--json"],
        ["schema", "validate", "--aggregate", "bill", "--event", "sent", "--payload", "{}"],
        ["schema", "create", "bill", "--events", "sent,paid", "--events", "lost", "--snapshot-threshold", "10"],
        ["schema", "create", "bill", "--events", "sent"],
        ["schema", "create", "bill"],
        ["schema", "create", "--aggregate", "other", "-e", "a", "--json"],
        ["schema", "create", "..", "--events", "a"],
        ["schema", "create", "blank", "--events", "a,,b"],
        ["schema", "bill"],
        ["schema", "show", "bill"],
        ["schema", "show", "bil"],
        ["schema"],
        ["schema", "ad", "bill", "x"],
        ["schema", "add", "bill", "--events", "reminded,sent"],
        ["schema", "add", "bill", "a", "b,c", "--json"],
        ["schema", "add", "bill"],
        ["schema", "add", "none", "a"],
        ["schema", "remove", "bill", "lost"],
        ["schema", "remove", "bill", "lost"],
        ["schema", "remove", "other", "a", "--json"],
        ["schema", "annotate", "bill", "paid", "--note", "by \"card\""],
        ["schema", "annotate", "bill", "paid", "--clear", "--json"],
        ["schema", "annotate", "bill", "paid"],
        ["schema", "annotate", "bill", "paid", "--note", "a", "--clear"],
        ["schema", "annotate", "bill", "none", "--note", "a"],
        ["schema", "field", "set", "bill", "total", "decimal(12,2)", "--rules", """{"required":true,"range":{"min":"0"}}"""],
        ["schema", "field", "set", "bill", "email", "text", "--rules", "-", "<", """{"format":"email"}"""],
        ["schema", "field", "set", "bill", "email", "txt"],
        ["schema", "field", "set", "bill", "email", "integer", "--rules", """{"regex":["("]}"""],
        ["schema", "field", "rules", "bill", "email", "--rules", """{"format":"email","length":{"max":20}}""", "--json"],
        ["schema", "field", "rules", "bill", "none", "--rules", "{}"],
        ["schema", "field", "rules", "bill", "email", "--clear"],
        ["schema", "field", "rules", "bill", "email"],
        ["schema", "field", "rules", "bill", "email", "--rules", """{"format":"email"}"""],
        ["schema", "field", "set", "--aggregate", "bill", "--field", "other", "--column-type", "json"],
        ["schema", "field", "remove", "bill", "other"],
        ["schema", "event", "fields", "bill", "paid", "--add", "total,email", "--remove", "none"],
        ["schema", "event", "fields", "bill", "paid"],
        ["schema", "event", "fields", "bill", "none"],
        ["schema", "threshold", "bill", "5"],
        ["schema", "threshold", "bill", "--clear", "--json"],
        ["schema", "threshold", "bill"],
        ["schema", "threshold", "bill", "many"],
        ["schema", "lock", "bill", "--field", "tenant"],
        ["schema", "lock", "bill"],
        ["aggregate", "apply", "bill", "b-1", "sent", "--payload", """{"total":1}"""],
        ["schema", "unlock", "bill"],
        ["schema", "hide", "--aggregate", "bill", "--field", "email"],
        ["schema", "unhide", "bill", "--field", "email", "--json"],
        ["schema", "hide", "bill"],
        ["schema", "unhide", "bill"],
        ["schema", "list"],
        ["schema", "list", "--json"],
        ["schema", "validate", "--aggregate", "bill", "--event", "sent", "--payload", """{"total":1.50}"""],
        ["schema", "validate", "bill", "sent", "--payload", """{"total":1.505,"email":"nowhere","tenant":1}"""],
        ["schema", "validate", "bill", "sent", "--payload", "-", "--json", "<", """{"total":-1}"""],
        ["schema", "validate", "bill", "sent", "--payload", "{"],
        ["schema", "validate", "bill", "none", "--payload", "{}", "--json"],
        ["aggregate", "apply", "bill", "b-1", "sent", "--payload", """{"total":1.505,"email":"nowhere","tenant":1}"""],
        ["aggregate", "apply", "bill", "b-1", "sent", "--payload", """{"total":1.505}""", "--json"],
        ["aggregate", "apply", "bill", "b-1", "paid", "--payload", """{"total":1.5,"email":"jane@example.com"}"""],
        ["aggregate", "apply", "bill", "b-1", "paid", "--patch", """[{"op":"replace","path":"/total","value":"much"}]"""],
        ["aggregate", "apply", "bill", "b-1", "none", "--stage"],
        ["schema", "diff", "-", "<", """{"bill":{"events":{"sent":{}}},"new":{"events":{"a":{"fields":["b"]}},"column_types":{"b":"text"}}}"""],
        ["schema", "diff", "-", "--prune", "--json", "<", """{"bill":{"events":{"sent":{}}},"new":{"events":{"a":{"fields":["b"]}},"column_types":{"b":"text"}}}"""],
        ["schema", "apply", "-", "--check", "<", """{"bill":{"events":{"sent":{}}},"new":{"events":{"a":{}}}}"""],
        ["schema", "apply", "-", "<", """{"bill":{"events":{"sent":{}}},"new":{"events":{"a":{}}}}"""],
        ["schema", "apply", "-", "<", """{"bill":{"events":{"sent":{}}},"new":{"events":{"a":{}}}}"""],
        ["schema", "apply", "-", "--check", "--json", "<", """{"bill":{"events":{"sent":{}}},"new":{"events":{"a":{}}}}"""],
        ["schema", "apply", "-", "--prune", "<", """{"bill":{"events":{"sent":{}}}}"""],
        ["schema", "apply", "-", "<", """{"bill":{"evnts":{}}}"""],
        ["schema", "apply", "no-such-file"],
        ["schema", "drop", "bill"],
        ["schema", "drop", "bill", "--json"],
        ["schema", "list"],
        ["log", "checkpoint", "--wait"],
        ["log", "checkpoint", "--wait", "--json"],
        ["log", "key"],
        ["log", "key", "--json"],
        ["log", "consistency", "--from", "3", "--to", "9"],
        ["log", "consistency", "--from", "9", "--to", "3"],
        ["log", "consistency", "--from", "9", "--to", "99999"],
        ["log", "consistency"],
        ["log", "anchor", "anchors"],
        ["log", "anchor", "anchors"],
        ["log", "anchor", "--dir", "anchors", "--json"],
        ["log", "anchor"],
        ["log", "mirror", "mirror"],
        ["log", "mirror", "--dir", "mirror", "--json"],
        ["aggregate", "proof", "order", "o-1", "2"],
        ["aggregate", "proof", "--aggregate", "order", "--aggregate-id", "o-1", "--version", "2", "--size", "3", "-o", "receipt.json"],
        ["aggregate", "proof", "order", "o-1", "99"],
        ["aggregate", "proof", "order", "o-1", "0"],
        ["aggregate", "proof", "order", "o-1", "2", "--size", "1"],
        ["aggregate", "proof", "order", "o-1", "--from", "1"],
        ["aggregate", "proof", "order", "o-1", "--from", "2", "--to", "3"],
        ["aggregate", "proof", "order", "o-1", "--from", "3", "--to", "2"],
        ["aggregate", "proof", "order", "o-1", "2", "--from", "1"],
        ["aggregate", "proof", "order", "o-1", "--to", "1"],
        ["aggregate", "proof", "order", "o-1"],
        ["aggregate", "proof", "order", "none", "1"],
        ["aggregate", "export", "order", "o-1", "--evidence", "--output", "-"],
        ["aggregate", "export", "order", "o-1", "o-2", "--evidence", "--output", "two.ndjson"],
        ["aggregate", "export", "order", "o-1", "--evidence", "--output", "one.ndjson", "--json"],
        ["aggregate", "export", "order", "--evidence", "--since", "3", "--output", "-"],
        ["aggregate", "export", "--all", "--evidence", "--output", "-"],
        ["aggregate", "export", "--evidence", "--whole-log", "--since", "99999", "--output", "-"],
        ["aggregate", "export", "--evidence", "--whole-log", "--output", "-"],
        ["aggregate", "export", "order", "..", "--evidence", "--output", "-"],
        ["aggregate", "export", "--evidence", "--output", "-"],
        ["aggregate", "export", "order", "o-1", "--output", "-"],
        ["aggregate", "export", "order", "--since", "3", "--output", "x.csv"],
        ["aggregate", "export", "order", "--evidence", "--since", "@none", "--output", "-"],
        ["aggregate", "export", "order", "--evidence", "--whole-log", "--output", "-"],
        ["aggregate", "export", "order", "--evidence", "--zip", "--output", "-"],
        ["aggregate", "remove", "order", "o-1"],
        ["aggregate", "remove", "order", "o-0"],
        ["aggregate", "remove", "order", "o-9", "--json"],
        ["aggregate", "remove", "order", "o-0"],
        ["import", "-", "<", """{"aggregate_type":"item","aggregate_id":"i-1","event_type":"made","payload":{"n":1}}""" + "\n\n" + """{"aggregate_type":"item","aggregate_id":"i-2","event_type":"made","payload":null}"""],
        ["import", "-", "<", """{"aggregate_type":"item","aggregate_id":"i-1","event_type":"made","payload":{"n":1}}"""],
        ["import", "-", "<", """{"aggregate_type":"item","aggregate_id":"i-3","event_type":"made","payload":1}""" + "\n" + """{"aggregate_type":"item","aggregate_id":"i-3","event_type":"made","payload":2,"expected_version":9}""" + "\n"],
        ["import", "-", "<", """{"aggregate_type":"item","aggregate_id":"i-4","event_type":"made","payload":1}""" + "\n" + """{"aggregate_type":"item","aggregate_id":"i-4","event_type":"made","payload":"\ud800"}""" + "\n"],
        ["import", "-", "--json", "<", """{"aggregate_type":"item","aggregate_id":"i-5","event_type":"made","payload":{"a":1,"a":2},"event_id":"01890a5d-ac96-774b-bcce-b302099a8059"}""" + "\n"],
        ["import", "-", "<", $$$"""{"aggregate_type":"old","aggregate_id":"r-1","event_type":"made","payload":{},"metadata":{"event_id":"{{{Id}}}8","created_at":"2020-01-02T03:04:05Z","issued_by":{"group":"g","user":"u"},"note":"n","salt":"AAAAAAAAAAAAAAAAAAAAAA"}}"""],
        ["import", "-", "<", $$$"""{"aggregate_type":"old","aggregate_id":"r-1","event_type":"made","payload":{},"version":7,"metadata":{"event_id":"{{{Id}}}9","created_at":"2020-01-02T03:04:05Z","issued_by":null}}"""],
        ["import", "-", "<", $$$"""{"aggregate_type":"old","aggregate_id":"r-1","event_type":"made","payload":{},"hash":"{{{new string('0', 64)}}}","metadata":{"event_id":"{{{Id}}}9","created_at":"2020-01-02T03:04:05Z","issued_by":null,"salt":"AAAAAAAAAAAAAAAAAAAAAA"}}"""],
        ["import", "no-such-file"],
        ["token", "list"],
        ["token", "list", "--json"],
        ["token", "generate", "--group", "shop", "--user", "till", "--action", "aggregate.append", "--resource", "aggregate:order:*", "--limit", "3", "--expiration", "3600"],
        ["token", "generate", "shop", "office", "--keep-alive", "--ttl=0", "--subject", "the office", "--issued-by", "me", "--json"],
        ["token", "generate", "--group", "ops", "--user", "root", "--root"],
        ["token", "generate", "--group", "ops", "--user", "x", "--action", "agregate.read"],
        ["token", "generate", "--group", "ops"],
        ["token", "generate", "--group", "ops", "--user", "x", "--resource", "order"],
        ["token", "list"],
        ["token", "refresh", "{jti}", "--write-limit", "9"],
        ["token", "refresh", "{jti}"],
        ["token", "revoke", "{jti}", "--reason", "again", "--json"],
        ["token", "generate", "--group", "audit", "--user", "eve", "--auditor", "--resource", "aggregate:order:o-1", "--json"],
        ["token", "generate", "--group", "audit", "--user", "eve", "--auditor"],
        ["token", "generate", "--group", "audit", "--user", "eve", "--auditor", "--root", "--resource", "*"],
        ["token", "rotate-secret", "--overlap", "60", "--json"],
        ["token", "rotate-secret", "--overlap", "-1"],
        ["token", "revoke", "nothing-of-the-kind"],
        ["token", "revoke", "-", "<", "{jti}"],
        ["token", "list", "--json"],
        ["aggregate", "list", "--token", "garbage"],
        ["aggregate", "list", "--token", "env:ABSENT"],
        .. RemoteScript,
        ["verify", "--all"],
        ["verify", "--all", "--json"],
        ["verify"],
        ["audit", "list"],
        ["audit", "list", "--kind", "create,archive", "--json"],
        ["audit", "list", "--take", "2", "--group", "cli"],
        ["audit", "list", "--subject", "none"],
        ["audit", "export", "--output", "-"],
        ["audit", "export"],
        ["plugin", "list"],
        ["plugin", "test"],
        ["queue"],
        ["plugin", "config", "log", "trail", "--level", "warn", "--disable"],
        ["plugin", "config", "tcp", "--name", "pipe", "--host", "h.invalid", "--port", "9", "--disable", "--json"],
        ["plugin", "config", "http", "hook", "hooks.invalid/e", "--header", "X-Key=k", "--type", "order", "--disable", "--json"],
        ["plugin", "config", "grpc", "trail", "h", "--disable"],
        ["plugin", "list"],
        ["plugin", "list", "--json"],
        ["plugin", "test", "trail"],
        ["plugin", "test", "trail", "--json"],
        ["plugin", "test", "pipe"],
        ["plugin", "test", "none", "--json"],
        ["plugin", "disable", "trail"],
        ["plugin", "replay", "trail", "order", "o-1"],
        ["plugin", "enable", "trail"],
        ["plugin", "enable", "trail", "--json"],
        ["plugin", "replay", "trail", "order", "o-1"],
        ["plugin", "replay", "trail", "order", "--json"],
        ["plugin", "replay", "trail", "order", "none"],
        ["plugin", "remove", "trail"],
        ["plugin", "disable", "trail"],
        ["plugin", "remove", "trail"],
        ["plugin", "remove", "hook", "--json"],
        ["queue", "--plugin", "pipe", "--json"],
        ["queue", "retry"],
        ["queue", "retry", "--plugin", "none"],
        ["queue", "retry", "--json"],
        ["queue", "clear"],
        ["queue", "clear", "--json"],
    ];

    [Fact]
    public async Task Every_verb_says_the_same_with_the_server_running_and_with_it_stopped()
    {
        var direct = await RunAsync(running: false);
        var served = await RunAsync(running: true);

        Assert.Equal(direct, served);
        // Not the same because both refuse everything.
        Assert.True(direct.Count(said => said.Contains("\n0\n", StringComparison.Ordinal)) > 90);
    }

    [Fact]
    public async Task Every_verb_says_the_same_on_another_machine()
    {
        List<string> served, remote;
        await using (var elsewhere = await RemoteCli.StartAsync())
            served = await RunAsync(elsewhere.Owner);
        await using (var elsewhere = await RemoteCli.StartAsync())
        {
            remote = await RunAsync(elsewhere.Line);
            Assert.True(elsewhere.LeftNothing);
        }

        Assert.Equal(served, remote);
        Assert.True(remote.Count(said => said.Contains("\n0\n", StringComparison.Ordinal)) > 90);
    }

    static async Task<List<string>> RunAsync(bool running)
    {
        using var line = new CommandLine();
        // The first command that writes makes the key; what it says of it is not what is compared here.
        await line.RunAsync("aggregate", "create", "first", "one");
        await using var server = running ? await RunningServer.StartAsync(line) : null;
        return await RunAsync(line);
    }

    static async Task<List<string>> RunAsync(CommandLine line)
    {
        List<string> said = [];
        var jti = "";
        foreach (var arguments in Script())
        {
            var at = Array.IndexOf(arguments, "<");
            line.Input = at < 0 ? "" : arguments[at + 1].Replace("{jti}", jti, StringComparison.Ordinal);
            string[] given = [.. (at < 0 ? arguments : arguments[..at]).Select(argument => argument.Replace("{jti}", jti, StringComparison.Ordinal))];
            var outcome = await line.RunAsync(given);
            if (jti.Length == 0 && outcome.Out.StartsWith("token=", StringComparison.Ordinal))
                jti = outcome.Out.Split("jti=")[1].Split('\n')[0];
            said.Add($"dbx {string.Join(' ', arguments)}\n{(int)outcome.Code}\n{Normal(outcome.Out, line)}\n--\n{Normal(outcome.Error, line)}");
        }

        return said;
    }

    static string Normal(string text, CommandLine line)
    {
        text = text.Replace(line.Directory.Path, "HOME", StringComparison.Ordinal);
        text = Token().Replace(text, "TOKEN");
        text = SecretName().Replace(text, "KEY-ID");
        text = Hash().Replace(text, "HASH");
        text = KeyId().Replace(text, "+ID+");
        text = Salt().Replace(text, "\"salt\":\"SALT\"");
        // That they come by different ways is what they are to say.
        text = From().Replace(text, "$1WAY");
        text = Uuid().Replace(text, match => match.Value.StartsWith(Id, StringComparison.Ordinal) ? match.Value : "UUID");
        text = Base64().Replace(text, "BASE64");
        text = Time().Replace(text, match => match.Value.StartsWith("2020", StringComparison.Ordinal) ? match.Value : "TIME");
        text = Rate().Replace(text, "RATE");
        // A server signs by itself, a command only when it is asked to.
        text = Signed().Replace(text, "SIGNED");
        // How many ids clients chose: through a server, a command chooses one for each append.
        return Seconds().Replace(text, "\"$1\": N");
    }

    [GeneratedRegex("eyJ[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+")]
    private static partial Regex Token();

    [GeneratedRegex("key-[0-9]{14}(-[0-9]+)?")]
    private static partial Regex SecretName();

    [GeneratedRegex("[A-Za-z0-9+/]{40,}={0,2}")]
    private static partial Regex Base64();

    [GeneratedRegex("\\+[0-9a-f]{8}\\+")]
    private static partial Regex KeyId();

    [GeneratedRegex("(from=|\"from\": ?\")(socket|directory|rest [0-9a-f.:]+)")]
    private static partial Regex From();

    [GeneratedRegex("\"salt\":\"[^\"]+\"")]
    private static partial Regex Salt();

    [GeneratedRegex("[0-9a-f]{64}")]
    private static partial Regex Hash();

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")]
    private static partial Regex Uuid();

    [GeneratedRegex("20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")]
    private static partial Regex Time();

    [GeneratedRegex("in [0-9.]+ s \\([0-9,]+ events/s\\)")]
    private static partial Regex Rate();

    [GeneratedRegex("[0-9,]+ checkpoints? (is a prefix|are prefixes) of the log, the newest of [0-9,]+ entries|\"checkpoints\": [0-9]+|\"newest_checkpoint\": \\{[^}]*\\}")]
    private static partial Regex Signed();

    [GeneratedRegex("\"(seconds|client_ids|bytes)\": [0-9.]+")]
    private static partial Regex Seconds();
}
