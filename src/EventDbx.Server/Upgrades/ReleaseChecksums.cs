using System.Security.Cryptography;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Upgrades;

/// <summary>The hashes of the files of one release, signed: <c>SHA256SUMS.note</c>.</summary>
/// <remarks>
/// <code>
/// eventdbx v2.2.0
/// (64 hex digits)  eventdbx-2.2.0-linux-x64.tar.gz        one or more, as sha256sum writes them
///
/// — key name base64(key id ‖ signature)
/// </code>
/// A C2SP signed note. Its first line is signed with the rest, so that a list of an older release, however well signed, is not taken for that of a newer one.
/// </remarks>
public sealed class ReleaseChecksums
{
    /// <summary>Its name among the files of a release.</summary>
    public const string FileName = "SHA256SUMS.note";

    static readonly System.Buffers.SearchValues<char> s_hexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");

    readonly Dictionary<string, string> _hashes;

    ReleaseChecksums(string signedBy, Dictionary<string, string> hashes) => (SignedBy, _hashes) = (signedBy, hashes);

    /// <summary>The key whose signature is good.</summary>
    public string SignedBy { get; }

    /// <summary>SHA-256 of a file in small hex; null: it is not listed.</summary>
    public string? Find(string name) => _hashes.GetValueOrDefault(name);

    /// <summary>Reads a list that one of these keys has signed for this version.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it is not that.</exception>
    public static ReleaseChecksums Read(ReadOnlySpan<byte> note, ReleaseVersion version, IReadOnlyList<NoteKey> keys)
    {
        if (!SignedNote.TryParse(note, out var parsed))
            throw Violation("it is no signed note, or was cut");
        if (keys.FirstOrDefault(key => key.GoodOf(parsed) is not null) is not { } key)
        {
            throw Violation($"none of its signatures is a good one of {string.Join(" or ", keys.Select(static key => FormattableString.Invariant($"{key.Name}+{key.Id:x8}")))}; it has {
                string.Join(", ", parsed.Signatures.Take(5).Select(static one => FormattableString.Invariant($"{one.KeyName}+{one.KeyId:x8}")))}");
        }

        var lines = parsed.Text.TrimEnd('\n').Split('\n');
        var expected = $"eventdbx {version.Tag}";
        if (lines[0] != expected)
            throw Violation($"it is signed as \"{lines[0]}\", not as \"{expected}\": it belongs to another release");
        Dictionary<string, string> hashes = [];
        foreach (var line in lines.Skip(1))
        {
            const int Digits = 2 * SHA256.HashSizeInBytes;
            if (line.Length < Digits + 3 || line[..Digits].AsSpan().ContainsAnyExcept(s_hexDigits) || line[Digits..(Digits + 2)] != "  " || !hashes.TryAdd(line[(Digits + 2)..], line[..Digits]))
                throw Violation($"its line \"{line}\" is no hash with the name of a file, or names one twice");
        }

        return new(FormattableString.Invariant($"{key.Name}+{key.Id:x8}"), hashes);
    }

    static RefusedException Violation(string why) => new(RefusalCode.IntegrityViolation, $"{FileName} of the release is not trusted: {why}. Nothing was installed.");
}
