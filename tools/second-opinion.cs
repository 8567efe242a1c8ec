// An independent second implementation of docs/integrity.md, section 1, and of receipts (docs/proofs.md, section 2).
// It shares no source with src/ and was written only from those pages, RFC 6962 and RFC 8032.
//
// It re-computes every hash, root and proof verdict in a file of vectors and says where it disagrees. Everything here is
// written the plain way: entries are bytes put one after another, trees follow the recursive definitions of RFC 6962
// (sections 2.1, 2.1.1 and 2.1.2), proofs are verified by walking those same definitions. Nothing is tuned for speed.
//
// Exit codes: 0 everything agrees, 2 wrong usage or an input that cannot be read or judged, 3 a disagreement.
// A file with malformed lines ends with 2, whatever its other lines say, because it was not checked completely.
#:property PublishAot=false
#:property RestorePackagesWithLockFile=false
#:property GenerateDocumentationFile=false

using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

try
{
    return args switch
    {
        ["check", var file] => Vectors.Run(file),
        ["corpus", var directory] => Corpus.Run(directory),
        _ => Usage(),
    };
}
catch (Exception e) when (e is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return Exit.Unusable;
}

static int Usage()
{
    Console.Error.WriteLine("""
        A second opinion on EventDBX's integrity rules (docs/integrity.md, section 1).

          dotnet run second-opinion.cs -- check <file.ndjson>   vectors, one a line: event, control, root, history,
                                                                log, inclusion, consistency, receipt; - reads
                                                                standard input
          dotnet run second-opinion.cs -- corpus <directory>    a transparency-dev testdata directory: every JSON file
                                                                below inclusion/ and consistency/

        Exit codes: 0 agreement, 2 usage or malformed input, 3 disagreement.
        """);
    return Exit.Unusable;
}

static class Exit
{
    public const int Agreement = 0;
    public const int Unusable = 2;
    public const int Disagreement = 3;
}

/// <summary>The two hashes everything is made of, and the hash of nothing.</summary>
static class Sha
{
    public const int Size = 32;

    public static readonly byte[] OfNothing = SHA256.HashData([]);

    public static byte[] Leaf(byte[] entry) => SHA256.HashData([0x00, .. entry]);

    public static byte[] Node(byte[] left, byte[] right) => SHA256.HashData([0x01, .. left, .. right]);

    public static bool Same(byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b);
}

/// <summary>Puts the bytes of an entry one after another, in the notation of the page: lp, opt, u64be, i64be.</summary>
sealed class EntryBytes
{
    readonly List<byte> _bytes = [];

    public EntryBytes Raw(params ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public EntryBytes U64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return Raw(bytes);
    }

    public EntryBytes I64(long value) => U64(unchecked((ulong)value));

    public EntryBytes Lp(ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(length, (uint)bytes.Length);
        return Raw(length).Raw(bytes);
    }

    public EntryBytes Lp(string text) => Lp(Encoding.UTF8.GetBytes(text));

    public EntryBytes OptActor(Actor? actor) =>
        actor is null ? Raw(0x00) : Raw(0x01).Lp(actor.Group).Lp(actor.User);

    public EntryBytes OptNote(string? note) =>
        note is null ? Raw(0x00) : Raw(0x01).Lp(note);

    public byte[] ToArray() => [.. _bytes];
}

sealed record Actor(string Group, string User);

/// <summary>The entries of section 1 and their hashes, straight from the JSON of a vector.</summary>
static class Entry
{
    /// <summary>The hash of an event; <paramref name="prevRoot"/> is the aggregate's root over versions 1…version−1.</summary>
    public static byte[] EventHash(JsonElement e, string aggregateType, string aggregateId, byte[] prevRoot) =>
        Sha.Leaf(new EntryBytes()
            .Raw(0x01)
            .Lp(aggregateType)
            .Lp(aggregateId)
            .U64(Read.U64(e, "version"))
            .Lp(Read.Text(e, "event_type"))
            .Raw(Read.Uuid(e, "event_id"))
            .I64(Read.I64(e, "created_at"))
            .OptActor(Read.ActorOrNull(e, "actor"))
            .OptNote(Read.TextOrNull(e, "note"))
            .Raw(prevRoot)
            .Lp(Read.Hex(e, "payload"))
            .Raw(Read.Hex(e, "salt", 16))
            .ToArray());

