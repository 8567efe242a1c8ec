using System.Globalization;
using System.Text;

namespace EventDbx.Cli.Commands.Plugin;

/// <summary><c>dbx plugin config …</c>: how a plugin is reached, and what it gets.</summary>
/// <remarks>Whatever it says replaces all that was said of the plugin before; its place in the log stays.</remarks>
internal static class PluginConfigure
{
    static readonly Slot Host = new("--host", "HOST", "A host name, or an address.");
    static readonly Slot Port = new("--port", "PORT", "A TCP port, 1 to 65535.");
    static readonly Slot Endpoint = new("--endpoint", "ENDPOINT", "A URL, or host and path.");
    static readonly Slot Installed = new("--plugin", "ID", "The installed plugin, see `dbx plugin install`.");
    static readonly Slot InstalledVersion = new("--version", "VERSION", "The version of it.");

    static readonly Option<bool> Disable = Options.Switch("--disable", "Keep it disabled for now.");
    static readonly Option<string[]> Types = Several("--type", "TYPE", "Only events of these aggregate types; as often as needed (default: all).");
    static readonly Option<string[]> Events = Several("--event", "EVENT", "Only events of these types; as often as needed (default: all).");
    static readonly Option<bool> HoldOnDead = Options.Switch("--hold-on-dead", "An event that is given up holds its aggregate, until it is retried or cleared.");
    static readonly Option<bool> ExactState = Options.Switch("--exact-state", "Send the state after the event, not the newest.");
    static readonly Option<bool> Https = Options.Switch("--https", "Use https where the endpoint names no scheme.");
    static readonly Option<string[]> Headers = Several("--header", "KEY=VALUE", "A header of each request; as often as needed. KEY=@FILE and KEY=env:NAME keep a secret off the command line.");
    static readonly Option<string> SigningSecret = Options.Text("--signing-secret-file", "FILE", "Sign each request with the secret in this file (HMAC-SHA256).");
    static readonly Option<bool> FollowRedirects = Options.Switch("--follow-redirects", "Go where the endpoint sends on to (307 and 308).");
    static readonly Option<string?> Level = Options.OneOf("--level", "Of its lines in the server's log (default: info).", "trace", "debug", "info", "warn", "error");
    static readonly Option<string> Template = Options.Text("--template", "TEXT", "The line, with {aggregate}, {id} and {event} (default: aggregate={aggregate} id={id} event={event}).");
    static readonly Option<string[]> Args = Several("--arg", "ARG", "An argument of the program; as often as needed, and `--arg=--flag` for one that dbx knows itself.");
    static readonly Option<string[]> Env = Several("--env", "KEY=VALUE", "A variable of the program; as often as needed. KEY=@FILE and KEY=env:NAME keep a secret off the command line.");
    static readonly Option<string> WorkingDir = Options.Text("--working-dir", "PATH", "Where the program runs (default: where it is installed).");

    /// <summary>What each kind has in common.</summary>
    static readonly string[] Remarks =
    [
        "It is enabled unless `--disable` is given, and not reached for it; `dbx plugin enable` asks whether it is there. A new plugin begins behind the newest " +
        "event, one that is there keeps its place. What is said replaces all that was said before.",
    ];

    public static Noun Create() => new("config", "Set a plugin up, or change it.", Tcp(), Http(), Grpc(), Log(), Process());

    static Verb Tcp() => new("tcp", "A socket that gets one line of JSON for each event.", PluginCommand.Name, Host, Port)
    {
        Remarks = Remarks,
        Examples =
        [
            new("dbx plugin config tcp --name pipe --host 10.0.0.9 --port 9100", "Every event."),
            new("dbx plugin config tcp pipe 10.0.0.9 9100 --type order --disable", "Those of orders, once it is enabled."),
        ],
        Options = { Types, Events, HoldOnDead, Disable, AccessToken.Option },
        Run = (call, cancellation) => SetAsync(call, "TCP", "tcp", json => json.Member("host", call[Host]).Member("port", PortOf(call)), cancellation),
    };

