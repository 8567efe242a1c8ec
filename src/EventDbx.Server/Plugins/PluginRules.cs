using System.Buffers;
using System.Collections.Immutable;

namespace EventDbx.Server.Plugins;

/// <summary>What may be a plugin.</summary>
internal static class PluginRules
{
    /// <summary>What the name of a header consists of (RFC 9110).</summary>
    static readonly SearchValues<char> HeaderName = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    /// <summary>What is in the name of a parameter that holds a secret, letters and digits alone.</summary>
    static readonly string[] SecretParts = ["token", "secret", "password", "passwd", "apikey", "accesskey", "authkey", "signature", "credential"];

    /// <summary>The whole name of one.</summary>
    static readonly string[] SecretNames = ["key", "sig", "auth", "authorization", "pass", "pwd", "pw", "code"];

    public static string CheckedName(string name)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw Refused("plugin name cannot be empty.");
        return Names.Check("The name of a plugin", name.Trim(), Limits.TypeBytesMax) is { } refusal ? throw new RefusedException(refusal) : name.Trim();
    }

    /// <summary>Types of aggregates or of events, each once; null where nothing is said.</summary>
    public static ImmutableArray<string>? CheckedNames(string member, IReadOnlyList<string>? names)
    {
        if (names is null)
            return null;
        CheckCount(member, names.Count);
        foreach (var name in names)
        {
            if (Names.Check($"`{member}`: a type", name, Limits.TypeBytesMax) is { } refusal)
                throw new RefusedException(refusal);
        }

        return [.. names.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>A config that can be kept, with the secrets that stand for those of the one before.</summary>
    /// <exception cref="RefusedException">It cannot.</exception>
    public static PluginConfig Checked(PluginConfig config, PluginConfig? before, AddressRules addresses)
    {
        switch (config.Kind)
        {
            case PluginKind.Tcp:
                if (Uri.CheckHostName(config.Host) == UriHostNameType.Unknown)
                    throw Refused($"`config.host` is a name or an address, not \"{Rest.Shown.Of(config.Host)}\".");
                addresses.Check(config.Host);
                return config;
            case PluginKind.Http or PluginKind.Grpc:
                CheckEndpoint(config);
                addresses.Check(config.Target!.Value.Host);
                CheckCount("config.headers", config.Headers.Count);
                return config with
                {
                    Headers = config.Headers.ToImmutableSortedDictionary(header => header.Key, header => HeaderOf(header.Key, header.Value, config, before), StringComparer.OrdinalIgnoreCase),
                    SigningSecret = SigningSecretOf(config, before),
                };
            case PluginKind.Log:
                if (LogChannel.LevelOf(config.Level) is null)
                    throw Refused($"`config.level` is {string.Join(", ", LogChannel.Levels)}, not \"{Rest.Shown.Of(config.Level)}\".");
                if (config.Template?.Length > ServerLimits.PluginValueMax)
                    throw Long("config.template");
                return config;
            case PluginKind.Process:
                return config with { Program = Checked(config.Program!, before?.Program) };
            default:
                throw new InvalidOperationException("Every kind has its rules.");
        }
    }

    /// <summary>What is handed to the system as it is must be what it takes: no text with a zero, no name with <c>=</c>. Whether the program is there, its registry knows.</summary>
    static ProcessSettings Checked(ProcessSettings program, ProcessSettings? before)
    {
        if (program.Plugin.Length == 0)
            throw Refused("plugin identifier cannot be empty.");
        if (program.Version.Length == 0)
            throw Refused("plugin version cannot be empty.");
        Install.PluginNames.Check(program.Plugin, "name");
        Install.PluginNames.Check(program.Version, "version");
        foreach (var (what, text) in new[] { ("config.name", program.Plugin), ("config.version", program.Version), ("config.working_dir", program.WorkingDir ?? "") })
        {
            if (text.AsSpan().ContainsAnyInRange('\0', '\x1f'))
                throw Refused($"`{what}` holds control characters.");
        }

        CheckCount("config.args", program.Args.Length);
        CheckCount("config.env", program.Env.Count);
        // Whoever may not see a secret must not have it handed to another program either.
        var kept = before is not null && before.Plugin == program.Plugin ? before : null;
        return program with
        {
            Args = [.. program.Args.Select((arg, at) => Whole("config.args", arg == PluginJson.Hidden && kept is not null
                ? kept.Args.Length == program.Args.Length ? kept.Args[at] : throw Refused($"`config.args` holds \"{arg}\", which stands for the argument that is there, and there are {kept.Args.Length} and not {program.Args.Length}.")
                : arg))],
            Env = program.Env.ToImmutableSortedDictionary(variable => VariableName(variable.Key), variable => Whole("config.env", variable.Value == PluginJson.Hidden
                ? kept?.Env.GetValueOrDefault(variable.Key) ?? throw Refused($"`config.env`: \"{Rest.Shown.Of(variable.Key)}\" is \"{variable.Value}\", which stands for the value that is there for this program, and there is none.")
                : variable.Value), StringComparer.Ordinal),
        };
    }

    static string VariableName(string name) => name.Length > 0 && name.Length <= Limits.TypeBytesMax && !name.AsSpan().ContainsAny('=', '\0')
        ? name
        : throw Refused($"`config.env`: \"{Rest.Shown.Of(name)}\" is no name of a variable.");

    /// <summary>The value is not said: it may be a secret.</summary>
    static string Whole(string what, string text) => text.Contains('\0', StringComparison.Ordinal) ? throw Refused($"`{what}` holds a text with a zero in it, which no program can be given.")
        : text.Length > ServerLimits.PluginValueMax ? throw Long(what)
        : text;

    static void CheckCount(string what, int count)
    {
        if (count > ServerLimits.PluginListMax)
            throw new RefusedException(RefusalCode.LimitExceeded, FormattableString.Invariant($"`{what}` has {count} entries; at most {ServerLimits.PluginListMax} are kept."));
    }

    static string? SigningSecretOf(PluginConfig config, PluginConfig? before)
    {
        if (config.SigningSecret is not { } secret)
            return null;
        if (secret == PluginJson.Hidden)
        {
            secret = before?.SigningSecret ?? throw Refused($"`config.signing_secret` is \"{secret}\", which stands for the one that is there, and there is none.");
            return before.Origin == config.Origin ? secret : throw Refused(
                $"`config.signing_secret` is \"{PluginJson.Hidden}\", and it is kept for the scheme, host and port it was given for alone; the endpoint has others now. Send it.");
        }

        if (secret.Length < ServerLimits.PluginSecretMin)
            throw Refused(FormattableString.Invariant($"`config.signing_secret` has {secret.Length} characters; at least {ServerLimits.PluginSecretMin} are needed."));
        return secret.Length > ServerLimits.PluginValueMax ? throw Long("config.signing_secret") : secret;
    }

    static void CheckEndpoint(PluginConfig config)
    {
        string[] schemes = config.Kind == PluginKind.Http ? ["http", "https"] : ["http", "https", "grpc", "grpcs"];
        var hasScheme = config.Endpoint.Contains("://", StringComparison.Ordinal);
        var text = hasScheme || config.Kind == PluginKind.Grpc ? config.Endpoint : "http://" + config.Endpoint;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || !schemes.Contains(uri.Scheme) || uri.Host.Length == 0)
            throw Refused($"`config.endpoint` is a URL of {string.Join(", ", schemes)}{(config.Kind == PluginKind.Http ? ", or host and path" : "")}, not \"{Rest.Shown.Of(config.Endpoint)}\".");
        // It is shown in lists, and a password in it would be.
        if (uri.UserInfo.Length > 0)
            throw Refused("`config.endpoint` names a user; send it as a header, which is kept as a secret.");
        if (config.Uri is null)
            throw Refused($"`config.endpoint` is no URL: \"{Rest.Shown.Of(config.Endpoint)}\".");
        if (SecretIn(uri.Query) is { } parameter)
            throw Refused($"`config.endpoint` has `{Rest.Shown.Of(parameter)}` in its query, which looks like a secret, and endpoints are shown; send it as a header, which is kept as one.");
    }

    /// <summary>The first parameter of a query whose name says that its value is a secret; null where there is none.</summary>
    static string? SecretIn(string query)
    {
        foreach (var part in query.TrimStart('?').Split('&', ';'))
        {
            var name = Uri.UnescapeDataString(part.Split('=')[0]);
            var letters = string.Concat(name.Where(char.IsLetterOrDigit)).ToLowerInvariant();
            if (SecretNames.Contains(letters) || SecretParts.Any(secret => letters.Contains(secret, StringComparison.Ordinal)))
                return name;
        }

        return null;
    }

    static string HeaderOf(string name, string value, PluginConfig config, PluginConfig? before)
    {
        if (name.Length is 0 or > Limits.TypeBytesMax || name.AsSpan().ContainsAnyExcept(HeaderName))
            throw Refused($"`config.headers`: \"{Rest.Shown.Of(name)}\" is no name of a header.");
        if (config.Kind == PluginKind.Http && HttpChannel.Reserved.Contains(name, StringComparer.OrdinalIgnoreCase))
            throw Refused($"`config.headers`: \"{name}\" is set by EventDBX with each request, and by nobody else.");
        if (config.Kind == PluginKind.Grpc && (name.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase) || name.EndsWith("-bin", StringComparison.OrdinalIgnoreCase)))
            throw Refused($"`config.headers`: \"{name}\" is a name that gRPC keeps for itself (grpc-…) or for bytes (…-bin).");
        if (value == PluginJson.Hidden)
        {
            var kept = before?.Headers.GetValueOrDefault(name) ?? throw Refused($"`config.headers`: \"{name}\" is \"{value}\", which stands for the value that is there, and there is none.");
            // Whoever may not see a secret must not have it sent to a place of theirs either.
            return before.Origin == config.Origin ? kept : throw Refused(
                $"`config.headers`: \"{name}\" is \"{value}\", and a value is kept for the scheme, host and port it was given for alone; the endpoint has others now. Send the value.");
        }

        if (value.AsSpan().ContainsAnyInRange('\0', '\x1f') || value.Contains('\x7f', StringComparison.Ordinal))
            throw Refused($"`config.headers`: the value of \"{name}\" holds control characters.");
        if (config.Kind == PluginKind.Grpc && value.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            throw Refused($"`config.headers`: the value of \"{name}\" holds characters beyond ASCII, which gRPC does not carry.");
        return value.Length > ServerLimits.PluginValueMax ? throw Long("config.headers") : value;
    }

    static RefusedException Long(string what) => new(
        RefusalCode.LimitExceeded, FormattableString.Invariant($"`{what}` holds a text of more than {ServerLimits.PluginValueMax} characters."));

    public static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, message);
}
