using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;

namespace EventDbx.Documents;

/// <summary>Documents as files of the data directory. Only the holder of the directory's lock writes them.</summary>
/// <remarks>
/// <code>
/// plain     the content, as it is
/// sealed    {"eventdbx_sealed":2,"revision":N,"data":"base64 of a sealed value of purpose document, type document, id NAME, place N as u64"}
/// </code>
/// In an encrypted store a plain document is refused, and in a plain store a sealed one: whoever could put a plain one in the
/// place of a sealed one would otherwise make tokens without the key. `schemas.json` holds no secret and is plain everywhere.
/// Each replacement of a sealed document has the next revision. The store is told the newest one, after the file: so an older
/// file that is put back, and one that is gone, are refused, and nothing that is written here waits for the log.
/// </remarks>
/// <param name="directory">The data directory.</param>
/// <param name="keys">Null in a plain store.</param>
/// <param name="nonces">Gives nonces.</param>
/// <param name="find">What the store knows of a document.</param>
/// <param name="note">Tells the store, without waiting.</param>
internal sealed class DocumentDirectory(
    string directory, DataKeys? keys, NoncePool nonces, Func<string, DocumentRow?> find, Action<string, DocumentRow> note) : IDocuments
{
    const string Plain = "schemas.json";
    const int Form = 2;

    static ReadOnlySpan<byte> SealedBegins => "{\"eventdbx_sealed\":"u8;

    readonly Lock _gate = new();

    /// <summary>What was read or written since the open; the store may not have been told yet.</summary>
    readonly Dictionary<string, DocumentRow> _newest = new(StringComparer.Ordinal);

    public Document Read(string name)
    {
        lock (_gate)
        {
            var stored = Stored(name);
            if (!IsSealed(name))
                return stored is null ? new(null, Hash32.Empty) : new(OpenPlain(name, stored), Hash32.Of(stored));
            var newest = Newest(name);
            if (stored is null)
            {
                return newest is null or { Gone: true } ? new(null, Hash32.Empty) : throw Violation.Of(
                    $"The document `{name}` is gone: the store knows its revision {newest.Value.Revision}. Put it back, or {AcceptWith(name)} go on without it.");
            }

            var (content, revision) = Open(name, stored);
            if (revision < newest?.Revision)
            {
                throw Violation.Of(
                    $"The document `{name}` is an older one that was put back: it is revision {revision}, and the store knows {newest.Value.Revision}. Put the newer one back, or {AcceptWith(name)} go on with this one.");
            }

            if (newest is null || revision > newest.Value.Revision)
                Note(name, new(revision, Gone: false));
            return new(content, Hash32.Of(stored));
        }
    }

    public bool TryReplace(string name, ReadOnlySpan<byte> content, Document read)
    {
        lock (_gate)
        {
            if (Next(name, content, read) is not var (stored, revision))
                return false;
            Write(name, stored);
            if (revision is { } sealedAs)
                Note(name, new(sealedAs, Gone: false));
            return true;
        }
    }

    public bool CanReplace(string name, ReadOnlySpan<byte> content, Document read)
    {
        lock (_gate)
        {
            if (Next(name, content, read) is not var (stored, _))
                return false;
            DurableFile.Prepare(PathOf(name), Fitting(name, stored));
            DurableFile.CleanUp(PathOf(name));
            return true;
        }
    }

    /// <summary>What a replacement writes, and its revision where it is sealed; null when somebody else has replaced it.</summary>
    (byte[] Stored, ulong? Revision)? Next(string name, ReadOnlySpan<byte> content, Document read)
    {
        var now = Stored(name);
        if ((now is null ? Hash32.Empty : Hash32.Of(now)) != read.Revision)
            return null;
        if (!IsSealed(name))
            return (content.ToArray(), null);
        var revision = Math.Max(Newest(name)?.Revision ?? 0, now is null ? 0 : Open(name, now).Revision) + 1;
        return (Seal(name, content, revision), revision);
    }

    public void Delete(string name)
    {
        lock (_gate)
        {
            // Told first: a file that stays behind is an older one, and not one that is missed.
            if (IsSealed(name) && Newest(name) is { Gone: false } newest)
                Note(name, new(newest.Revision + 1, Gone: true));
            DurableFile.Delete(PathOf(name));
        }
    }

    /// <summary>Takes an older document, or that there is none, for the newest one.</summary>
    /// <returns>The revision that was found, null where there is none; and the newest that was known.</returns>
    /// <exception cref="RefusedException">It is the newest one, or does not open.</exception>
    public (ulong? Found, ulong Newest) Accept(string name)
    {
        lock (_gate)
        {
            if (!IsSealed(name) || Newest(name) is not { } newest)
                throw Nothing(name);
            if (Stored(name) is not { } stored)
            {
                if (newest.Gone)
                    throw Nothing(name);
                Note(name, new(newest.Revision + 1, Gone: true));
                return (null, newest.Revision);
            }

            var (content, revision) = Open(name, stored);
            if (revision >= newest.Revision)
                throw Nothing(name);
            Write(name, Seal(name, content, newest.Revision + 1));
            Note(name, new(newest.Revision + 1, Gone: false));
            return (revision, newest.Revision);
        }
    }

    /// <summary>Seals every document that an earlier data key sealed with the newest one; how many, and which do not open with any.</summary>
    /// <remarks>Its revision stays. One that does not open is left as it is: whoever reads it is told. Files that are none of ours are left alone.</remarks>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: one that the store knows of cannot be read.</exception>
    public (int Count, IReadOnlyList<string> Left) Reseal()
    {
        var count = 0;
        List<string> left = [];
        // By their names, and nothing else is opened: to close the lock file would let go of the lock.
        foreach (var path in Directory.EnumerateFiles(directory))
        {
            var name = Path.GetFileName(path);
            if (!IsName(name))
                continue;
            lock (_gate)
            {
                if (!IsSealed(name))
                    continue;
                var known = Newest(name) is { Gone: false };
                if (ReadToReseal(name, known) is not { } stored || !stored.AsSpan().StartsWith(SealedBegins))
                {
                    // Nothing that we sealed: a file of somebody else's, or one in the place of ours.
                    if (known && File.Exists(path))
                        left.Add(name);
                    continue;
                }

                if (SealedIn(stored) is not { } found || !SealedValue.HasForm(found.Value))
                    left.Add(name);
                else if (SealedValue.EpochOf(found.Value) == keys!.Current.Generation)
                    continue;
                else if (TryOpen(name, found) is not { } content)
                    left.Add(name);
                else
                {
                    Write(name, Seal(name, content, found.Revision));
                    count++;
                }
            }
        }

        left.Sort(StringComparer.Ordinal);
        return (count, left);
    }

    /// <summary>Null for a file that is none of ours: larger than any of them, or unreadable and unknown to the store.</summary>
    byte[]? ReadToReseal(string name, bool known)
    {
        try
        {
            return new FileInfo(PathOf(name)) is { Exists: true, Length: <= Limits.DocumentBytesMax } ? Stored(name) : null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // Ours: after the end of a rotation nothing would open it any more.
            return !known ? null : throw new RefusedException(new Refusal(RefusalCode.Unavailable,
                $"The document `{name}` cannot be read, and so not be sealed with the next data key: {cause.Message} The rotation stays unfinished; let it be read, and the same call goes on."));
        }
    }

    /// <summary>Does something while no document changes, and once the store knows the newest revision of each: what is copied then, and a store that is copied then, agree.</summary>
    /// <param name="tell">Tells the store, and returns when it knows.</param>
    /// <param name="action">Reads documents, by their files.</param>
    public void WhileUnchanged(Action<string, DocumentRow> tell, Action action)
    {
        lock (_gate)
        {
            foreach (var (name, row) in _newest)
            {
                if (find(name) != row)
                    tell(name, row);
            }

            action();
        }
    }

    /// <summary>Whether documents are called so; files of others may be as well.</summary>
    public static bool IsName(string name) => Path.GetExtension(name) is ".json" or ".progress";

    /// <summary>Whether a file begins as a sealed document does.</summary>
    public static bool LooksSealed(string path)
    {
        using var file = File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete);
        Span<byte> begins = stackalloc byte[SealedBegins.Length];
        return DurableFile.Fill(file, begins, 0) == begins.Length && begins.SequenceEqual(SealedBegins);
    }

    bool IsSealed(string name) => keys is not null && !name.StartsWith(Plain, StringComparison.Ordinal);

    string PathOf(string name) => Path.Combine(directory, name);

    byte[]? Stored(string name) => DurableFile.Read(PathOf(name), Limits.DocumentBytesMax);

    void Write(string name, byte[] stored) => DurableFile.Write(PathOf(name), Fitting(name, stored));

    static byte[] Fitting(string name, byte[] stored) => stored.Length <= Limits.DocumentBytesMax
        ? stored
        : throw new RefusedException(RefusalCode.LimitExceeded, $"`{name}` would have {stored.Length} bytes; at most {Limits.DocumentBytesMax} are kept.");

    DocumentRow? Newest(string name) => _newest.TryGetValue(name, out var row) ? row : find(name);

    void Note(string name, DocumentRow row)
    {
        _newest[name] = row;
        note(name, row);
    }

    byte[] Seal(string name, ReadOnlySpan<byte> content, ulong revision)
    {
        var value = keys!.Current.SealDocument(NameOf(name), PlaceOf(revision), content, nonces);
        return Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $$"""{"eventdbx_sealed":{{Form}},"revision":{{revision}},"data":"{{Convert.ToBase64String(value)}}"}""") + "\n");
    }

    static byte[] OpenPlain(string name, byte[] stored) => !stored.AsSpan().StartsWith(SealedBegins)
        ? stored
        : throw Violation.Of($"The document `{name}` is sealed, and this store does not seal it.");

    (byte[] Content, ulong Revision) Open(string name, byte[] stored)
    {
        if (!stored.AsSpan().StartsWith(SealedBegins))
            throw Violation.Of($"The document `{name}` is not sealed, as this store seals it: somebody else has written it.");
        return SealedIn(stored) is { } found && TryOpen(name, found) is { } content
            ? (content, found.Revision)
            : throw Violation.Of($"The document `{name}` does not open: it was changed, sealed with another key, or belongs under another name.");
    }

    byte[]? TryOpen(string name, (byte[] Value, ulong Revision) found) =>
        keys!.Find(SealedValue.EpochOf(found.Value))?.OpenDocument(NameOf(name), PlaceOf(found.Revision), found.Value);

    static (byte[] Value, ulong Revision)? SealedIn(byte[] stored)
    {
        try
        {
            using var json = JsonDocument.Parse(stored);
            var root = json.RootElement;
            return root.TryGetProperty("eventdbx_sealed"u8, out var form) && form.TryGetInt32(out var number) && number == Form
                && root.TryGetProperty("revision"u8, out var of) && of.TryGetUInt64(out var revision)
                && root.TryGetProperty("data"u8, out var data) && data.TryGetBytesFromBase64(out var value)
                ? (value, revision) : null;
        }
        catch (Exception cause) when (cause is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    static byte[] PlaceOf(ulong revision)
    {
        var place = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(place, revision);
        return place;
    }

    static string AcceptWith(string name) => $"`dbx recover --accept-document {name}` to";

    static RefusedException Nothing(string name) => new(RefusalCode.InvalidArgument, $"The document `{name}` is the one that the store knows: there is nothing to accept.");

    static AggregateKey NameOf(string name) => AggregateKey.Create("document", name);
}
