using System.Text.Json;

namespace EventDbx.Documents;

/// <summary>Documents as files of the data directory. Only the holder of the directory's lock writes them.</summary>
/// <remarks>
/// <code>
/// plain     the content, as it is
/// sealed    {"eventdbx_sealed":1,"data":"base64 of a sealed value of purpose document, type document, id NAME"}
/// </code>
/// In an encrypted store a plain document is refused, and in a plain store a sealed one: whoever could put a plain one in the
/// place of a sealed one would otherwise make tokens without the key. `schemas.json` holds no secret and is plain everywhere.
/// </remarks>
internal sealed class DocumentDirectory(string directory, DataKey? key, NoncePool nonces) : IDocuments
{
    const string Plain = "schemas.json";

    readonly Lock _gate = new();

    public Document Read(string name)
    {
        var stored = DurableFile.Read(PathOf(name), Limits.DocumentBytesMax);
        return stored is null ? new(null, Hash32.Empty) : new(Open(name, stored), Hash32.Of(stored));
    }

    public bool TryReplace(string name, ReadOnlySpan<byte> content, Document read)
    {
        var path = PathOf(name);
        var stored = IsSealed(name) ? Seal(name, content) : content.ToArray();
        if (stored.Length > Limits.DocumentBytesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"`{name}` would have {stored.Length} bytes; at most {Limits.DocumentBytesMax} are kept.");
        lock (_gate)
        {
            var now = DurableFile.Read(path, Limits.DocumentBytesMax);
            if ((now is null ? Hash32.Empty : Hash32.Of(now)) != read.Revision)
                return false;
            DurableFile.Write(path, stored);
            return true;
        }
    }

    public void Delete(string name)
    {
        lock (_gate)
            DurableFile.Delete(PathOf(name));
    }

    bool IsSealed(string name) => key is not null && !name.StartsWith(Plain, StringComparison.Ordinal);

    string PathOf(string name) => Path.Combine(directory, name);

    byte[] Seal(string name, ReadOnlySpan<byte> content)
    {
        var value = key!.SealDocument(NameOf(name), content, nonces);
        return Encoding.UTF8.GetBytes($$"""{"eventdbx_sealed":1,"data":"{{Convert.ToBase64String(value)}}"}""" + "\n");
    }

    byte[] Open(string name, byte[] stored)
    {
        if (SealedIn(stored) is not { } value)
            return IsSealed(name) ? throw Violation.Of($"The document `{name}` is not sealed, as this store seals it: somebody else has written it.") : stored;
        if (!IsSealed(name))
            throw Violation.Of($"The document `{name}` is sealed, and this store does not seal it.");
        return key!.OpenDocument(NameOf(name), value)
            ?? throw Violation.Of($"The document `{name}` does not open: it was changed, sealed with another key, or belongs under another name.");
    }

    static byte[]? SealedIn(byte[] stored)
    {
        if (!stored.AsSpan().StartsWith("{\"eventdbx_sealed\":"u8))
            return null;
        try
        {
            using var json = JsonDocument.Parse(stored);
            return json.RootElement.TryGetProperty("data", out var data) && data.TryGetBytesFromBase64(out var value) ? value : [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    static AggregateKey NameOf(string name) => AggregateKey.Create("document", name);
}

/// <summary>Documents of a database without a directory.</summary>
internal sealed class DocumentMemory : IDocuments
{
    readonly Dictionary<string, byte[]> _documents = [];

    public Document Read(string name)
    {
        lock (_documents)
            return _documents.TryGetValue(name, out var content) ? new(content, Hash32.Of(content)) : new(null, Hash32.Empty);
    }

    public bool TryReplace(string name, ReadOnlySpan<byte> content, Document read)
    {
        lock (_documents)
        {
            if (Read(name).Revision != read.Revision)
                return false;
            _documents[name] = content.ToArray();
            return true;
        }
    }

    public void Delete(string name)
    {
        lock (_documents)
            _documents.Remove(name);
    }
}
