using System.Globalization;
using EventDbx.Server.Replication;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace EventDbx.Server.Configuration;

/// <summary>One key and value of a file, and where they stand in its text.</summary>
/// <param name="Name">With its table, dots between: <c>admin.port</c>.</param>
/// <param name="Syntax">The whole of it, to the end of its line.</param>
/// <param name="Root">What stands before the name: the table header, inline table or dots it is under.</param>
internal sealed record ConfigEntry(string Name, KeyValueSyntax Syntax, ConfigEntryPlace Root)
{
    /// <summary>1 for the first.</summary>
    public int Line => Syntax.Span.Start.Line + 1;
}

/// <summary>How an entry came to be in its table.</summary>
internal enum ConfigEntryPlace
{
    TopOrDotted,
    UnderHeader,
    Inline,
}

/// <summary>Reads the text of a <c>config.toml</c>, whole or not at all.</summary>
internal sealed class ConfigReader
{
    readonly string _path;
    readonly string _text;

    ConfigReader(string path, string text)
    {
        (_path, _text) = (path, text);
        Document = Parse();
        foreach (var entry in Document.KeyValues)
            Collect("", entry, ConfigEntryPlace.TopOrDotted);
        foreach (var table in Document.Tables)
        {
            Tables.Add(NameOf(table.Name!));
            if (table is not TableSyntax)
                throw At(table.Span.Start.Line + 1, $"[[{NameOf(table.Name!)}]] is a list of tables, which no key accepts here.");
            foreach (var entry in table.Items)
                Collect(NameOf(table.Name!) + ".", entry, ConfigEntryPlace.UnderHeader);
        }
    }

    public DocumentSyntax Document { get; }

    public List<ConfigEntry> Entries { get; } = [];

    /// <summary>The tables that are there, even if nothing is in them.</summary>
    public HashSet<string> Tables { get; } = [];

    /// <summary>The settings of <paramref name="text"/>; keys it does not have are as in <paramref name="defaults"/>.</summary>
    /// <exception cref="ConfigException">Names line and key.</exception>
    public static ServerConfig Read(string path, string text, ServerConfig defaults) => new ConfigReader(path, text).Read(defaults);

    /// <summary>Where everything stands, for an edit.</summary>
    public static ConfigReader Locate(string path, string text) => new(path, text);

    ServerConfig Read(ServerConfig config)
    {
        foreach (var table in Document.Tables)
            RefuseUnknownTable(table);

        // A surface that is missing from a table that is there is off.
        if (Tables.Contains("api"))
            config = config with { ApiRest = false, ApiGraphQL = false, ApiGrpc = false };

        // In the order of the keys, not of the file: an older form has its say at its place.
        foreach (var key in ConfigKeys.All)
        {
            var found = Entries.FindAll(entry => entry.Name == key.Name || key.Aliases.Contains(entry.Name));
            if (found.Count > 1)
                throw At(found[1].Line, $"`{found[1].Name}` says again what `{found[0].Name}` says in line {found[0].Line}.");
            if (found.Count == 1)
                config = Set(config, key, found[0]);
        }

        foreach (var entry in Entries)
        {
            if (entry.Name.StartsWith("remotes.", StringComparison.Ordinal))
                config = WithRemote(config, entry);
            else if (entry.Name.StartsWith(AllowPrefix, StringComparison.Ordinal))
                config = WithAllowed(config, entry);
            else if (!ConfigKeys.All.Any(key => key.Name == entry.Name || key.Aliases.Contains(entry.Name)))
                throw UnknownKey(entry);
        }

        RefuseDoubtfulPeers(config);
        return config;
    }

    ServerConfig Set(ServerConfig config, ConfigKey key, ConfigEntry entry)
    {
        try
        {
            return key.Set(config, ValueOf(entry.Syntax.Value!));
        }
        catch (ConfigValueException refused)
        {
            var found = !key.Quotable ? "" : $", not {Short(Slice(entry.Syntax.Value!.Span))}";
            throw At(entry.Line, $"`{entry.Name}` {refused.Message}{found}.");
        }
    }