    static Verb Http() => new("http", "An HTTP endpoint that gets a POST for each event.", PluginCommand.Name, Endpoint)
    {
        Remarks = Remarks,
        Examples =
        [
            new("dbx plugin config http --name hook --endpoint hooks.example/events --https", "Every event."),
            new("dbx plugin config http hook https://hooks.example/events --header X-Key=@key.txt --signing-secret-file secret.txt", "With a secret header, and signed."),
            new("dbx plugin config http hook https://hooks.example/events --event order-paid --hold-on-dead", "One kind of event; one that is given up holds its aggregate."),
        ],
        Options = { Https, Headers, SigningSecret, FollowRedirects, Types, Events, HoldOnDead, Disable, AccessToken.Option },
        Run = async (call, cancellation) =>
        {
            var headers = await PairsAsync(call, Headers, "header", StringComparer.OrdinalIgnoreCase, cancellation).ConfigureAwait(false);
            var secret = call.Get(SigningSecret) is { } file ? await SecretText.ReadAsync(SigningSecret.Name, $"@{file}", call.Shell, cancellation).ConfigureAwait(false) : null;
            return await SetAsync(
                call, "HTTP", "http",
                json =>
                {
                    json.Member("endpoint", call[Endpoint].Trim());
                    Pairs(json, "headers", headers);
                    json.Member("https", call.Get(Https));
                    if (secret is not null)
                        json.Member("signing_secret", secret);
                    if (call.Get(FollowRedirects))
                        json.Member("follow_redirects", true);
                },
                cancellation).ConfigureAwait(false);
        },
    };

    static Verb Grpc() => new("grpc", "A listener of the replication service, which gets batches of events.", PluginCommand.Name, Endpoint)
    {
        Remarks = [.. Remarks, "Schemes are grpc, grpcs, http and https; without one it is grpc, which does not encrypt."],
        Examples =
        [
            new("dbx plugin config grpc --name audit-grpc --endpoint grpc://replica.internal:8800", "Every event."),
            new("dbx plugin config grpc mirror grpcs://mirror.example:7070 --header authorization=@bearer.txt", "Another EventDBX, with TLS and a token."),
        ],
        Options = { Headers, Types, Events, HoldOnDead, Disable, AccessToken.Option },
        Run = async (call, cancellation) =>
        {
            var headers = await PairsAsync(call, Headers, "header", StringComparer.OrdinalIgnoreCase, cancellation).ConfigureAwait(false);
            return await SetAsync(
                call, "gRPC", "grpc",
                json =>
                {
                    var endpoint = call[Endpoint].Trim();
                    json.Member("endpoint", endpoint.Contains("://", StringComparison.Ordinal) ? endpoint : $"grpc://{endpoint}");
                    if (headers.Count > 0)
                        Pairs(json, "headers", headers);
                },
                cancellation).ConfigureAwait(false);
        },
    };

    static Verb Log() => new("log", "A line in the log of the server for each event.", PluginCommand.Name)
    {
        Remarks = Remarks,
        Examples =
        [
            new("dbx plugin config log --name trail --level info", "Every event."),
            new("dbx plugin config log trail --level warn --template \"{event} on {aggregate}/{id}\" --event order-lost", "In words of its own."),
        ],
        Options = { Level, Template, Types, Events, HoldOnDead, Disable, AccessToken.Option },
        Run = (call, cancellation) => SetAsync(
            call, "Log", "log", json => json.Member("level", call.Get(Level) ?? "info").Member("template", call.Get(Template)), cancellation),
    };