    public static byte[] ControlHash(JsonElement e) =>
        Sha.Leaf(new EntryBytes()
            .Raw(0x02)
            .Lp(Read.Text(e, "control_kind"))
            .Lp(Read.Text(e, "subject"))
            .I64(Read.I64(e, "time"))
            .OptActor(Read.ActorOrNull(e, "actor"))
            .Lp(Read.Hex(e, "body"))
            .Raw(Read.Hex(e, "salt", 16))
            .ToArray());
}

/// <summary>RFC 6962, section 2.1: the root of a list of leaf hashes, by its recursive definition and nothing else.</summary>
static class Tree
{
    public static byte[] Root(ReadOnlySpan<byte[]> leaves)
    {
        if (leaves.Length == 0)
            return Sha.OfNothing;
        if (leaves.Length == 1)
            return leaves[0];
        int k = (int)Split((ulong)leaves.Length);
        return Sha.Node(Root(leaves[..k]), Root(leaves[k..]));
    }

    /// <summary>The largest power of two smaller than <paramref name="n"/>, for n of at least 2.</summary>
    public static ulong Split(ulong n)
    {
        ulong k = 1;
        while (k < n - k)
            k *= 2;
        return k;
    }
}

/// <summary>
/// The same definition for a list that grows: every perfect subtree is kept once it is full, so that the root after
/// each leaf costs a handful of hashes. <c>_rows[h][i]</c> is the root over leaves i·2^h … (i+1)·2^h − 1.
/// </summary>
sealed class GrowingTree
{
    readonly List<List<byte[]>> _rows = [[]];

    public ReadOnlySpan<byte[]> Leaves => _rows[0].ToArray();

    public void Append(byte[] leaf)
    {
        byte[] hash = leaf;
        for (int height = 0; ; height++)
        {
            if (height == _rows.Count)
                _rows.Add([]);
            List<byte[]> row = _rows[height];
            row.Add(hash);
            if (row.Count % 2 == 1)
                return;
            hash = Sha.Node(row[^2], row[^1]);
        }
    }

    public byte[] Root() => _rows[0].Count == 0 ? Sha.OfNothing : Root(0, _rows[0].Count);

    // Called only with a start that is a multiple of every power of two up to the count, so a perfect subtree is a row's item.
    byte[] Root(int start, int count)
    {
        if (BitOperations.IsPow2(count))
            return _rows[BitOperations.Log2((uint)count)][start / count];
        int k = (int)Tree.Split((ulong)count);
        return Sha.Node(Root(start, k), Root(start + k, count - k));
    }
}

/// <summary>
/// Verifies proofs by walking the definitions that make them, PATH and SUBPROOF of RFC 6962, which name the same steps
/// in the opposite order: each level of the recursion takes the last hash of what is left of the proof. A proof that is
/// too short, too long, or holds anything but 32-byte hashes is not valid.
/// </summary>
static class Proofs
{
    public static bool Inclusion(ulong index, ulong size, byte[] leaf, ReadOnlySpan<byte[]> proof, byte[] root) =>
        index < size
        && leaf.Length == Sha.Size && AllHashes(proof)
        && Path(index, size, leaf, proof) is { } computed
        && Sha.Same(computed, root);

    /// <summary>
    /// The empty tree is consistent with everything, so a proof from it shows nothing: size 0 is never valid. Two equal
    /// sizes need two equal roots and no proof; the roots are then compared and not hashed, whatever their length.
    /// </summary>
    public static bool Consistency(ulong size1, ulong size2, byte[] root1, byte[] root2, ReadOnlySpan<byte[]> proof)
    {
        if (size1 == 0 || size1 > size2)
            return false;
        if (size1 == size2)
            return proof.Length == 0 && Sha.Same(root1, root2);
        return root1.Length == Sha.Size && AllHashes(proof)
            && Subproof(size1, size2, true, root1, proof) is { } computed
            && Sha.Same(computed.Old, root1)
            && Sha.Same(computed.New, root2);
    }

