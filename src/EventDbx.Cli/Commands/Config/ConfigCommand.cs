using System.Net;
using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tls;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Config;

/// <summary><c>dbx config</c>: shows the settings, or changes some of them.</summary>
internal static class ConfigCommand
{
    /// <summary>The options that set one key each; the key checks the value.</summary>
    static readonly (Option<string> Option, string Key)[] Settings =
    [
        (Options.Text("--port", "PORT", "The port that REST, GraphQL and gRPC share."), "port"),
        (Options.Text("--bind", "IP", "The address of that port; 0.0.0.0 is every one of this machine."), "bind_addr"),
        (Options.Text("--cache-threshold", "N", "Aggregates whose heads are kept in memory; 0 keeps none."), "cache_threshold"),
        (Options.Text("--list-page-size", "N", "Items on a page of aggregates when a caller names no number."), "list_page_size"),
        (Options.Text("--page-limit", "N", "Items on a page at most."), "page_limit"),
        (Options.Text("--plugin-max-attempts", "N", "Attempts before an event that a plugin refuses is set aside."), "plugin_max_attempts"),
        (Options.Text("--snapshot-threshold", "N", "For new schemas: a snapshot every N versions."), "snapshot_threshold"),
        (Options.Text("--encryption", "on|off", "Whether the store that is created next is encrypted."), "encryption"),
        (Options.Text("--dek-command", "\"PROGRAM,ARG\"", "A program that prints the data encryption key, and its arguments, with commas between; run without a shell."), "data_encryption_key_command"),
        (Options.Text("--durability", "sync|relaxed", "Answer an append after its sync, or before."), "durability"),
        (Options.Text("--relaxed-interval-ms", "MS", "With relaxed durability: how much a crash may take back."), "relaxed_interval_ms"),
        (Options.Text("--restrict", "off|default|strict", "How events are held against schemas."), "restrict"),
        (Options.Text("--api", "rest|graphql|grpc|all", "Exactly these surfaces; several with commas."), "api"),
        (Options.Text("--socket-bind", "IP:PORT", "Where replication listens."), "socket.bind_addr"),
        (Options.Text("--grpc-bind", "IP:PORT", "Where gRPC listens."), "grpc.bind_addr"),
        (Options.Text("--tls", "true|false", "Whether the TCP ports speak TLS."), "tls.enabled"),
        (Options.Text("--tls-cert", "PATH", "The certificate, PEM, with those up to its root behind it; without one, one is made."), "tls.cert_file"),
        (Options.Text("--tls-key", "PATH", "Its private key, PEM."), "tls.key_file"),
        (Options.Text("--tls-client-ca", "PATH", "The CA that must have issued the certificates of clients, PEM."), "tls.client_ca_file"),
        (Options.Text("--admin-enabled", "true|false", "Whether the Admin API is there."), "admin.enabled"),
        (Options.Text("--admin-bind", "IP", "Where the Admin API listens."), "admin.bind_addr"),
        (Options.Text("--admin-port", "PORT", "Its port; 0 shares the main one."), "admin.port"),
        (Options.Text("--log-origin", "NAME", "The name of the log in checkpoints, such as example.com/orders. Choose it before the first one."), "log.origin"),
        (Options.Text("--log-witnesses", "\"VKEY URL\"", "Who cosigns checkpoints; several with commas."), "log.witnesses"),
        (Options.Text("--log-quorum", "N", "How many of them a checkpoint that somebody waits for must have."), "log.quorum"),
    ];

    static readonly Option<string> DataKey = Options.Text(
        "--data-encryption-key", "KEY", $"The data encryption key: 32 bytes in base64. {SecretText.Forms}", "--dek");

    static readonly Option<string> DataKeyFile = Options.Text("--dek-file", "PATH", "A file that holds the data encryption key.");

    static readonly Option<string> MasterKey = Options.Text(
        "--admin-master-key", "SECRET", $"The secret of the Admin API; only its hash is kept. {SecretText.Forms}");

    static readonly Option<bool> ClearMasterKey = Options.Switch("--clear-admin-master-key", "Forget the secret of the Admin API.");

    static readonly Option<bool> ClearSnapshotThreshold = Options.Switch("--clear-snapshot-threshold", "No snapshots for new schemas.");

    static readonly Option<bool> ClearTlsCert = Options.Switch("--clear-tls-cert", "Neither certificate nor key: one is made.");

