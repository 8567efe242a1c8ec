namespace EventDbx.Server.Configuration;

/// <summary>A setting that a variable of the environment makes.</summary>
/// <param name="Variable">Its name: <c>EVENTDBX_PORT</c>.</param>
/// <param name="Key">What it sets.</param>
public sealed record ConfigOverride(string Variable, ConfigKey Key);

/// <summary>The settings that the environment makes: above those of the file, below those of the command line, and never saved.</summary>
/// <remarks>A variable that is empty counts as not set: that is how most tools that start programs leave one out.</remarks>
/// <param name="variable">The value of a variable; null when it is not set.</param>
/// <param name="workingDirectory">What a relative path in a variable is relative to.</param>
public sealed class ConfigEnvironment(Func<string, string?> variable, string workingDirectory)
{
    /// <summary>Of the data directory.</summary>
    public const string DataDirVariable = Prefix + "DATA_DIR";

    const string Prefix = "EVENTDBX_";

    /// <summary>The published name, and the one before it.</summary>
    static readonly string[] OlderRestrictVariables = ["EVENTDB_RESTRICT", "EVENTFUL_RESTRICT"];

    /// <summary>No variable is set.</summary>
    public static ConfigEnvironment Empty { get; } = new(static _ => null, "/");

    /// <summary>What is set, in the order of <see cref="ConfigKeys"/>.</summary>
    public IEnumerable<ConfigOverride> Overrides =>
        from key in ConfigKeys.All
        where !key.FileOnly
        let found = VariablesOf(key).FirstOrDefault(IsSet)
        where found is not null
        select new ConfigOverride(found, key);

    /// <summary>The variable of a key: <c>EVENTDBX_AUTH_SECRET</c> of <c>auth.secret</c>.</summary>
    public static string VariableOf(ConfigKey key) => Prefix + key.Name.Replace('.', '_').ToUpperInvariant();

    /// <summary>Variables that look like one of ours, are none, and so have no effect; each with the one that was probably meant.</summary>
    /// <param name="names">Of all variables there are.</param>
    /// <param name="others">Variables of ours that make no setting.</param>
    public static IEnumerable<(string Name, string Meant)> Misspelt(IEnumerable<string> names, params IReadOnlyList<string> others)
    {
        var known = ConfigKeys.All.Where(key => !key.FileOnly).Select(VariableOf).Concat(others).Select(name => name[Prefix.Length..]).ToList();
        return from name in names.Order(StringComparer.Ordinal)
               where name.StartsWith(Prefix, StringComparison.Ordinal) && !known.Contains(name[Prefix.Length..])
               let meant = NearestName.Of(name[Prefix.Length..], known)
               where meant is not null
               select (name, Prefix + meant);
    }

    /// <summary>The settings with these above them.</summary>
    /// <exception cref="ConfigException">A value is not what its key accepts; names the variable, and quotes no secret.</exception>
    public ServerConfig Over(ServerConfig config)
    {
        foreach (var (name, key) in Overrides)
        {
            var text = variable(name)!;
            try
            {
                config = key.Set(config, ConfigValue.OfText(text));
            }
            catch (ConfigValueException refused)
            {
                throw new ConfigException($"The environment variable {name} {refused.Message}{(key.Secret ? "" : $", not `{text}`")}.");
            }

            if (key.Name == "data_dir")
                config = config with { DataDir = Path.GetFullPath(config.DataDir, workingDirectory) };
            else if (key.Table == "tls")
                config = config.WithFullTlsPaths(workingDirectory);
        }

        return config;
    }

    static IEnumerable<string> VariablesOf(ConfigKey key) =>
        key.Name == "restrict" ? OlderRestrictVariables.Prepend(VariableOf(key)) : [VariableOf(key)];

    bool IsSet(string name) => !string.IsNullOrWhiteSpace(variable(name));
}
