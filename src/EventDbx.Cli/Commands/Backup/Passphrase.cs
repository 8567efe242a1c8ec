namespace EventDbx.Cli.Commands.Backup;

/// <summary>The passphrase of an encrypted backup: from the command line, as secrets come, or from the environment.</summary>
internal static class Passphrase
{
    public const string Variable = "EVENTDBX_BACKUP_PASSPHRASE";

    /// <summary>Whom a guess takes longer than a lunch.</summary>
    const int CharactersMin = 8;

    public static readonly Option<string> ToRead = Options.Text(
        "--passphrase", "PASSPHRASE", $"Of an encrypted backup. {SecretText.Forms} Without it {Variable}.");

    /// <summary>Null where there is none.</summary>
    public static async Task<string?> ReadAsync(Call call, CancellationToken cancellation)
    {
        var given = call.Get(ToRead) ?? call.Shell.Environment(Variable);
        return given is null ? null : call.Has(ToRead) ? await SecretText.ReadAsync(ToRead.Name, given, call.Shell, cancellation).ConfigureAwait(false) : given.Trim();
    }

    /// <summary>That of a backup to be made; null where it is not to be encrypted.</summary>
    /// <exception cref="UsageException">It is too short.</exception>
    public static async Task<string?> ReadNewAsync(Call call, Option<string> option, CancellationToken cancellation)
    {
        if (call.Get(option) is not { } given)
            return null;
        var passphrase = await SecretText.ReadAsync(option.Name, given, call.Shell, cancellation).ConfigureAwait(false);
        return passphrase?.Length >= CharactersMin ? passphrase : throw new UsageException($"`{option.Name}` takes a passphrase of at least {CharactersMin} characters: it is all that keeps the archive from whoever has it.");
    }
}
