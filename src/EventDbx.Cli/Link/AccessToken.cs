using EventDbx.Cli.Commands;

namespace EventDbx.Cli;

/// <summary>The token as which a command acts; without one it is the owner of the directory.</summary>
internal static class AccessToken
{
    /// <summary>Stands for <c>--token</c>, which goes before it.</summary>
    public const string Variable = "EVENTDBX_TOKEN";

    public static Option<string> Option { get; } = Options.Text(
        "--token", "TOKEN",
        $"Act as this token, and see what it may see (default: {Variable}; else the owner, who may do everything). {SecretText.Forms}");

    /// <summary>Refuses a token from standard input where something else is read from there.</summary>
    public static void NotFromInputToo(Call call, string what)
    {
        if (call.Get(Option) == "-")
            throw new UsageException($"`{Option.Name} -` and {what} would both read standard input; take the token from `@FILE` or `env:NAME`.");
    }

    /// <summary>The token, or null where none is given.</summary>
    /// <exception cref="UsageException">
    /// One is given and blank, mostly because a variable of the shell is not set: whoever meant a token must not act as the owner.
    /// </exception>
    public static async Task<string?> ReadAsync(Call call, CancellationToken cancellation)
    {
        if (call.Get(Option) is { } given)
        {
            return await SecretText.ReadAsync(Option.Name, given, call.Shell, cancellation).ConfigureAwait(false)
                ?? throw new UsageException($"`{Option.Name}` is blank; give it a token, or leave it out to act as the owner.");
        }

        return call.Shell.Environment(Variable) is not { } variable ? null
            : string.IsNullOrWhiteSpace(variable) ? throw new UsageException($"The environment variable {Variable} is blank; give it a token, or unset it to act as the owner.")
            : variable.Trim();
    }
}
