using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Tests.Witness;

/// <summary>A log of numbered leaves with a real key: its checkpoints and proofs at any size, computed naively from RFC 6962.</summary>
/// <param name="origin">Its name.</param>
/// <param name="salt">Two logs of one origin and two salts are two histories.</param>
/// <param name="forkedAt">Leaves from this index on are another history's.</param>
internal sealed class GrowingLog(string origin, int salt = 0, int forkedAt = int.MaxValue) : IDisposable
{
    static readonly string KeyText = SigningKey.NewText("log", NoteAlgorithm.Signature);

    readonly SigningKey _key = SigningKey.Parse(KeyText, NoteAlgorithm.Signature)!;

    public string Origin => origin;

    public NoteKey Key => _key.Public.Named(origin);

    public SignedNote Checkpoint(int size, string extension = "")
    {
        var text = new Checkpoint(origin, (ulong)size, Root(0, size)).Text() + extension;
        return SignedNote.Of(text, [_key.Sign(origin, text)]);
    }

    public Hash32 Root(int size) => Root(0, size);

    /// <summary>RFC 6962 section 2.1.2.</summary>
    public IReadOnlyList<Hash32> Proof(int from, int to) => from == 0 || from == to ? [] : [.. Sub(from, 0, to, complete: true)];

    public void Dispose() => _key.Dispose();

    IEnumerable<Hash32> Sub(int m, int start, int end, bool complete)
    {
        var n = end - start;
        if (m == n)
            return complete ? [] : [Root(start, end)];
        var k = Split(n);
        return m <= k
            ? Sub(m, start, start + k, complete).Append(Root(start + k, end))
            : Sub(m - k, start + k, end, complete: false).Append(Root(start, start + k));
    }

    Hash32 Root(int start, int end)
    {
        var n = end - start;
        if (n == 0)
            return Hash32.Empty;
        if (n == 1)
            return Hash32.Of([0, .. BitConverter.GetBytes(start), .. BitConverter.GetBytes(start >= forkedAt ? salt + 1 : salt)]);
        var bytes = new byte[65];
        bytes[0] = 1;
        Root(start, start + Split(n)).Write(bytes.AsSpan(1));
        Root(start + Split(n), end).Write(bytes.AsSpan(33));
        return Hash32.Of(bytes);
    }

    static int Split(int n)
    {
        var k = 1;
        while (2 * k < n)
            k *= 2;
        return k;
    }
}