    static bool AllHashes(ReadOnlySpan<byte[]> proof)
    {
        foreach (byte[] hash in proof)
        {
            if (hash.Length != Sha.Size)
                return false;
        }
        return true;
    }

    // PATH(m, D[n]), read backwards: the root over n leaves that has the leaf at m.
    static byte[]? Path(ulong m, ulong n, byte[] leaf, ReadOnlySpan<byte[]> proof)
    {
        if (n == 1)
            return proof.Length == 0 ? leaf : null;
        if (proof.Length == 0)
            return null;
        ulong k = Tree.Split(n);
        if (m < k)
            return Path(m, k, leaf, proof[..^1]) is { } left ? Sha.Node(left, proof[^1]) : null;
        return Path(m - k, n - k, leaf, proof[..^1]) is { } right ? Sha.Node(proof[^1], right) : null;
    }

    // SUBPROOF(m, D[n], whole), read backwards: the roots over m and over n leaves. The old root itself stands in where
    // the definition leaves it out because the verifier knows it (whole: this subtree is the old tree).
    static (byte[] Old, byte[] New)? Subproof(ulong m, ulong n, bool whole, byte[] oldRoot, ReadOnlySpan<byte[]> proof)
    {
        if (m == n)
        {
            if (proof.Length != (whole ? 0 : 1))
                return null;
            return whole ? (oldRoot, oldRoot) : (proof[0], proof[0]);
        }
        if (proof.Length == 0)
            return null;
        ulong k = Tree.Split(n);
        if (m <= k)
        {
            return Subproof(m, k, whole, oldRoot, proof[..^1]) is { } left
                ? (left.Old, Sha.Node(left.New, proof[^1]))
                : null;
        }
        return Subproof(m - k, n - k, false, oldRoot, proof[..^1]) is { } right
            ? (Sha.Node(proof[^1], right.Old), Sha.Node(proof[^1], right.New))
            : null;
    }
}

/// <summary>The command <c>check</c>: one vector a line.</summary>
static class Vectors
{
    const int Shown = 10;

    public static int Run(string file)
    {
        long line = 0, malformed = 0, disagreements = 0;
        try
        {
            // Bytes that are not UTF-8 are an error, and a byte order mark is no JSON.
            using Stream stream = file == "-" ? Console.OpenStandardInput() : File.OpenRead(file);
            using var reader = new StreamReader(stream, new UTF8Encoding(false, true), detectEncodingFromByteOrderMarks: false);
            while (reader.ReadLine() is { } text)
            {
                line++;
                try
                {
                    using JsonDocument json = Read.Parse(text);
                    string kind = Read.Text(json.RootElement, "kind");
                    if (Judge(kind, json.RootElement) is { } difference && ++disagreements <= Shown)
                        Console.Out.WriteLine($"line {line}: {kind}: {difference}");
                }
                catch (FormatException e)
                {
                    if (++malformed <= Shown)
                        Console.Error.WriteLine($"line {line}: malformed: {e.Message}");
                }
            }
        }
        catch (DecoderFallbackException)
        {
            malformed++;
            Console.Error.WriteLine($"after line {line}: malformed: not UTF-8, the rest is not read");
        }

        if (malformed > 0)
            Console.Error.WriteLine($"{malformed} malformed of {line} lines");
        if (disagreements > 0)
            Console.Out.WriteLine($"{disagreements} of {line} vectors disagree");
        if (malformed > 0)
            return Exit.Unusable;
        if (disagreements > 0)
            return Exit.Disagreement;
        if (line == 0)
        {
            Console.Error.WriteLine("no vectors");
            return Exit.Unusable;
        }
        Console.Out.WriteLine($"{line} vectors agree");
        return Exit.Agreement;
    }