    static readonly Option<bool> ClearTlsClientCa = Options.Switch("--clear-tls-client-ca", "Clients need no certificate.");

    static readonly Option<bool> ClearWitnesses = Options.Switch("--clear-log-witnesses", "No witnesses, and no quorum of them.");

    static readonly Option<bool> ShowSecrets = Options.Switch("--show-secrets", "Print keys and secrets too.");

    public static Verb Create()
    {
        var verb = new Verb("config", "Show the settings, or change some of them.")
        {
            Remarks =
            [
                "Without options it prints the settings in force. With options it changes the file, keeping its comments; a server " +
                "takes them up at its next start, those of the Admin API (admin.*) at once. `--data-dir` is kept here, not only used: data that exists is not moved.",
                "A variable of the environment stands above the file: EVENTDBX_ and the key in capitals, `_` for a dot, such as " +
                "EVENTDBX_PORT or EVENTDBX_AUTH_SECRET. It is never saved.",
                "The data encryption key is made together with the store, unless one is given here or in EVENTDBX_DEK before; " +
                "`--dek-file` and `--dek-command` say where it comes from instead, and then none is ever made.",
            ],
            Examples =
            [
                new("dbx config", "Print the settings, secrets hidden."),
                new("dbx config --port 8080 --list-page-size 50", "Change two settings."),
                new("dbx config --dek @/run/secrets/dek", "Give the data encryption key before the store is created."),
                new("dbx config --tls true --tls-cert chain.pem --tls-key key.pem", "Speak TLS with a certificate of your own."),
                new("dbx config --admin-enabled true --admin-master-key -", "Open the Admin API; the secret comes from standard input."),
            ],
            Check = call =>
            {
                call.NotBoth(SnapshotThreshold, ClearSnapshotThreshold);
                call.NotBoth(MasterKey, ClearMasterKey);
                foreach (var (option, key) in Settings)
                {
                    if (key is "tls.cert_file" or "tls.key_file")
                        call.NotBoth(option, ClearTlsCert);
                    else if (key == "tls.client_ca_file")
                        call.NotBoth(option, ClearTlsClientCa);
                }

                foreach (var (option, _) in Settings.Where(setting => setting.Key is "log.witnesses" or "log.quorum"))
                    call.NotBoth(option, ClearWitnesses);
                if (call.Get(DataKey) == "-" && call.Get(MasterKey) == "-")
                    throw new UsageException("`--dek -` and `--admin-master-key -` both want standard input; give one of them as @FILE or env:NAME.");
            },
            Run = RunAsync,
        };
        foreach (var (option, _) in Settings)
            verb.Options.Add(option);
        foreach (var option in (Option[])[DataKey, DataKeyFile, MasterKey, ClearMasterKey, ClearTlsCert, ClearTlsClientCa, ClearSnapshotThreshold, ClearWitnesses, ShowSecrets])
            verb.Options.Add(option);
        return verb;
    }

    static Option<string> SnapshotThreshold => Settings.First(setting => setting.Key == "snapshot_threshold").Option;

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var file = call.LoadConfig();
        var changes = await ChangesAsync(call, cancellation).ConfigureAwait(false);
        var config = file.Config;
        if (changes.Count > 0)
        {
            var saved = await file.UpdateAsync(
                before => Checked(before, changes.Aggregate(before, (settings, change) => change(settings)), call), cancellation).ConfigureAwait(false);
            config = file.InForce(saved);
            await call.NoteAsync($"Configuration saved to {file.Path}").ConfigureAwait(false);
            if (Database.FindHolder(file.Config.DataDir) is { HeldBy: ServerPresence.Holder } server)
            {
                await call.NoteAsync(TakenUp(server.Pid, file.Config, config)).ConfigureAwait(false);
                if (SetsAdmin(call) && await UsedInsteadAsync(server, saved, cancellation).ConfigureAwait(false) is { } instead)
                    await call.NoteAsync(instead).ConfigureAwait(false);
            }

            if (ProblemOfTls(config) is { } problem)
                await call.NoteAsync($"A server does not start like this. {problem}").ConfigureAwait(false);
            if (saved is { AdminEnabled: true, AdminMasterKeyHash: null })
                await call.NoteAsync(StartCheck.MasterKeyMissing).ConfigureAwait(false);
            if (StartCheck.AdminInClear(config) is { } inClear)
                await call.NoteAsync(inClear).ConfigureAwait(false);
            else if (StartCheck.IsAdminBeyondThisMachine(config) && await RunsInClearAsync(call, file.Config, cancellation).ConfigureAwait(false))
                await call.NoteAsync(StartCheck.AdminWithheld(new(IPAddress.Parse(config.AdminBindAddr), config.AdminPort))).ConfigureAwait(false);
        }
        else if (!file.Exists)
        {
            await call.NoteAsync($"There is no {file.Path} yet; these are the defaults.").ConfigureAwait(false);
        }

