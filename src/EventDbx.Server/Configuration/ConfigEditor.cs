using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using EventDbx.Server.Replication;
using Tomlyn.Syntax;

namespace EventDbx.Server.Configuration;

/// <summary>Writes settings into the text of a <c>config.toml</c>, leaving alone what did not change: comments, order, spacing.</summary>
internal static class ConfigEditor
{
    /// <summary>The settings in full, in the order of <see cref="ConfigKeys"/>: the text of a new file.</summary>
    /// <param name="config">The settings.</param>
    /// <param name="shown">The literal of a key, so that a caller can leave secrets out.</param>
    public static string Write(ServerConfig config, Func<ConfigKey, object, string>? shown = null)
    {
        StringBuilder text = new();
        var table = "";
        foreach (var key in ConfigKeys.All.OrderBy(key => key.Table.Length > 0))
        {
            if (key.Get(config) is not { } value)
                continue;

            if (key.Table != table)
                text.Append('\n').Append('[').Append(table = key.Table).Append("]\n");
            text.Append(key.Leaf).Append(" = ").Append(shown?.Invoke(key, value) ?? Literal(value)).Append('\n');
        }

        foreach (var (name, remote) in config.Remotes)
            text.Append(Table(name, remote));
        foreach (var (name, peer) in config.ReplicationAllow)
            text.Append(Table(name, peer));

        return text.ToString();
    }

    /// <summary>The text with the differences between two settings worked in.</summary>
    public static string Edit(string path, string text, ServerConfig from, ServerConfig to)
    {
        var changed = ConfigKeys.All.Where(key => !Equals(key.Get(from), key.Get(to))).Select(key => key.Name).ToHashSet();
        foreach (var older in ConfigKeys.All.Where(key => key.OlderFormOf.Any(changed.Contains)))
        {
            // Surfaces go together: one that is not written in its table would be off.
            changed.UnionWith(older.OlderFormOf);
            text = Remove(path, text, older);
        }

        foreach (var key in ConfigKeys.All.Where(key => changed.Contains(key.Name)))
        {
            var file = ConfigReader.Locate(path, text);
            var entry = file.Entries.Find(e => e.Name == key.Name || key.Aliases.Contains(e.Name));
            text = (entry, key.Get(to)) switch
            {
                (null, null) => text,
                (null, { } value) => Insert(file, text, key, Literal(value)),
                ({ } found, null) => Cut(path, text, found),
                ({ } found, { } value) => Replace(text, found.Syntax.Value!.Span, Literal(value)),
            };
        }

        text = EditTables(path, text, "remotes", from.Remotes, to.Remotes, Table, "endpoint", "public_key", "mode");
        return EditTables(path, text, AllowRules.Table, from.ReplicationAllow, to.ReplicationAllow, Table, "public_key", "push", "pull");
    }

    /// <summary>A peer that changes has a table of its own afterwards, however it was written; where all of them stand in one inline table, which nothing can be added to, all have.</summary>
    static string EditTables<T>(
        string path, string text, string all, ImmutableSortedDictionary<string, T> from, ImmutableSortedDictionary<string, T> to, Func<string, T, string> write, params string[] leaves)
        where T : class
    {
        SortedSet<string> changed = new(
            from.Keys.Union(to.Keys).Where(name => !Equals(from.GetValueOrDefault(name), to.GetValueOrDefault(name))), StringComparer.Ordinal);
        if (changed.Count == 0)
            return text;
        if (all.IndexOf('.', StringComparison.Ordinal) is var dot and > 0 && Statements(path, text, all[..dot]) is [var inline, ..])
            throw new ConfigException(string.Create(CultureInfo.InvariantCulture, $"{path}, line {inline.Span.Start.Line + 1}: `{all[..dot]}` stands in an inline table; give it a table, [{all[..dot]}], by hand."));
        var inOne = Statements(path, text, all);
        if (inOne.Count > 0)
        {
            changed.UnionWith(from.Keys);
            text = CutStatement(text, inOne[0]);
        }

        foreach (var name in changed)
        {
            text = RemoveTable(path, text, $"{all}.{name}");
            // From the last one on, so that the places of the others stay.
            foreach (var statement in Statements(path, text, [$"{all}.{name}", .. leaves.Select(leaf => $"{all}.{name}.{leaf}")]))
                text = CutStatement(text, statement);
            if (to.GetValueOrDefault(name) is { } peer)
                text = Append(text, write(name, peer));
        }

        return text;
    }

    /// <summary>The lines that set one of these names, whatever table they stand in, the last one first.</summary>
    static List<KeyValueSyntax> Statements(string path, string text, params string[] names)
    {
        var document = ConfigReader.Locate(path, text).Document;
        var all = document.KeyValues.Select(line => (Name: ConfigReader.NameOf(line.Key!), Line: line)).Concat(
            from table in document.Tables
            from line in table.Items
            select (Name: $"{ConfigReader.NameOf(table.Name!)}.{ConfigReader.NameOf(line.Key!)}", Line: line));
        return [.. all.Where(one => names.Contains(one.Name)).Select(one => one.Line).OrderByDescending(line => line.Span.Offset)];
    }

    static string CutStatement(string text, KeyValueSyntax statement)
    {
        var start = LineStart(text, statement.Span.Offset);
        return text.Remove(start, LineEnd(text, EndOf(statement.Value!.Span)) - start);
    }

