using System.Net;

namespace EventDbx.Cli;

/// <summary>A server on another machine that a command is for: <c>--server</c>, or the variable.</summary>
/// <param name="Host">A name or an address.</param>
/// <param name="Port">Of its listener.</param>
/// <param name="Trust">How its certificate is judged; null: it does not encrypt.</param>
internal sealed record RemoteServer(string Host, int Port, RemoteTrust? Trust)
{
    /// <summary>Stands for <c>--server</c>, which goes before it.</summary>
    public const string Variable = "EVENTDBX_SERVER";

    const string Form = "https://HOST:PORT, or http://HOST:PORT";

    public static Option<string> Option { get; } = Options.Text(
        "--server", "URL", $"Do it on a server elsewhere, {Form}, with a token; nothing of this machine is read (default: {Variable}).").Anywhere();

    /// <summary>All that is about a server elsewhere.</summary>
    public static IReadOnlyList<Option> All { get; } = [Option, .. RemoteTrust.All];

    /// <summary>As messages name it.</summary>
    public string Url => $"{(Trust is null ? "http" : "https")}://{Authority}";

    public string Authority => FormattableString.Invariant($"{(Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]" : Host)}:{Port}");

    /// <summary>Whether what is sent can be read on the way.</summary>
    public bool IsInClear => Trust is null && Host != "localhost" && !(IPAddress.TryParse(Host, out var address) && IPAddress.IsLoopback(address));

    /// <summary>Whether this command line is for a server elsewhere.</summary>
    public static bool IsMeant(Call call) => call.Has(Option) || (HeededVariable(call) && call.Shell.Environment(Variable) is not null);

    /// <summary>The server that a command line means; null: what is on this machine.</summary>
    /// <exception cref="UsageException">It is no address, or what is to be trusted is not.</exception>
    public static RemoteServer? Of(Call call)
    {
        if (!IsMeant(call))
            return null;
        var (given, source) = call.Has(Option) ? (call.Get(Option)!, $"`{Option.Name}`") : (call.Shell.Environment(Variable)!, $"The environment variable {Variable}");
        // Mostly a variable of a shell that is not set: what was meant for another machine must not happen on this one.
        if (string.IsNullOrWhiteSpace(given))
            throw new UsageException($"{source} is blank; give it an address ({Form}), or {(call.Has(Option) ? "leave it out" : "unset it")} for what is on this machine.");
        if (!Uri.TryCreate(given.Trim(), UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || url.Host.Length == 0)
            throw new UsageException($"{source} is {Form}, not `{Shown(given)}`.");
        if (url.UserInfo.Length > 0 || url.AbsolutePath != "/" || url.Query.Length > 0 || url.Fragment.Length > 0)
            throw new UsageException($"{source} is {Form} and nothing more: no path, no query, and the token as `{AccessToken.Option.Name}`.");
        var secure = url.Scheme == "https";
        return new(url.IdnHost.Trim('[', ']'), url.Port, secure ? RemoteTrust.Of(call, url.IdnHost.Trim('[', ']'), $"https://{url.Authority}") : RemoteTrust.None(call));
    }

    /// <summary>Refuses, before anything is done, what does not go together; says which variable is not heeded.</summary>
    public static async Task CheckAsync(Verb verb, Call call)
    {
        if (!verb.CanBeElsewhere)
        {
            if (All.Append(AccessToken.Option).FirstOrDefault(call.Has) is { } idle)
                throw new UsageException($"`{idle.Name}` is not for `{call.CommandName}`, which is about this machine.");
            if (!verb.Hidden && !string.IsNullOrWhiteSpace(call.Shell.Environment(Variable)))
                await call.NoteAsync($"{Variable} is not heeded: `{call.CommandName}` is about this machine.").ConfigureAwait(false);
            return;
        }

        call.NotBoth(Option, GlobalOptions.DataDir);
        call.NotBoth(Option, GlobalOptions.Config);
        if (!IsMeant(call))
        {
            if (RemoteTrust.All.FirstOrDefault(call.Has) is { } alone)
                throw new UsageException($"`{alone.Name}` goes with `{Option.Name}`.");
            if (!string.IsNullOrWhiteSpace(call.Shell.Environment(Variable)))
                await call.NoteAsync($"{Variable} is not heeded: the command line says where the data is.").ConfigureAwait(false);
        }
    }

    /// <summary>What the command line says of a place on this machine goes before a variable about another one.</summary>
    static bool HeededVariable(Call call) => call.CanBeElsewhere && !call.Has(GlobalOptions.DataDir) && !call.Has(GlobalOptions.Config);

    // What stands before an @ may be a secret.
    static string Shown(string given) => given[(given.LastIndexOf('@') + 1)..].Trim();
}