        await call.NoteMisspeltVariablesAsync().ConfigureAwait(false);
        if (file.Overrides is { Count: > 0 } overrides)
        {
            await call.NoteAsync(
                $"From the environment, above the file: {string.Join(", ", overrides.Select(found => $"{found.Key.Name} ({found.Variable})"))}").ConfigureAwait(false);
        }

        if (changes.Count == 0 || call.Json)
            await call.Shell.Out.WriteAsync(Shown(config, call)).ConfigureAwait(false);
        return ExitCode.Done;
    }

    /// <summary>Whether a server runs that was started without TLS, whatever the settings say since.</summary>
    static async Task<bool> RunsInClearAsync(Call call, ServerConfig config, CancellationToken cancellation)
    {
        if (Database.FindHolder(config.DataDir) is not { HeldBy: ServerPresence.Holder } server)
            return false;
        try
        {
            return (await StatusQuery.AskAsync(server.Socket, Environment.UserName, cancellation).ConfigureAwait(false)).Tls is null;
        }
        catch (DaemonException)
        {
            return false; // It has just gone, or is not well: `dbx status` says so.
        }
    }

    /// <summary>When a running server heeds what has changed.</summary>
    static string TakenUp(int pid, ServerConfig before, ServerConfig after)
    {
        var changed = ConfigKeys.All.Where(key => !key.FileOnly && !Equals(key.Get(before), key.Get(after))).ToLookup(key => key.Table == "admin");
        const string atOnce = "settings of the Admin API act at once";
        return FormattableString.Invariant($"The running server (pid {pid}) takes it up ") + (changed[true].Any(), changed[false].Any()) switch
        {
            (true, false) => $"now: {atOnce}.",
            (true, true) => $"at its next start: `dbx restart`; {atOnce}.",
            _ => "at its next start: `dbx restart`.",
        };
    }

    static bool SetsAdmin(Call call) =>
        call.Has(MasterKey) || call.Get(ClearMasterKey) || Settings.Any(setting => setting.Key.StartsWith("admin.", StringComparison.Ordinal) && call.Has(setting.Option));

    /// <summary>What the server uses for its Admin API in spite of the file: its environment stands above it, and cannot be seen from here. Null where it uses what was saved, or does not say.</summary>
    static async Task<string?> UsedInsteadAsync(LockHolder server, ServerConfig saved, CancellationToken cancellation)
    {
        try
        {
            var used = await StatusQuery.AskAdminAsync(server.Socket, Environment.UserName, cancellation).ConfigureAwait(false);
            var unlike = string.Join(", ", used.Unlike(AdminSettings.Of(saved)));
            return unlike.Length == 0 ? null :
                $"Warning: the running server uses other settings than those: {unlike}. A variable of its environment (EVENTDBX_ADMIN_…) stands above the file, or it was started with another " +
                "one (--config); start it anew without.";
        }
        catch (DaemonException)
        {
            return null;
        }
    }

    static async Task<List<Func<ServerConfig, ServerConfig>>> ChangesAsync(Call call, CancellationToken cancellation)
    {
        List<Func<ServerConfig, ServerConfig>> changes = [];
        foreach (var (option, name) in Settings)
        {
            // A path that is typed is meant from where one stands, and kept so that it means the same elsewhere.
            if (call.Get(option) is { } text && !string.IsNullOrWhiteSpace(text))
                changes.Add(Setting(option, name, name.StartsWith("tls.", StringComparison.Ordinal) && name.EndsWith("_file", StringComparison.Ordinal) ? call.Shell.Resolve(text) : text));
        }

        if (call.Get(GlobalOptions.DataDir) is { } directory && !string.IsNullOrWhiteSpace(directory))
            changes.Add(config => config with { DataDir = call.Shell.Resolve(directory) });
        if (call.Get(DataKey) is { } dek && await SecretText.ReadAsync("--dek", dek, call.Shell, cancellation).ConfigureAwait(false) is { } key)
            changes.Add(Setting(DataKey, "data_encryption_key", key));
        if (call.Get(DataKeyFile) is { } keyFile && !string.IsNullOrWhiteSpace(keyFile))
            changes.Add(config => config with { DataEncryptionKeyFile = call.Shell.Resolve(keyFile) });
        if (call.Get(MasterKey) is { } secret
            && await SecretText.ReadAsync(MasterKey.Name, secret, call.Shell, cancellation).ConfigureAwait(false) is { } masterKey)
        {
            if (MasterKeyHash.ProblemOf(masterKey) is { } problem)
                throw new UsageException($"`{MasterKey.Name}` could never be sent: {problem}. Nothing was changed.");
            changes.Add(config => config with { AdminMasterKeyHash = MasterKeyHash.Of(masterKey) });
        }

        if (call.Get(ClearMasterKey))
            changes.Add(config => config with { AdminMasterKeyHash = null });
        if (call.Get(ClearTlsCert))
            changes.Add(config => config with { TlsCertFile = null, TlsKeyFile = null });
        if (call.Get(ClearTlsClientCa))
            changes.Add(config => config with { TlsClientCaFile = null });
        if (call.Get(ClearSnapshotThreshold))
            changes.Add(config => config with { SnapshotThreshold = null });
        if (call.Get(ClearWitnesses))
            changes.Add(config => config with { LogWitnesses = ConfigList.Empty, LogQuorum = 0 });
        return changes;
    }

    static Func<ServerConfig, ServerConfig> Setting(Option option, string name, string text)
    {
        var key = ConfigKeys.Named(name);
        return config =>
        {
            try
            {
                return key.Set(config, ConfigValue.OfText(text));
            }
            catch (ConfigValueException refused)
            {
                throw new UsageException($"`{option.Name}` {refused.Message}{(!key.Quotable ? "." : $", not `{text}`.")}");
            }
        };
    }

    /// <summary>The files may come later, so this refuses nothing.</summary>
    static string? ProblemOfTls(ServerConfig config)
    {
        try
        {
            StartCheck.DemandTls(config);
            return null;
        }
        catch (Exception refused) when (refused is ConfigException or TlsException)
        {
            return refused.Message;
        }
    }

    /// <summary>What a file may not come to say beside a store that exists.</summary>
    static ServerConfig Checked(ServerConfig before, ServerConfig after, Call call)
    {
        // Without its key on purpose: the secret is withdrawn, and what is enabled stays so. Not: enabled without one by oversight.
        if (after is { AdminEnabled: true, AdminMasterKeyHash: null } && !before.AdminEnabled && !call.Get(ClearMasterKey))
            throw new ConfigException(StartCheck.MasterKeyMissing);
        if (!after.ApiRest && !after.ApiGraphQL && !after.ApiGrpc)
            throw new UsageException("`--api` names no surface.");
        if (!after.Encryption && (after.DataEncryptionKey is not null || after.DataEncryptionKeyFile is not null || after.DataEncryptionKeyCommand.Count > 0))
            throw new ConfigException("encryption cannot be \"off\" while there is a data_encryption_key, or a file or command that gives one; remove one of the two.");

        if (after.LogQuorum != before.LogQuorum || !after.LogWitnesses.Equals(before.LogWitnesses))
            StartCheck.DemandQuorum(after);

        var replaced = before.DataEncryptionKey is not null && before.DataEncryptionKey != after.DataEncryptionKey;
        foreach (var directory in (string[])[before.DataDir, after.DataDir])
        {
            if ((replaced || before.Encryption != after.Encryption) && Database.ExistsIn(directory))
            {
                throw new ConfigException(
                    $"There is a store in {directory}: it keeps the key, or the absence of one, with which it was created.");
            }
        }

        // Stores elsewhere may have been made with it, too (--data-dir): this may be the only copy there is.
        if (replaced)
        {
            throw new ConfigException(
                "There is a data_encryption_key already, and what it opens is lost with it. Keep a copy and remove the line by hand, or "
                + "use another configuration (--config) for another store.");
        }

        return after;
    }

    static string Shown(ServerConfig config, Call call)
    {
        var secrets = call.Get(ShowSecrets);
        if (!call.Json)
            return ConfigFile.Show(config, secrets);
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        ConfigJson.Write(json, config, secrets);
        return new JsonText().Value(json.WrittenMemory).ToString();
    }
}