    /// <summary>A value as TOML.</summary>
    public static string Literal(object value) => value switch
    {
        bool truth => truth ? "true" : "false",
        long number => number.ToString(CultureInfo.InvariantCulture),
        string text => Quoted(text),
        ConfigList texts => $"[{string.Join(", ", texts.Select(Quoted))}]",
        _ => throw new ArgumentException("No key has values of this type.", nameof(value)),
    };

    static string Insert(ConfigReader file, string text, ConfigKey key, string literal)
    {
        var newline = text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";
        var line = $"{key.Leaf} = {literal}{newline}";
        if (key.Table.Length == 0)
        {
            var at = file.Document.KeyValues.LastOrDefault() is { } last ? EndOf(last.Span)
                : file.Document.Tables.FirstOrDefault() is { } first ? LineStart(text, first.Span.Offset)
                : ConfigText.EndOf(text);
            return InsertLine(text, at, line, newline);
        }

        if (file.Document.Tables.FirstOrDefault(table => ConfigReader.NameOf(table.Name!) == key.Table) is { } header)
        {
            var after = header.Items.LastOrDefault() is { } item ? EndOf(item.Span) : LineEnd(text, EndOf(header.CloseBracket!.Span) - 1);
            return InsertLine(text, after, line, newline);
        }

        // Of this table itself: what stands in a table below it stands under another header.
        var below = file.Entries.FindAll(entry => entry.Name.StartsWith(key.Table + ".", StringComparison.Ordinal));
        // Where dots alone made the table, no header may open it any more.
        var sibling = below.FindLast(entry => entry.Name.LastIndexOf('.') == key.Table.Length) ?? below.FindLast(entry => entry.Root == ConfigEntryPlace.TopOrDotted);
        return sibling?.Root switch
        {
            ConfigEntryPlace.Inline => text.Insert(EndOf(sibling.Syntax.Value!.Span), $", {line.TrimEnd()}"),
            not null => InsertLine(text, EndOf(sibling.Syntax.Span), $"{key.Table}.{line}", newline),
            null => InsertLine(text, ConfigText.EndOf(text), $"{newline}[{key.Table}]{newline}{line}", newline),
        };
    }

    static string InsertLine(string text, int at, string line, string newline) =>
        text.Insert(at, at > 0 && text[at - 1] != '\n' ? newline + line : line);

    static string Table(string name, RemoteConfig remote) =>
        $"\n[remotes.{BareOrQuoted(name)}]\nendpoint = {Literal(remote.Endpoint)}\npublic_key = {Literal(remote.PublicKey)}\n{(remote.Mode == RemoteMode.Follow ? $"mode = {Literal(RemoteConfig.Follow)}\n" : "")}";

    static string Table(string name, AllowedPeer peer) =>
        $"\n[{AllowRules.Table}.{BareOrQuoted(name)}]\npublic_key = {Literal(peer.PublicKey)}\npush = {Literal(peer.Push)}\npull = {Literal(peer.Pull)}\n";

    static string Append(string text, string lines)
    {
        var newline = text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";
        return text + (text.Length == 0 || text.EndsWith('\n') ? "" : newline) + lines.Replace("\n", newline, StringComparison.Ordinal);
    }

    /// <summary>Without that table, and without the empty line before it.</summary>
    static string RemoveTable(string path, string text, string name)
    {
        if (ConfigReader.Locate(path, text).Document.Tables.FirstOrDefault(table => ConfigReader.NameOf(table.Name!) == name) is not { } table)
            return text;
        var start = LineStart(text, table.OpenBracket!.Span.Offset);
        var end = LineEnd(text, table.Items.LastOrDefault() is { } item ? EndOf(item.Value!.Span) : EndOf(table.CloseBracket!.Span));
        if (start > 0 && LineStart(text, start - 1) is var before && string.IsNullOrWhiteSpace(text[before..start]))
            start = before;
        return text.Remove(start, end - start);
    }

    static string Remove(string path, string text, ConfigKey key) =>
        ConfigReader.Locate(path, text).Entries.Find(e => e.Name == key.Name || key.Aliases.Contains(e.Name)) is { } entry
            ? Cut(path, text, entry)
            : text;

    static string Cut(string path, string text, ConfigEntry entry)
    {
        if (entry.Root == ConfigEntryPlace.Inline)
            throw new ConfigException($"{path}, line {entry.Line}: `{entry.Name}` stands in an inline table; remove it there by hand.");

        return CutStatement(text, entry.Syntax);
    }

    static string Replace(string text, SourceSpan span, string literal) =>
        string.Concat(text.AsSpan(0, span.Offset), literal, text.AsSpan(EndOf(span)));

    static int EndOf(SourceSpan span) => span.Offset + span.Length;

    static int LineStart(string text, int offset) => offset == 0 ? 0 : text.LastIndexOf('\n', offset - 1) + 1;

    /// <summary>The offset after the line's end.</summary>
    static int LineEnd(string text, int offset) => text.IndexOf('\n', Math.Min(offset, text.Length)) is var end and >= 0 ? end + 1 : text.Length;

    static string BareOrQuoted(string name) => BareKeySyntax.IsBareKey(name) ? name : Quoted(name);

    static string Quoted(string text)
    {
        StringBuilder quoted = new("\"");
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                < ' ' or '\u007f' => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => quoted.Append(c),
            };
        }

        return quoted.Append('"').ToString();
    }
}
