using System.Text;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Upgrades;

/// <summary>The public keys whose holders may say what a release is: vkeys of signed notes, one a line; lines that begin with <c>#</c> are for people.</summary>
public static class ReleaseKeys
{
    /// <summary>Names a file with other keys than those of this build.</summary>
    public const string FileVariable = "EVENTDBX_RELEASE_KEYS";

    /// <summary>Bytes of such a file: hundreds of keys.</summary>
    public const int BytesMax = 64 * 1024;

    const string Resource = "release-keys";

    /// <summary>Those that this program was built with, from <c>deploy/release-keys</c>.</summary>
    public static IReadOnlyList<NoteKey> OfBuild()
    {
        using var stream = typeof(ReleaseKeys).Assembly.GetManifestResourceStream(Resource)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return Read(reader.ReadToEnd(), "deploy/release-keys");
    }

    /// <summary>Reads keys.</summary>
    /// <param name="text">Of the file.</param>
    /// <param name="source">The file, for messages.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: a line is no key.</exception>
    public static IReadOnlyList<NoteKey> Read(string text, string source)
    {
        List<NoteKey> keys = [];
        foreach (var (line, number) in text.Split('\n').Select(static (line, at) => (line.Trim(), at + 1)))
        {
            if (line.Length == 0 || line.StartsWith('#'))
                continue;
            if (!NoteKey.TryParse(line, out var key, out var why))
                throw Refused($"{source}, line {number}: this is no public key of releases: {why}.");
            if (key.Algorithm != NoteAlgorithm.Signature)
                throw Refused($"{source}, line {number}: the key {key.Name} is one of a witness; releases are signed with keys of the kind 01.");
            keys.Add(key);
        }

        return keys;
    }

    static RefusedException Refused(FormattableString message) => new(RefusalCode.InvalidArgument, FormattableString.Invariant(message));
}