    static Verb Process() => new("process", "A program on this machine that gets events on its standard input.", PluginCommand.Name, Installed, InstalledVersion)
    {
        Remarks = [.. Remarks, "The program runs as whoever runs the server, so it is set up on this machine only. Arguments are seen by everybody on it: give secrets as `--env`."],
        Examples =
        [
            new("dbx plugin config process --name search --plugin dbx_search --version 1.0.0 --arg \"--listen=0.0.0.0:8081\" --env SEARCH_CLUSTER=https://example.com", "An installed plugin."),
            new("dbx plugin config process search dbx_search 1.1.0 --env API_KEY=@key.txt --exact-state", "Its next version, with a secret."),
        ],
        Options = { Args, Env, WorkingDir, ExactState, Types, Events, HoldOnDead, Disable },
        Run = async (call, cancellation) =>
        {
            var env = await PairsAsync(call, Env, "env", StringComparer.Ordinal, cancellation).ConfigureAwait(false);
            var (id, version) = (call[Installed].Trim(), call[InstalledVersion].Trim());
            PluginInstall.DemandInstalled(call, id, version);
            return await SetAsync(
                call, "Process", "process",
                json =>
                {
                    json.Member("name", id).Member("version", version);
                    Texts(json, "args", call.Get(Args) ?? []);
                    Pairs(json, "env", env);
                    // The server has another working directory than this command.
                    json.Member("working_dir", call.Get(WorkingDir) is { } path ? call.Shell.Resolve(path) : null);
                },
                cancellation).ConfigureAwait(false);
        },
    };

    static Task<ExitCode> SetAsync(Call call, string title, string type, Action<JsonText> config, CancellationToken cancellation)
    {
        var name = PluginCommand.NameOf(call, PluginCommand.Name);
        var json = new JsonText(pretty: false).BeginObject().Member("enabled", !call.Get(Disable)).Name("config").BeginObject().Member("type", type);
        config(json);
        json.EndObject();
        // All of it, also where it is nothing: what is left out would stay as it is.
        Texts(json, "types", call.Get(Types) ?? []);
        Texts(json, "events", call.Get(Events) ?? []);
        json.Member("hold_on_dead", call.Get(HoldOnDead)).Member("exact_state", type == "process" && call.Get(ExactState));
        var asked = Encoding.UTF8.GetBytes(json.EndObject().ToString());
        return Link.ToAnyAsync(
            call,
            async store =>
            {
                var kept = await store.SetPluginAsync(name, asked, cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(call.Json
                    ? new JsonText().Value(kept).ToString()
                    : PlainText.Line($"{PluginCommand.Title(title, name)} {(call.Get(Disable) ? "disabled" : "configured")}")).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    static long PortOf(Call call) => int.TryParse(call[Port], NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and <= ushort.MaxValue
        ? port : throw new UsageException($"PORT is a number from 1 to 65535, not `{call[Port]}`.");

    /// <summary>Names and values, white space around both taken away; of a name that is given twice the later value counts.</summary>
    static async Task<SortedDictionary<string, string>> PairsAsync(Call call, Option<string[]> option, string what, StringComparer comparer, CancellationToken cancellation)
    {
        SortedDictionary<string, string> pairs = new(comparer);
        foreach (var given in call.Get(option) ?? [])
        {
            var at = given.IndexOf('=', StringComparison.Ordinal);
            if (at < 0)
                throw new UsageException($"`{option.Name} {given}`: missing value; it is KEY=VALUE.");
            var (key, value) = (given[..at].Trim(), given[(at + 1)..].Trim());
            if (key.Length == 0)
                throw new UsageException($"`{option.Name}`: {what} key cannot be empty; it is KEY=VALUE.");
            // A dash alone is a value like any other: standard input is one, and there may be several of these.
            pairs[key] = value == "-" ? value : await SecretText.ReadAsync($"{option.Name} {key}=", value, call.Shell, cancellation).ConfigureAwait(false) ?? "";
        }

        return pairs;
    }

    static void Pairs(JsonText json, string name, SortedDictionary<string, string> pairs)
    {
        json.Name(name).BeginObject();
        foreach (var (key, value) in pairs)
            json.Member(key, value);
        json.EndObject();
    }

    static void Texts(JsonText json, string name, string[] texts)
    {
        json.Name(name).BeginArray();
        foreach (var text in texts)
            json.Value(text);
        json.EndArray();
    }

    static Option<string[]> Several(string name, string value, string description) => new(name) { HelpName = value, Description = description };
}
