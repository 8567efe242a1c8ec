using System.Net;
using EventDbx.Checkpoints;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Witness;

namespace EventDbx.Cli.Commands.Witness;

/// <summary><c>dbx witness</c>: cosigns the checkpoints of other logs, so that none of them can show two histories.</summary>
internal static class WitnessCommand
{
    static readonly Option<string> Directory = Options.Text("--dir", "DIR", "Where the witness keeps its key and what it has cosigned; made where it is not there.");
    static readonly Option<string> Listen = Options.Text("--listen", "IP:PORT", "Where it listens (default: 127.0.0.1:7465). Port 0 takes any free one.");
    static readonly Option<string> Name = Options.Text("--name", "NAME", "The name of a new key, such as w1.example.com; without it one is made up. It stays.");

    static readonly Option<string[]> Logs = new("--log")
    {
        HelpName = "VKEY",
        Description = "The key of a log to witness, as `dbx log key` prints it; repeat it for several. @FILE names a file with one a line.",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    static readonly IPEndPoint ListenDefault = new(IPAddress.Loopback, 7465);

    public static Verb Create()
    {
        var verb = new Verb("witness", "Witness logs: cosign their checkpoints, and only what continues what was cosigned before.")
        {
            Remarks =
            [
                "It speaks C2SP tlog-witness: `POST /add-checkpoint`, over HTTP, until Ctrl-C or SIGTERM. What it cosigns is on disk before it says so. " +
                "It knows nothing of events; run it where whoever runs the log cannot reach. Its directory is what makes it one: keep it, and never run " +
                "two copies of it.",
                "A log of a later epoch, after a restore or an accepted loss, has another origin and so another key: name that one too.",
            ],
            Examples =
            [
                new("dbx witness --dir /var/lib/witness --log eventdbx.local/5f2b1d6e+0bcd6d2c+AWD0u+oZ5qrMvRkKD7BgNiPTBVCvMyWyOHBP2lB3LzRe", "Witness one log on this machine."),
                new("dbx witness --dir witness --listen 0.0.0.0:7465 --log @logs.txt", "Several, for others; put TLS in front of it."),
                new("dbx witness key --dir witness", "Print its key, for `dbx config --log-witnesses`."),
            ],
            Options = { Directory, Listen, Logs, Name },
            Check = call =>
            {
                DemandDirectory(call);
                if (call.Get(Logs) is not { Length: > 0 })
                    throw new UsageException($"witness which log? `{Logs.Name} VKEY` names one; `dbx log key` prints its key.");
                _ = EndPointOf(call);
                _ = NameOf(call);
            },
            Run = RunAsync,
        };
        verb.Subcommands.Add(CreateKey());
        // The parser would want one of its commands otherwise; what runs is ours to say.
        verb.SetAction(static _ => { });
        return verb;
    }

    static Verb CreateKey() => new("key", "Print the key of a witness, for those who check its cosignatures.")
    {
        Remarks = ["It is made where there is none yet. The private half is in witness.key of the directory, for its owner only."],
        Examples =
        [
            new("dbx witness key --dir witness", "The key, made now or before."),
            new("dbx witness key --dir witness --name w1.example.com", "With a name of your choice, the first time."),
        ],
        Options = { Directory, Name },
        Check = DemandDirectory,
        Run = KeyAsync,
    };

    static async Task<ExitCode> KeyAsync(Call call, CancellationToken cancellation)
    {
        using var key = WitnessHost.OpenKey(call.Shell.Resolve(call.Get(Directory)!), NameOf(call));
        await call.Shell.Out.WriteAsync(call.Json
            ? new JsonText().BeginObject().Member("name", key.Public.Name).Member("key", key.Public.ToString()).EndObject().ToString()
            : key.Public + "\n").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var logs = LogsOf(call);
        var host = await StartAsync(call, logs, cancellation).ConfigureAwait(false);
        await using (host.ConfigureAwait(false))
        {
            await call.Shell.Out.WriteAsync(call.Json
                ? new JsonText(pretty: false).BeginObject().Member("running", true).Member("port", (long)host.Port).Member("key", host.Key.ToString()).EndObject().ToString()
                : FormattableString.Invariant($"Witness {host.Key.Name} listens on http://{new IPEndPoint(EndPointOf(call).Address, host.Port)} for {logs.Count} log(s)\nkey={host.Key}\n")).ConfigureAwait(false);
            await call.Shell.Out.FlushAsync(cancellation).ConfigureAwait(false);
            var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var registration = cancellation.Register(ended.SetResult);
            await ended.Task.ConfigureAwait(false);
        }

        return ExitCode.Done;
    }

    static async Task<WitnessHost> StartAsync(Call call, IReadOnlyList<NoteKey> logs, CancellationToken cancellation)
    {
        var listen = EndPointOf(call);
        try
        {
            return await WitnessHost.StartAsync(
                new()
                {
                    Directory = call.Shell.Resolve(call.Get(Directory)!), Logs = logs, Listen = listen, Clock = call.Shell.Clock,
                    Log = line => call.Shell.Error.WriteLine($"{Timestamp.From(call.Shell.Clock.GetUtcNow())} {line}"),
                },
                NameOf(call), cancellation).ConfigureAwait(false);
        }
        catch (IOException taken) when (taken.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            throw new IOException($"{listen} cannot be listened on: another program has it. `{Listen.Name}` chooses another address.", taken);
        }
    }

    static List<NoteKey> LogsOf(Call call)
    {
        List<NoteKey> keys = [];
        foreach (var text in call.Get(Logs)!.SelectMany(given => given.StartsWith('@') ? KeysIn(call, given[1..]) : [given.Trim()]))
        {
            if (!NoteKey.TryParse(text, out var key, out var why))
                throw new UsageException($"`{Logs.Name}` is the key of a log, as `dbx log key` prints it; `{text}` is none: {why}.");
            if (key.Algorithm != NoteAlgorithm.Signature)
                throw new UsageException($"`{Logs.Name}` is the key of a log (01); that of {key.Name} is one of a witness (04).");
            keys.Add(key);
        }

        return keys.Count > 0 ? keys : throw new UsageException($"`{Logs.Name}` names no key.");
    }

    static IEnumerable<string> KeysIn(Call call, string path) =>
        File.ReadAllLines(call.Shell.Resolve(path)).Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#');

    static IPEndPoint EndPointOf(Call call)
    {
        if (call.Get(Listen) is not { } text)
            return ListenDefault;
        return text.Contains(':', StringComparison.Ordinal) && IPEndPoint.TryParse(text, out var address) && text[text.LastIndexOf(':')..].Length > 1
            && (text.Contains('.', StringComparison.Ordinal) || text.Contains("]:", StringComparison.Ordinal))
            ? address
            : throw new UsageException($"`{Listen.Name}` is an IP address and a port, such as 127.0.0.1:7465 or [::1]:7465, not `{text}`.");
    }

    static string? NameOf(Call call)
    {
        var name = call.Get(Name);
        if (name is not null && (!SignedNote.IsKeyName(name) || name.Length > NoteKey.NameMax || name.Any(char.IsControl)))
            throw new UsageException($"`{Name.Name}` is a name without white space and plus, of up to {NoteKey.NameMax} characters, such as w1.example.com.");
        return name;
    }

    static void DemandDirectory(Call call)
    {
        if (string.IsNullOrWhiteSpace(call.Get(Directory)))
            throw new UsageException($"where does the witness live? `{Directory.Name} DIR` says it.");
    }
}
