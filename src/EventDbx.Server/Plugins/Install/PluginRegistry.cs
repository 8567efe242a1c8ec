using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Tokens;
using EventDbx.Storage;

namespace EventDbx.Server.Plugins.Install;

/// <summary>What is installed in a data directory: <c>plugins/registry.json</c>, an array of records in the order of name, version, target.</summary>
/// <remarks>
/// The file is replaced whole, mode 0600. Its paths are absolute, as published; what lies in the place that name, version and target give in this
/// data directory counts more than a recorded path, so that a directory that was moved or restored elsewhere goes on working.
/// </remarks>
public sealed class PluginRegistry(string dataDirectory)
{
    /// <summary>In the data directory.</summary>
    public const string DirectoryName = "plugins";

    /// <summary>In that.</summary>
    public const string FileName = "registry.json";

    readonly string _root = Path.Combine(Path.GetFullPath(dataDirectory), DirectoryName);

    /// <summary>Where plugins are installed; absolute.</summary>
    public string Root => _root;

    string File => Path.Combine(_root, FileName);

    /// <summary>Where a plugin is installed, or would be.</summary>
    public string DirectoryOf(string name, string version, string target) => Path.Combine(_root, name, version, target);

    /// <summary>Every record, with the paths of this data directory where it has them.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: the file is no registry.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public IReadOnlyList<InstalledPlugin> List() => [.. Read().Select(Moved)];

    /// <summary>The record of a plugin for a target; null where it is not installed.</summary>
    /// <exception cref="RefusedException">As <see cref="List"/>.</exception>
    public InstalledPlugin? Find(string name, string version, string? target = null)
    {
        target ??= PluginTarget.Current;
        return List().FirstOrDefault(plugin => plugin.Name == name && plugin.Version == version && plugin.Target == target);
    }

    /// <summary>Adds a record, or replaces that of the same name, version and target. One caller at a time (<see cref="PluginInstaller"/> sees to it).</summary>
    internal void Put(InstalledPlugin plugin)
    {
        var records = Read();
        records.RemoveAll(known => IsSame(known, plugin));
        records.Add(plugin);
        records.Sort(static (left, right) =>
        {
            var order = string.CompareOrdinal(left.Name, right.Name);
            order = order != 0 ? order : string.CompareOrdinal(left.Version, right.Version);
            return order != 0 ? order : string.CompareOrdinal(left.Target, right.Target);
        });
        DurableFile.Write(File, Write(records));
    }

    static bool IsSame(InstalledPlugin left, InstalledPlugin right) => left.Name == right.Name && left.Version == right.Version && left.Target == right.Target;

    InstalledPlugin Moved(InstalledPlugin plugin)
    {
        var here = DirectoryOf(plugin.Name, plugin.Version, plugin.Target);
        if (here == plugin.InstallDirectory || !Directory.Exists(here))
            return plugin;
        var binary = Path.GetRelativePath(plugin.InstallDirectory, plugin.BinaryPath);
        return Path.IsPathRooted(binary) || binary.StartsWith("..", StringComparison.Ordinal) ? plugin
            : plugin with { InstallDirectory = here, BinaryPath = Path.Combine(here, binary) };
    }

    List<InstalledPlugin> Read()
    {
        if (DurableFile.Read(File, ServerLimits.PluginRegistryBytesMax) is not { } content || content.AsSpan().Trim(" \r\n\t"u8).IsEmpty)
            return [];
        try
        {
            using var json = JsonDocument.Parse(content);
            return [.. json.RootElement.EnumerateArray().Select(ReadRecord)];
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or RefusedException)
        {
            throw new RefusedException(RefusalCode.IntegrityViolation, $"\"{File}\" is no registry of plugins: {broken.Message}");
        }
    }

    static InstalledPlugin ReadRecord(JsonElement json)
    {
        var (name, version, target) = (JsonReading.Required(json.Text("name"), "name"), JsonReading.Required(json.Text("version"), "version"), JsonReading.Required(json.Text("target"), "target"));
        // It becomes a path.
        PluginNames.Check(name, "name");
        PluginNames.Check(version, "version");
        PluginNames.Check(target, "target");
        return new()
        {
            Name = name, Version = version, Target = PluginTarget.Normalize(target),
            InstallDirectory = JsonReading.Required(json.Text("install_dir"), "install_dir"),
            BinaryPath = JsonReading.Required(json.Text("binary_path"), "binary_path"),
            Source = json.Member("source") is { } source ? SourceOf(source) : null,
            Checksum = json.Text("checksum"),
            InstalledAt = Timestamp.TryParse(JsonReading.Required(json.Text("installed_at"), "installed_at"), out var time, out var why) ? time : throw new RefusedException(why),
        };
    }

    static PluginSource? SourceOf(JsonElement json) => json.Text("type") switch
    {
        "local" => new(false, JsonReading.Required(json.Text("path"), "source.path")),
        "remote" => new(true, JsonReading.Required(json.Text("registry"), "source.registry")),
        _ => null,
    };

    static ReadOnlySpan<byte> Write(List<InstalledPlugin> plugins)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, new() { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartArray();
            foreach (var plugin in plugins)
            {
                json.WriteStartObject();
                json.WriteString("name"u8, plugin.Name);
                json.WriteString("version"u8, plugin.Version);
                json.WriteString("target"u8, plugin.Target);
                json.WriteString("install_dir"u8, plugin.InstallDirectory);
                json.WriteString("binary_path"u8, plugin.BinaryPath);
                WriteSource(json, plugin.Source);
                json.WriteString("checksum"u8, plugin.Checksum);
                json.WriteString("installed_at"u8, plugin.InstalledAt.ToString());
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return output.WrittenSpan;
    }

    static void WriteSource(Utf8JsonWriter json, PluginSource? source)
    {
        if (source is null)
        {
            json.WriteNull("source"u8);
            return;
        }

        json.WriteStartObject("source"u8);
        json.WriteString("type"u8, source.IsRemote ? "remote" : "local");
        json.WriteString(source.IsRemote ? "registry"u8 : "path"u8, source.Place);
        json.WriteEndObject();
    }
}