    ServerConfig WithRemote(ServerConfig config, ConfigEntry entry)
    {
        var leafAt = entry.Name.LastIndexOf('.');
        var name = leafAt > "remotes".Length ? entry.Name["remotes.".Length..leafAt] : "";
        if (name.Length == 0 || ValueOf(entry.Syntax.Value!).Content is not string text)
            throw At(entry.Line, $"`{entry.Name}` must be a string in a table of its own, [remotes.<name>].");

        var remote = config.Remotes.GetValueOrDefault(name) ?? new RemoteConfig();
        remote = entry.Name[(leafAt + 1)..] switch
        {
            "endpoint" => remote with { Endpoint = text },
            "public_key" => remote with { PublicKey = text },
            "mode" when text == RemoteConfig.Follow => remote with { Mode = Followed(config, name, entry) },
            "mode" => throw At(entry.Line, $"`{entry.Name}` must be \"{RemoteConfig.Follow}\", not {Short(Slice(entry.Syntax.Value!.Span))}; a remote that is not followed has none."),
            var leaf => throw At(entry.Line, $"unknown key `{leaf}` for a remote; known: endpoint, public_key, mode."),
        };
        return config with { Remotes = config.Remotes.SetItem(name, remote) };
    }

    RemoteMode Followed(ServerConfig config, string name, ConfigEntry entry) =>
        config.Remotes.FirstOrDefault(remote => remote.Value.Mode == RemoteMode.Follow && remote.Key != name).Key is { } other
            ? throw At(entry.Line, $"`{entry.Name}` would follow a second leader: [remotes.{other}] is followed already, and a database is the mirror of one.")
            : RemoteMode.Follow;

    const string AllowPrefix = AllowRules.Table + ".";

    /// <summary>Who may come is read strictly: a slip must not let somebody in, nor leave somebody in who was to be denied.</summary>
    ServerConfig WithAllowed(ServerConfig config, ConfigEntry entry)
    {
        var (name, leaf) = PeerOf(entry);
        if (name.Length == 0)
            throw At(entry.Line, $"`{entry.Name}` must stand in a table of its own, [{AllowRules.Table}.<name>].");
        var peer = config.ReplicationAllow.GetValueOrDefault(name) ?? new AllowedPeer();
        var value = ValueOf(entry.Syntax.Value!);
        peer = (leaf, value.Content) switch
        {
            ("public_key", string text) => PeerKey.TryParse(text, out _, out var why) ? peer with { PublicKey = text } : throw At(entry.Line, $"`{entry.Name}`: {why}"),
            ("push", bool truth) => peer with { Push = truth },
            ("pull", bool truth) => peer with { Pull = truth },
            ("public_key", _) => throw At(entry.Line, $"`{entry.Name}` must be a string."),
            ("push" or "pull", _) => throw At(entry.Line, $"`{entry.Name}` must be true or false."),
            _ => throw At(entry.Line, $"unknown key `{leaf}` for an allowed peer; known: public_key, push, pull."),
        };
        return config with { ReplicationAllow = config.ReplicationAllow.SetItem(name, peer) };
    }

    static (string Name, string Leaf) PeerOf(ConfigEntry entry)
    {
        var leafAt = entry.Name.LastIndexOf('.');
        return (leafAt > AllowPrefix.Length ? entry.Name[AllowPrefix.Length..leafAt] : "", entry.Name[(leafAt + 1)..]);
    }

    void RefuseDoubtfulPeers(ServerConfig config)
    {
        Dictionary<PeerKey, string> names = [];
        foreach (var (name, peer) in config.ReplicationAllow)
        {
            if (peer.PublicKey.Length == 0)
                throw At(LineOf(name), $"[{AllowRules.Table}.{name}] has no public_key: who is it that may?");
            if (PeerKey.TryParse(peer.PublicKey, out var key, out _) && !names.TryAdd(key, name))
                throw At(LineOf(name), $"[{AllowRules.Table}.{name}] has the key of [{AllowRules.Table}.{names[key]}]; a key has one name, so that who denies it denies it.");
        }

        int LineOf(string name) => Entries.Last(entry => entry.Name.StartsWith(AllowPrefix, StringComparison.Ordinal) && PeerOf(entry).Name == name).Line;
    }