    /// <summary>What is different, or null where the vector agrees.</summary>
    static string? Judge(string kind, JsonElement v) => kind switch
    {
        "event" => Difference("hash", Read.Hash(v, "hash"), Entry.EventHash(
            v, Read.Text(v, "aggregate_type"), Read.Text(v, "aggregate_id"), Read.Hash(v, "prev_root"))),
        "control" => Difference("hash", Read.Hash(v, "hash"), Entry.ControlHash(v)),
        "root" => Difference("root", Read.Hash(v, "root"), Tree.Root(Read.Hashes(v, "leaves"))),
        "history" => History(v),
        "log" => Log(v),
        "inclusion" => Verdict(Read.Bool(v, "valid"), Proofs.Inclusion(
            Read.U64(v, "leaf_index"), Read.U64(v, "tree_size"),
            Read.Hex(v, "leaf_hash"), Read.Hexes(v, "proof"), Read.Hex(v, "root"))),
        "consistency" => Verdict(Read.Bool(v, "valid"), Proofs.Consistency(
            Read.U64(v, "size1"), Read.U64(v, "size2"),
            Read.Hex(v, "root1"), Read.Hex(v, "root2"), Read.Hexes(v, "proof"))),
        "receipt" => Verdict(Read.Bool(v, "valid"), Receipt.Holds(Read.Base64(v, "document"), Read.Text(v, "key"))),
        _ => throw new FormatException($"unknown kind \"{kind}\""),
    };

    // Every version builds on hashes and roots computed here, never on those of the vector. A difference in one version
    // shows in all later ones, so the first is the one to name; the events after it are still read.
    static string? History(JsonElement v)
    {
        string type = Read.Text(v, "aggregate_type"), id = Read.Text(v, "aggregate_id");
        var tree = new GrowingTree();
        byte[] root = tree.Root();
        ulong version = 0;
        string? first = null;
        foreach (JsonElement e in Read.Array(v, "events").EnumerateArray())
        {
            version++;
            ulong given = Read.U64(e, "version");
            byte[] hash = Entry.EventHash(e, type, id, root);
            tree.Append(hash);
            root = tree.Root();
            string? difference = given != version ? $"is numbered {given}" : null;
            difference ??= Difference("hash", Read.Hash(e, "hash"), hash);
            difference ??= Difference("merkle_root", Read.Hash(e, "merkle_root"), root);
            if (difference is not null)
                first ??= $"version {version}: {difference}";
        }
        return first ?? Difference("own tree", root, Tree.Root(tree.Leaves));
    }

    // The tree over the first `size` leaves, grown leaf by leaf as a log does and once more by the plain definition.
    static string? Log(JsonElement v)
    {
        byte[][] leaves = Read.Hashes(v, "leaves");
        byte[] root = Read.Hash(v, "root");
        ulong size = Read.U64(v, "size");
        if (size > (ulong)leaves.Length)
            throw new FormatException($"size {size} with {leaves.Length} leaves");
        ReadOnlySpan<byte[]> counted = leaves.AsSpan(0, (int)size);
        var tree = new GrowingTree();
        foreach (byte[] leaf in counted)
            tree.Append(leaf);
        return Difference("root", root, tree.Root()) ?? Difference("own tree", tree.Root(), Tree.Root(counted));
    }

    static string? Difference(string name, byte[] given, byte[] computed) => Sha.Same(given, computed)
        ? null
        : $"{name} is {Convert.ToHexStringLower(given)}, computed {Convert.ToHexStringLower(computed)}";

    static string? Verdict(bool given, bool computed) => given == computed
        ? null
        : $"said to be {(given ? "valid" : "not valid")}, found {(computed ? "valid" : "not valid")}";
}

