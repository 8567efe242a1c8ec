namespace EventDbx.Cli.Commands;

/// <summary>A secret on a command line stands in the shell's history; so it may also come from elsewhere.</summary>
internal static class SecretText
{
    /// <summary>For the help of an option that takes a secret.</summary>
    public const string Forms = "`-` reads standard input, `@FILE` a file, `env:NAME` an environment variable; or the value itself.";

    /// <summary>The secret itself, without white space around it; null when the value itself is blank, which counts as not given.</summary>
    public static async Task<string?> ReadAsync(string option, string given, Shell shell, CancellationToken cancellation)
    {
        var secret = given switch
        {
            "-" => await shell.In.ReadToEndAsync(cancellation).ConfigureAwait(false),
            ['@', .. var path] => await File.ReadAllTextAsync(shell.Resolve(path), cancellation).ConfigureAwait(false),
            _ when given.StartsWith("env:", StringComparison.Ordinal) => shell.Environment(given[4..])
                ?? throw new UsageException($"`{option}` names the environment variable {given[4..]}, which is not set."),
            _ => given,
        };
        secret = secret.Trim();
        if (secret.Length == 0 && !string.IsNullOrWhiteSpace(given))
            throw new UsageException($"`{option} {given}` leads to nothing but white space; nothing was changed.");
        return secret.Length == 0 ? null : secret;
    }
}
