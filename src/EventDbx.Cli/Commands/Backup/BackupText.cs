using System.Globalization;
using System.Text;
using EventDbx.Backups;
using EventDbx.Verification;

namespace EventDbx.Cli.Commands.Backup;

/// <summary>What is said of a backup.</summary>
internal static class BackupText
{
    /// <summary>That one was made.</summary>
    public static string Made(BackupManifest manifest, string? path, long bytes, bool encryptedTo, TimeSpan elapsed, bool json)
    {
        if (json)
        {
            var made = new JsonText().BeginObject().Member("path", path ?? "-").Member("bytes", bytes).Member("encrypted_to_passphrase", encryptedTo);
            return Describe(made, manifest).Name("seconds").Value(Math.Round(elapsed.TotalSeconds, 3)).EndObject().ToString();
        }

        var text = new StringBuilder(path is null ? "Created a backup" : $"Created {path}");
        text.Append(CultureInfo.InvariantCulture, $": {bytes:N0} bytes in {Rate.Of(bytes, elapsed.TotalSeconds, "bytes")}\n");
        Append(text, manifest, encryptedTo);
        foreach (var left in manifest.LeftOut.Where(static left => !left.IsBlanked))
            text.Append(PlainText.Line($"left out: {left.Path} ({left.Reason})"));
        if (manifest.Unhealthy is { } unhealthy)
            text.Append(PlainText.Line($"Warning: the database was not well when it was backed up. {unhealthy}"));
        return text.ToString();
    }

    /// <summary>What is in it with something blank, for standard error: a line for each.</summary>
    public static IEnumerable<string> Blanked(BackupManifest manifest) =>
        manifest.LeftOut.Where(static left => left.IsBlanked).Select(static left => PlainText.Of($"{left.Path} is {left.Reason}."));

    /// <summary>That one was verified.</summary>
    public static string Verified(BackupProof proof, string path, bool json)
    {
        var (manifest, result) = proof;
        if (json)
        {
            var verified = new JsonText().BeginObject().Member("path", path).Member("valid", true).Member("encrypted_to_passphrase", proof.EncryptedTo);
            return Describe(verified, manifest)
                .Member("payloads_checked", result.PayloadsChecked).Member("events", result.Events).Member("control_entries", result.ControlEntries).Member("aggregates", result.Aggregates)
                .Member("restores_by_itself", proof.RestoresByItself)
                .Name("seconds").Value(Math.Round(result.Elapsed.TotalSeconds, 3)).EndObject().ToString();
        }

        var text = new StringBuilder(PlainText.Line($"{path} is whole, and every hash in it is right"));
        text.Append(CultureInfo.InvariantCulture, $"verified {result.Events:N0} events and {result.ControlEntries:N0} other entries in {result.Aggregates:N0} aggregates\n");
        if (!result.PayloadsChecked)
            text.Append("not checked, for want of the key: payloads, states, documents, and the types, ids, actors and notes of events\n");
        Append(text, manifest, proof.EncryptedTo);
        return text.Append(proof.RestoresByItself ? "It can be restored by itself.\n" : $"It cannot be restored by itself: it needs {Needs(proof)}.\n").ToString();
    }

    static string Needs(BackupProof proof) => (proof.Manifest.Base, proof.Manifest.Encrypted && !proof.HasKey) switch
    {
        ({ } before, true) => $"the backup {PlainText.Of(before.File)} ({before.BackupId}), and the data key",
        ({ } before, false) => $"the backup {PlainText.Of(before.File)} ({before.BackupId})",
        _ => "the data key",
    };

    static void Append(StringBuilder text, BackupManifest manifest, bool encryptedTo)
    {
        var standing = manifest.Standing == BackupManifest.Mirror ? "a mirror" : "a leader";
        text.Append(CultureInfo.InvariantCulture, $"database {manifest.DatabaseId}, epoch {manifest.Epoch}, {standing}\n");
        text.Append(CultureInfo.InvariantCulture, $"log_size={manifest.LogSize} log_root={PlainText.Of(manifest.LogRoot)}\n");
        if (manifest.Base is { } before)
        {
            var shared = manifest.Files.Where(static file => file.InBase).Sum(static file => file.Size);
            text.Append(CultureInfo.InvariantCulture, $"{shared:N0} of {manifest.TotalBytes:N0} bytes are in its base, {PlainText.Of(before.File)} ({before.BackupId}): keep both\n");
        }

        text.Append(Readers(manifest, encryptedTo)).Append('\n');
    }

    static string Readers(BackupManifest manifest, bool encryptedTo)
    {
        var reads = encryptedTo ? "Whoever has the file and its passphrase" : "Whoever has the file";
        return manifest.Keys == BackupManifest.KeysIncluded ? $"{reads} can read everything: its keys are in it."
            : manifest.Encrypted ? $"{reads} cannot read what is sealed without the data key, which is not in it: keep that apart."
            : $"{reads} can read the events: the store is not encrypted. Keys and tokens' secrets are not in it.";
    }

    static JsonText Describe(JsonText json, BackupManifest manifest)
    {
        json.Member("backup_id", manifest.BackupId.ToString()).Member("created_at", manifest.CreatedAt).Member("created_by", manifest.CreatedBy)
            .Member("database_id", manifest.DatabaseId.ToString()).Member("epoch", (ulong)manifest.Epoch).Member("standing", manifest.Standing)
            .Member("log_size", manifest.LogSize).Member("log_root", manifest.LogRoot)
            .Member("encrypted", manifest.Encrypted).Member("keys", manifest.Keys)
            .Member("files", (ulong)manifest.Files.Count).Member("unpacked_bytes", manifest.TotalBytes);
        json.Name("base");
        if (manifest.Base is { } before)
            json.BeginObject().Member("backup_id", before.BackupId.ToString()).Member("file", before.File).Member("log_size", before.LogSize).Member("log_root", before.LogRoot).EndObject();
        else
            json.Value((string?)null);
        json.Name("left_out").BeginArray();
        foreach (var left in manifest.LeftOut)
            json.BeginObject().Member("path", left.Path).Member("reason", left.Reason).EndObject();
        json.EndArray().Name("unhealthy");
        return manifest.Unhealthy is { } unhealthy ? json.Value(unhealthy) : json.Value((string?)null);
    }
}