/// <summary>
/// A receipt, judged by the steps of docs/proofs.md, section 2, one after the other. Whatever is not as the page says makes it
/// a receipt that does not hold.
/// </summary>
static class Receipt
{
    static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 128 };
    static readonly UTF8Encoding Strict = new(false, true);

    public static bool Holds(byte[] document, string vkey)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(Strict.GetString(document), Options);
            return Holds(json.RootElement, vkey);
        }
        catch (Exception e) when (e is FormatException or JsonException or ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }

    static bool Holds(JsonElement receipt, string vkey)
    {
        if (Read.Text(receipt, "format") != "eventdbx-receipt/1")
            return false;
        JsonElement record = Read.Object(receipt, "record"), metadata = Read.Object(record, "metadata"), proof = Read.Object(receipt, "aggregate_proof");
        byte[] prevRoot = Read.Hash(receipt, "prev_root"), hash = Read.Hash(record, "hash");
        ulong version = Number(record, "version"), position = Number(record, "position"), size = Number(proof, "size");
        if (version == 0 || position == 0)
            return false;

        // 1 and 2: the payload as it stands there, and the leaf hash.
        byte[] leaf = Sha.Leaf(new EntryBytes()
            .Raw(0x01)
            .Lp(Read.Text(record, "aggregate_type"))
            .Lp(Read.Text(record, "aggregate_id"))
            .U64(version)
            .Lp(Read.Text(record, "event_type"))
            .Raw(Read.Uuid(metadata, "event_id"))
            .I64(Time(Read.Text(metadata, "created_at")))
            .OptActor(Read.ActorOrNull(metadata, "issued_by"))
            .OptNote(metadata.TryGetProperty("note", out _) ? Read.Text(metadata, "note") : null)
            .Raw(prevRoot)
            .Lp(WithoutWhiteSpace(Read.Member(record, "payload").GetRawText()))
            .Raw(Salt(Read.Text(metadata, "salt")))
            .ToArray());
        if (!Sha.Same(leaf, hash))
            return false;

        // 3: the aggregate.
        byte[] bytes = Base64(Read.Text(proof, "path"));
        if (bytes.Length % Sha.Size != 0)
            return false;
        byte[][] path = [.. bytes.Chunk(Sha.Size)];
        if (!Proofs.Inclusion(version - 1, size, hash, path, Read.Hash(proof, "root")))
            return false;
        byte[] before = Sha.OfNothing, with = hash;
        int lefts = 0;
        foreach ((byte[] sibling, bool isLeft) in path.Zip(Sides(version - 1, size)))
        {
            if (!isLeft)
                continue;
            before = lefts++ == 0 ? sibling : Sha.Node(sibling, before);
            with = Sha.Node(sibling, with);
        }
        if (!Sha.Same(before, prevRoot) || !Sha.Same(with, Read.Hash(record, "merkle_root")))
            return false;

        return InLog(Read.Text(receipt, "log_proof"), position, hash, vkey);
    }

    // 4 and 5: the log, and who signed.
    static bool InLog(string text, ulong position, byte[] hash, string vkey)
    {
        int empty = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (empty < 0)
            return false;
        string[] lines = text[..empty].Split('\n');
        if (lines[0] != "c2sp.org/tlog-proof@v1")
            return false;
        int at = lines.Length > 1 && lines[1].StartsWith("extra ", StringComparison.Ordinal) ? 2 : 1;
        if (at == 2)
            Base64(lines[1][6..]);
        if (at == lines.Length || lines[at] != $"index {position - 1}")
            return false;
        byte[][] path = [.. lines[(at + 1)..].Select(Base64)];

        string note = text[(empty + 2)..];
        int end = note.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0 || note[^1] != '\n' || note.Any(c => c < ' ' && c != '\n'))
            return false;
        string signed = note[..(end + 1)];
        string[] body = signed.Split('\n');
        if (body.Length != 4 || body[0].Length == 0 || !ulong.TryParse(body[1], NumberStyles.None, CultureInfo.InvariantCulture, out ulong size) || body[1] != $"{size}")
            return false;
        byte[] root = Base64(body[2]);
        return root.Length == Sha.Size && Proofs.Inclusion(position - 1, size, hash, path, root)
            && Ed25519.SignedBy(vkey, body[0], signed, note[(end + 2)..^1].Split('\n'));
    }

    // PATH of RFC 6962 from the leaf upward: on which side the siblings stand.
    static List<bool> Sides(ulong m, ulong n)
    {
        if (n == 1)
            return [];
        ulong k = Tree.Split(n);
        return m < k ? [.. Sides(m, k), false] : [.. Sides(m - k, n - k), true];
    }

    static ulong Number(JsonElement o, string name) =>
        Read.Member(o, name) is { ValueKind: JsonValueKind.Number } v && ulong.TryParse(v.GetRawText(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw new FormatException(name);

    // The fewest of 0, 3, 6 and 7 digits that lose nothing.
    static long Time(string text)
    {
        string[] formats = ["yyyy-MM-dd'T'HH:mm:ss'Z'", "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", "yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'"];
        var time = DateTime.ParseExact(text, formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);
        string shortest = formats.Select(format => time.ToString(format, CultureInfo.InvariantCulture))
            .First(written => DateTime.ParseExact(written, formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal) == time);
        return shortest == text ? time.Ticks - DateTime.UnixEpoch.Ticks : throw new FormatException("time");
    }

    static string WithoutWhiteSpace(string json)
    {
        var kept = new StringBuilder();
        bool inString = false;
        for (int i = 0; i < json.Length; i++)
        {
            if (!inString && json[i] is ' ' or '\t' or '\n' or '\r')
                continue;
            kept.Append(json[i]);
            if (inString && json[i] == '\\')
                kept.Append(json[++i]);
            else if (json[i] == '"')
                inString = !inString;
        }
        return kept.ToString();
    }

    static byte[] Salt(string text)
    {
        byte[] salt = Base64(text.Replace('-', '+').Replace('_', '/') + "==");
        return salt.Length == 16 && !text.Contains('+') && !text.Contains('/') ? salt : throw new FormatException("salt");
    }

    /// <summary>The one spelling.</summary>
    public static byte[] Base64(string text)
    {
        byte[] bytes = Convert.FromBase64String(text);
        return Convert.ToBase64String(bytes) == text ? bytes : throw new FormatException("base64");
    }
}

/// <summary>Ed25519 as RFC 8032 writes it down (section 5.1), with big integers. Slow: an answer is remembered.</summary>
static class Ed25519
{
    static readonly BigInteger P = BigInteger.Pow(2, 255) - 19;
    static readonly BigInteger L = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", CultureInfo.InvariantCulture);
    static readonly BigInteger D = Mod(-121665 * Inverse(121666));
    static readonly BigInteger SqrtOfMinusOne = BigInteger.ModPow(2, (P - 1) / 4, P);
    static readonly Point Base = Point.Of(Mod(4 * Inverse(5)), sign: 0)!.Value;
    static readonly Dictionary<string, bool> Known = [];

    /// <summary>A note counts when a signature of the key is there, and every one of that key is good.</summary>
    public static bool SignedBy(string vkey, string origin, string signed, string[] lines)
    {
        int first = vkey.IndexOf('+'), second = vkey.IndexOf('+', first + 1);
        string name = vkey[..first];
        byte[] key = Receipt.Base64(vkey[(second + 1)..]);
        byte[] id = SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', .. key])[..4];
        if (name != origin || key.Length != 33 || key[0] != 1)
            return false;
        bool found = false;
        foreach (string line in lines)
        {
            if (line.Split(' ') is not ["—", var signer, var base64] || signer.Length == 0 || signer.Contains('+'))
                return false;
            byte[] signature = Receipt.Base64(base64);
            if (signature.Length <= 4)
                return false;
            if (signer != name || !signature.AsSpan(0, 4).SequenceEqual(id))
                continue;
            if (!Verify(key[1..], Encoding.UTF8.GetBytes(signed), signature[4..]))
                return false;
            found = true;
        }
        return found;
    }

    static bool Verify(byte[] key, byte[] message, byte[] signature)
    {
        string asked = Convert.ToHexString([.. key, .. SHA256.HashData(message), .. signature]);
        if (!Known.TryGetValue(asked, out bool good))
            Known[asked] = good = Computed(key, message, signature);
        return good;
    }

    static bool Computed(byte[] key, byte[] message, byte[] signature)
    {
        if (signature.Length != 64 || Point.Decode(key) is not { } a || Point.Decode(signature[..32]) is not { } r)
            return false;
        var s = new BigInteger(signature.AsSpan(32), isUnsigned: true);
        if (s >= L)
            return false;
        BigInteger k = new BigInteger(SHA512.HashData([.. signature[..32], .. key, .. message]), isUnsigned: true) % L;
        return Base.Times(s).Same(r.Plus(a.Times(k)));
    }

    static BigInteger Mod(BigInteger x) => ((x % P) + P) % P;

    static BigInteger Inverse(BigInteger x) => BigInteger.ModPow(Mod(x), P - 2, P);

    readonly record struct Point(BigInteger X, BigInteger Y, BigInteger Z, BigInteger T)
    {
        public static Point? Decode(byte[] bytes)
        {
            var y = new BigInteger(bytes, isUnsigned: true);
            int sign = (bytes[31] & 0x80) != 0 ? 1 : 0;
            return Of(sign == 1 ? y - BigInteger.Pow(2, 255) : y, sign);
        }

        public static Point? Of(BigInteger y, int sign)
        {
            if (y >= P)
                return null;
            BigInteger xx = Mod(((y * y) - 1) * Inverse((D * y * y) + 1)), x = BigInteger.ModPow(xx, (P + 3) / 8, P);
            if (Mod((x * x) - xx) != 0)
                x = Mod(x * SqrtOfMinusOne);
            if (Mod((x * x) - xx) != 0 || (x.IsZero && sign == 1))
                return null;
            if ((int)(x % 2) != sign)
                x = P - x;
            return new(x, y, 1, Mod(x * y));
        }

        public Point Plus(Point other)
        {
            BigInteger a = Mod((Y - X) * (other.Y - other.X)), b = Mod((Y + X) * (other.Y + other.X));
            BigInteger c = Mod(2 * T * other.T * D), d = Mod(2 * Z * other.Z);
            (BigInteger e, BigInteger f, BigInteger g, BigInteger h) = (b - a, d - c, d + c, b + a);
            return new(Mod(e * f), Mod(g * h), Mod(f * g), Mod(e * h));
        }

        public Point Times(BigInteger scalar)
        {
            Point sum = new(0, 1, 1, 0), doubled = this;
            for (; !scalar.IsZero; scalar >>= 1, doubled = doubled.Plus(doubled))
            {
                if (!scalar.IsEven)
                    sum = sum.Plus(doubled);
            }
            return sum;
        }

        public bool Same(Point other) => Mod((X * other.Z) - (other.X * Z)).IsZero && Mod((Y * other.Z) - (other.Y * Z)).IsZero;
    }
}

/// <summary>The command <c>corpus</c>: the proof files of transparency-dev, good and mutated.</summary>
static class Corpus
{
    public static int Run(string directory)
    {
        (int Cases, int Wrong) inclusion = Files(directory, "inclusion", c => Proofs.Inclusion(
            Read.U64(c, "leafIdx"), Read.U64(c, "treeSize"),
            Read.Base64(c, "leafHash"), Read.Base64s(c, "proof"), Read.Base64(c, "root")));
        (int Cases, int Wrong) consistency = Files(directory, "consistency", c => Proofs.Consistency(
            Read.U64(c, "size1"), Read.U64(c, "size2"),
            Read.Base64(c, "root1"), Read.Base64(c, "root2"), Read.Base64s(c, "proof")));

        if (inclusion.Cases == 0 || consistency.Cases == 0)
            return Exit.Unusable;
        return inclusion.Wrong + consistency.Wrong > 0 ? Exit.Disagreement : Exit.Agreement;
    }

    // A count of no cases stands for files that are missing or cannot be read as what they should be.
    static (int Cases, int Wrong) Files(string directory, string kind, Func<JsonElement, bool> verify)
    {
        string[] files = Directory.GetFiles(Path.Combine(directory, kind), "*.json", SearchOption.AllDirectories);
        Array.Sort(files, StringComparer.Ordinal);
        int valid = 0, wrong = 0;
        foreach (string file in files)
        {
            try
            {
                using JsonDocument json = Read.Parse(File.ReadAllText(file));
                bool wanted = !Read.Bool(json.RootElement, "wantErr");
                bool found = verify(json.RootElement);
                valid += wanted ? 1 : 0;
                if (found != wanted)
                {
                    wrong++;
                    Console.Out.WriteLine($"{file}: wanted {(wanted ? "valid" : "not valid")}, found the opposite");
                }
            }
            catch (FormatException e)
            {
                Console.Error.WriteLine($"{file}: malformed: {e.Message}");
                return (0, 0);
            }
        }
        Console.Out.WriteLine(
            $"{kind}: {files.Length} cases, {valid} valid, {files.Length - valid} not valid, {wrong} disagreements");
        return (files.Length, wrong);
    }
}

/// <summary>Strict reading: a member that is missing, or is not what it should be, is a <see cref="FormatException"/>.</summary>
static class Read
{
    static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false };

    public static JsonDocument Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text, Options);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new FormatException(e.Message, e);
        }
    }

    public static string Text(JsonElement o, string name) => Text(Member(o, name), name, "a string");

    public static string? TextOrNull(JsonElement o, string name) =>
        Member(o, name) is { ValueKind: not JsonValueKind.Null } v ? Text(v, name, "a string or null") : null;

    public static Actor? ActorOrNull(JsonElement o, string name) =>
        Member(o, name) is { ValueKind: not JsonValueKind.Null } v ? new Actor(Text(v, "group"), Text(v, "user")) : null;

    public static bool Bool(JsonElement o, string name) => Member(o, name).ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(name, "true or false"),
    };

    public static ulong U64(JsonElement o, string name) =>
        ulong.TryParse(Digits(o, name), NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw Wrong(name, "an unsigned 64-bit integer");

    public static long I64(JsonElement o, string name) =>
        long.TryParse(Digits(o, name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            ? value
            : throw Wrong(name, "a signed 64-bit integer");

    /// <summary>The 16 bytes of a UUID's text form, in the order they are written.</summary>
    public static byte[] Uuid(JsonElement o, string name)
    {
        string text = Text(o, name);
        if (text.Length == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-')
            return Bytes(text.Replace("-", "", StringComparison.Ordinal), name, 16);
        throw Wrong(name, "a lower-case UUID");
    }

    public static byte[] Hex(JsonElement o, string name, int? length = null) => Bytes(Text(o, name), name, length);

    public static byte[] Hash(JsonElement o, string name) => Hex(o, name, Sha.Size);

    public static byte[][] Hashes(JsonElement o, string name) => Hexes(o, name, Sha.Size);

    public static byte[][] Hexes(JsonElement o, string name, int? length = null) =>
        [.. Array(o, name).EnumerateArray().Select(item => Bytes(Text(item, name, "hex strings"), name, length))];

    public static JsonElement Array(JsonElement o, string name) =>
        Member(o, name) is { ValueKind: JsonValueKind.Array } v ? v : throw Wrong(name, "an array");

    public static byte[] Base64(JsonElement o, string name) => Convert.FromBase64String(Text(o, name));

    /// <summary>An array of base64 strings; the corpus writes null for an empty one.</summary>
    public static byte[][] Base64s(JsonElement o, string name) => Member(o, name).ValueKind == JsonValueKind.Null
        ? []
        : [.. Array(o, name).EnumerateArray().Select(item => Convert.FromBase64String(Text(item, name, "base64 strings")))];

    public static JsonElement Object(JsonElement o, string name) =>
        Member(o, name) is { ValueKind: JsonValueKind.Object } v ? v : throw Wrong(name, "an object");

    public static JsonElement Member(JsonElement o, string name) =>
        o.ValueKind != JsonValueKind.Object ? throw new FormatException($"no object where \"{name}\" should be")
        : o.TryGetProperty(name, out JsonElement v) ? v
        : throw new FormatException($"\"{name}\" is missing");

    static string Text(JsonElement v, string name, string what)
    {
        try
        {
            return v.ValueKind == JsonValueKind.String ? v.GetString()! : throw Wrong(name, what);
        }
        catch (InvalidOperationException e)
        {
            throw new FormatException($"\"{name}\" is not Unicode text", e);
        }
    }

    // Integers are JSON numbers or, because not every JSON library keeps 64 bits, strings.
    static string Digits(JsonElement o, string name) =>
        Member(o, name) is { ValueKind: JsonValueKind.Number } v ? v.GetRawText() : Text(o, name);

    static byte[] Bytes(string hex, string name, int? length)
    {
        if (hex.Length % 2 != 0 || !hex.All(char.IsAsciiHexDigitLower))
            throw Wrong(name, "lower-case hex");
        if (length is { } wanted && hex.Length != 2 * wanted)
            throw Wrong(name, $"of {wanted} bytes");
        return Convert.FromHexString(hex);
    }

    static FormatException Wrong(string name, string what) => new($"\"{name}\" is not {what}");
}
