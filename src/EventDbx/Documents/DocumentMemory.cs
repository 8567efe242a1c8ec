namespace EventDbx.Documents;

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

    public bool CanReplace(string name, ReadOnlySpan<byte> content, Document read)
    {
        lock (_documents)
            return Read(name).Revision == read.Revision;
    }

    public void Delete(string name)
    {
        lock (_documents)
            _documents.Remove(name);
    }
}
