using System.Globalization;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Commands.Server;

/// <summary>The options that <c>start</c>, <c>restart</c> and the server process have in common, and what they come to.</summary>
internal static class StartFlags
{
    const string TlsKey = "tls.enabled";

    static readonly Option<string> Port = Options.Text("--port", "PORT", "The port; kept in the configuration. 0 takes any free one, for this run.");

    static readonly Option<string> Bind = Options.Text(
        "--bind", "IP", "The address; kept in the configuration. 0.0.0.0 is every one of this machine.");

    static readonly Option<string> Restrict = new("--restrict")
    {
        HelpName = "off|default|strict",
        Description = "How events are held against schemas; kept. Without a value: default. Not given: as configured.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    static readonly Option<string[]> Api = new("--api")
    {
        HelpName = "rest|graphql|grpc|all",
        Description = "Exactly these surfaces; kept. Several with commas, or repeated.",
        Arity = ArgumentArity.OneOrMore,
    };

    static readonly (Option<bool> Option, string Key, bool On)[] Switches =
    [
        (Options.Switch("--rest", "Switch REST on; kept."), "api.rest", true),
        (Options.Switch("--no-rest", "Switch REST off; kept."), "api.rest", false),
        (Options.Switch("--graphql", "Switch GraphQL on; kept."), "api.graphql", true),
        (Options.Switch("--no-graphql", "Switch GraphQL off; kept."), "api.graphql", false),
        (Options.Switch("--grpc", "Switch gRPC on; kept."), "api.grpc", true),
        (Options.Switch("--no-grpc", "Switch gRPC off; kept."), "api.grpc", false),
        (Options.Switch("--tls", "Speak TLS; kept. Without a certificate in the configuration, one is made."), TlsKey, true),
        (Options.Switch("--no-tls", "Speak clear text; kept."), TlsKey, false),
    ];

    public static IEnumerable<Option> All => [Port, Bind, Restrict, Api, .. Switches.Select(one => one.Option)];

    public static void Check(Call call)
    {
        foreach (var (option, key, on) in Switches)
        {
            if (key != TlsKey)
                call.NotBoth(Api, option);
            if (on)
                call.NotBoth(option, Switches.Single(other => other.Key == key && !other.On).Option);
        }
    }

    /// <summary>Whether one of the options names a setting that is kept.</summary>
    public static bool NameSettings(Call call) =>
        PortOf(call) is > 0 || call.Has(Bind) || call.Has(Restrict) || call.Has(Api) || Switches.Any(one => call.Get(one.Option));

    /// <summary>The settings that the options name, above others.</summary>
    /// <exception cref="UsageException">A value is none, or no surface is left.</exception>
    public static ServerConfig Over(Call call, ServerConfig config)
    {
        var before = config;
        if (PortOf(call) is > 0 and var port)
            config = config with { Port = port };
        if (call.Get(Bind) is { } address)
            config = Set(config, Bind, "bind_addr", address);
        if (call.Has(Restrict))
            config = Set(config, Restrict, "restrict", call.Get(Restrict) ?? "default");
        if (call.Get(Api) is { Length: > 0 } surfaces)
            config = Set(config, Api, "api", string.Join(',', surfaces));
        foreach (var (option, key, on) in Switches)
        {
            if (call.Get(option))
                config = Set(config, option, key, on ? "true" : "false");
        }

        if (config != before && !config.ApiRest && !config.ApiGraphQL && !config.ApiGrpc)
            throw new UsageException("No surface is left switched on; a server needs one of REST, GraphQL and gRPC.");
        return config;
    }

    /// <summary>The port of this run; 0 is any.</summary>
    public static int RunPort(Call call, ServerConfig config) => PortOf(call) ?? config.Port;

    /// <summary>The same options once more, for the process that is the server.</summary>
    public static IEnumerable<string> Arguments(Call call)
    {
        foreach (var option in (Option<string>[])[Port, Bind])
        {
            if (call.Get(option) is { } value)
                yield return $"{option.Name}={value}";
        }

        if (call.Has(Restrict))
            yield return $"{Restrict.Name}={call.Get(Restrict) ?? "default"}";
        if (call.Get(Api) is { Length: > 0 } surfaces)
            yield return $"{Api.Name}={string.Join(',', surfaces)}";
        foreach (var (option, _, _) in Switches)
        {
            if (call.Get(option))
                yield return option.Name;
        }
    }

    static int? PortOf(Call call)
    {
        if (call.Get(Port) is not { } text)
            return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port <= 65_535
            ? port
            : throw new UsageException($"`{Port.Name}` must be a whole number from 1 to 65535, or 0 for any free port, not `{text}`.");
    }

    static ServerConfig Set(ServerConfig config, Option option, string key, string text)
    {
        try
        {
            return ConfigKeys.Named(key).Set(config, ConfigValue.OfText(text));
        }
        catch (ConfigValueException refused)
        {
            throw new UsageException($"`{option.Name}` {refused.Message}, not `{text}`.");
        }
    }
}