    void RefuseUnknownTable(TableSyntaxBase table)
    {
        var name = NameOf(table.Name!);
        if (name is "remotes" or AllowRules.Table || name.StartsWith("remotes.", StringComparison.Ordinal) || name.StartsWith(AllowPrefix, StringComparison.Ordinal))
            return;

        var tables = ConfigKeys.All.Select(key => key.Table).Append("remotes").Where(t => t.Length > 0).Distinct().ToList();
        if (!tables.Contains(name))
            throw At(table.Span.Start.Line + 1, $"unknown table [{name}]{NearestName.Hint(name, tables)}");
    }

    ConfigException UnknownKey(ConfigEntry entry)
    {
        var known = ConfigKeys.All.Select(key => key.Name).ToList();
        // A key that slipped into or out of a table is nearest to its leaf.
        var leaf = entry.Name[(entry.Name.LastIndexOf('.') + 1)..];
        var nearest = NearestName.Of(entry.Name, known) ?? known.Find(name => name == leaf || name.EndsWith("." + leaf, StringComparison.Ordinal));
        return At(entry.Line, $"unknown key `{entry.Name}`{(nearest is null ? "" : $"; did you mean `{nearest}`?")}");
    }

    DocumentSyntax Parse()
    {
        var document = SyntaxParser.Parse(_text, _path, validate: true);
        foreach (var wrong in document.Diagnostics)
        {
            if (wrong.Kind == DiagnosticMessageKind.Error)
                throw new ConfigException($"{_path}, line {wrong.Span.Start.Line + 1}, column {wrong.Span.Start.Column + 1}: {WithoutValues(wrong.Message)}");
        }

        return document;
    }

    void Collect(string prefix, KeyValueSyntax entry, ConfigEntryPlace place)
    {
        var name = prefix + NameOf(entry.Key!);
        if (name.LastIndexOf('.') is var dot and > 0)
            Tables.Add(name[..dot]);
        if (entry.Value is InlineTableSyntax inline)
        {
            Tables.Add(name);
            foreach (var item in inline.Items)
                Collect(name + ".", item.KeyValue!, ConfigEntryPlace.Inline);
        }
        else
        {
            Entries.Add(new ConfigEntry(name, entry, place));
        }
    }

    internal static string NameOf(KeySyntax key)
    {
        var name = PartOf(key.Key!);
        foreach (var dotted in key.DotKeys)
            name += "." + PartOf(dotted.Key!);
        return name;
    }

    static string PartOf(BareKeyOrStringValueSyntax part) =>
        part is StringValueSyntax quoted ? quoted.Value ?? "" : part.ToString().Trim();

    static ConfigValue ValueOf(ValueSyntax value) => new(value switch
    {
        IntegerValueSyntax integer => integer.Value,
        BooleanValueSyntax truth => truth.Value,
        StringValueSyntax text => text.Value,
        ArraySyntax array => StringsOf(array),
        _ => null,
    }, IsText: false);

    /// <summary>Null where one of them is no string.</summary>
    static List<string>? StringsOf(ArraySyntax array)
    {
        List<string> texts = [];
        foreach (var item in array.Items)
        {
            if (item.Value is not StringValueSyntax { Value: { } text })
                return null;
            texts.Add(text);
        }

        return texts;
    }

    // The parser quotes what stands beside a key that is defined twice; that may be a secret.
    static string WithoutValues(string message) =>
        message.IndexOf(" with `", StringComparison.Ordinal) is var at and > 0 ? message[..at] + " and cannot be defined again" : message;

    string Slice(SourceSpan span) => _text.Substring(span.Offset, span.Length);

    static string Short(string text) => text.Length <= 60 ? text : text[..60] + "…";

    ConfigException At(int line, string problem) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{_path}, line {line}: {problem}"));
}
