namespace EventDbx.Documents;

/// <summary>Small documents beside the log (tokens, schemas, plugins): read whole, replaced whole, and only when unchanged.</summary>
/// <remarks>Thread-safe. In an encrypted store what lies on disk is sealed, and opens only under its own name.</remarks>
public interface IDocuments
{
    /// <summary>The content and its revision; null content when there is none yet.</summary>
    /// <param name="name">A plain name such as <c>tokens.json</c>.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it does not open.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    Document Read(string name);

    /// <summary>Replaces the content, durably; false when somebody else has replaced it since it was read.</summary>
    /// <exception cref="IOException">The old content is still there, or which one is there is not known.</exception>
    bool TryReplace(string name, ReadOnlySpan<byte> content, Document read);

    /// <summary>Goes through a replacement up to the point where it would be seen, and leaves all as it was; false when somebody else has replaced it since it was read.</summary>
    /// <exception cref="IOException">It could not be replaced.</exception>
    bool CanReplace(string name, ReadOnlySpan<byte> content, Document read);

    /// <summary>Removes a document, durably, whatever it holds; there may be none.</summary>
    /// <exception cref="IOException">It may still be there.</exception>
    void Delete(string name);
}

/// <summary>One reading of a document.</summary>
/// <param name="Content">In clear; null when there is no such document.</param>
/// <param name="Revision">Equal only for equal bytes on disk.</param>
public sealed record Document(byte[]? Content, Hash32 Revision);
