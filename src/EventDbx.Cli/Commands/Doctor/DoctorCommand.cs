using System.Globalization;
using System.Text;
using EventDbx.Server.Backups;
using EventDbx.Server.Configuration;
using EventDbx.Server.Health;
using EventDbx.Server.Logs;

namespace EventDbx.Cli.Commands.Doctor;

/// <summary><c>dbx doctor</c>: looks at an installation, says what is the matter with it, and changes nothing.</summary>
internal static class DoctorCommand
{
    static readonly Option<bool> Full = Options.Switch("--full", "Look for rows that lead nowhere in the whole store, not only in the first ones of each kind.");

    public static Verb Create() => new("doctor", "Look at this installation: disk, files, what is open to others, keys, store, plugins; whether it would start.")
    {
        Remarks =
        [
            "It changes nothing and makes nothing (but with `--rebuild`), with the server running or stopped. A running server is asked; otherwise the store is looked at for reading only, " +
            "and its directory is in use meanwhile.",
            "Exit code 0: no problem (warnings are none, that there is no backup among them); 1: there is one. Whether history is whole is another question: `dbx verify --all`.",
            .. DoctorRebuild.Remarks,
        ],
        Examples =
        [
            new("dbx doctor", "Everything that was looked at, and what to do."),
            new("dbx doctor --full", "The same, and every row of the store that should lead somewhere, while no server runs."),
            new("dbx doctor --json", "The same, for a monitor; `problems` counts them."),
            new("dbx doctor --rebuild", "Every index of the store anew."),
        ],
        Options = { Full, DoctorRebuild.Rebuild, DoctorRebuild.KeepOld },
        Check = DoctorRebuild.Check,
        Run = static (call, cancellation) => call.Get(DoctorRebuild.Rebuild) ? DoctorRebuild.RunAsync(call, cancellation) : RunAsync(call, cancellation),
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var findings = new Findings();
        StoreSeen? store = null;
        BackupRecord? backup = null;
        if (Config(call, findings) is { } file)
        {
            store = await StoreLook.RunAsync(call, file, findings, call.Get(Full), cancellation).ConfigureAwait(false);
            HostCheck.Look(findings, call.Shell.Host(file.Config.DataDir, store?.Server?.Pid), file.Config.DataDir);
            if (store is not null)
                backup = BackupCheck.Look(findings, file.Config.DataDir, store.DatabaseId, store.LogSize);
            SettingCheck.Look(findings, file.Config, file.Path, store?.Server, call.Shell.Clock.GetUtcNow());
            IdentityCheck.Look(findings, file.Config);
            Files(call, file, findings);
        }

        foreach (var (name, meant) in call.MisspeltVariables)
            findings.Warn("environment", $"The variable {name} has no effect.", $"{meant} was probably meant.");
        await call.Shell.Out.WriteAsync(call.Json ? Json(findings, backup, store?.LogSize) : Text(findings)).ConfigureAwait(false);
        return findings.CountOf(Severity.Problem) == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    static ConfigFile? Config(Call call, Findings findings)
    {
        try
        {
            var file = call.LookAtConfig();
            findings.Ok("settings", file.Exists ? $"{file.Path} can be read." : $"There is no {file.Path} yet; the defaults are in force.");
            return file;
        }
        catch (ConfigException wrong)
        {
            findings.Problem("settings", wrong.Message, "Mend it by hand; until then no command but this one goes on.");
            return null;
        }
    }

    static void Files(Call call, ConfigFile file, Findings findings)
    {
        try
        {
            FileCheck.Look(findings, file, LogSettings.Of(file.Config.DataDir, call.Shell.Environment, call.Shell.WorkingDirectory).Directory);
        }
        catch (Exception closed) when (closed is ConfigException or UnauthorizedAccessException)
        {
            findings.Problem("files", closed.Message, "Run it as the user that the files belong to.");
        }
    }

    static string Text(Findings findings)
    {
        StringBuilder text = new();
        foreach (var finding in findings.All)
        {
            text.Append(NameOf(finding.Severity).PadRight(9)).Append(finding.Check.PadRight(12)).Append(PlainText.Line(finding.Found));
            if (finding.Advice is { } advice)
                text.Append(' ', 21).Append(PlainText.Line(advice));
        }

        var (problems, warnings) = (findings.CountOf(Severity.Problem), findings.CountOf(Severity.Warning));
        return text.Append(CultureInfo.InvariantCulture, $"{problems} problem{(problems == 1 ? "" : "s")}, {warnings} warning{(warnings == 1 ? "" : "s")}\n").ToString();
    }

    static string Json(Findings findings, BackupRecord? backup, ulong? logSize)
    {
        var json = new JsonText().BeginObject().Name("findings").BeginArray();
        foreach (var finding in findings.All)
        {
            json.BeginObject().Member("severity", NameOf(finding.Severity)).Member("check", finding.Check)
                .Member("found", finding.Found).Member("advice", finding.Advice).EndObject();
        }

        json.EndArray().Name("last_backup");
        if (backup is null)
        {
            json.Value((string?)null);
        }
        else
        {
            json.BeginObject().Member("backup_id", backup.BackupId.ToString()).Member("created_at", backup.CreatedAt).Member("epoch", (ulong)backup.Epoch).Member("log_size", backup.LogSize).Name("entries_since");
            _ = logSize is { } size ? json.Value((long)size - (long)backup.LogSize) : json.Value((string?)null);
            json.Member("base", backup.Base?.ToString()).Member("keys", backup.Keys).Member("to", backup.To).EndObject();
        }

        return json.Member("problems", (long)findings.CountOf(Severity.Problem)).Member("warnings", (long)findings.CountOf(Severity.Warning)).EndObject().ToString();
    }

    static string NameOf(Severity severity) => severity switch { Severity.Ok => "ok", Severity.Warning => "warning", Severity.Problem => "problem" };
}
