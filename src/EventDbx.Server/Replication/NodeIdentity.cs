using System.Globalization;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;
using EventDbx.Storage;
using NSec.Cryptography;

namespace EventDbx.Server.Replication;

/// <summary>The key pair by which other nodes know this one, in two files.</summary>
/// <remarks>
/// <code>
/// replication.key   32 bytes: the Ed25519 seed         for the owner alone; [replication] identity_key says where else
/// replication.pub   standard base64 without padding    43 characters, no newline; the same name with another extension
/// </code>
/// Made by whoever first opens the store of the data directory, a command or a server, and by whoever asks for the key; never
/// written over. Read by who needs it: nobody who appends is held up because this key is damaged.
/// </remarks>
public sealed class NodeIdentity
{
    /// <summary>Of the file that has the public half.</summary>
    public const string PublicExtension = ".pub";

    const UnixFileMode OthersMay = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>Bytes of a public file: a key, its padding, and what an editor puts behind it.</summary>
    const int PublicBytesMax = 256;

    NodeIdentity(string path, PeerKey key) => (Path, Key) = (path, key);

    /// <summary>Of the seed. Absolute.</summary>
    public string Path { get; }

    /// <summary>What others pin.</summary>
    public PeerKey Key { get; }

    /// <summary>Signs something with the seed, which is read for it and forgotten again.</summary>
    /// <returns>64 bytes, Ed25519.</returns>
    /// <inheritdoc cref="ReadOrCreate"/>
    public byte[] Sign(ReadOnlySpan<byte> content)
    {
        using var key = OpenSeed(Path, PublicPathOf(Path));
        return Key.Bytes.SequenceEqual(key.PublicKey.Export(KeyBlobFormat.RawPublicKey))
            ? SignatureAlgorithm.Ed25519.Sign(key, content)
            : throw Refused($"{Path} holds another key than it did a moment ago. What was begun with the old one is given up.");
    }

    /// <summary>Where the seed of a data directory lies.</summary>
    /// <param name="config">Says it.</param>
    /// <param name="dataDirectory">Null: that of the settings.</param>
    public static string PathOf(ServerConfig config, string? dataDirectory = null) =>
        System.IO.Path.GetFullPath(config.ReplicationIdentityKey, System.IO.Path.GetFullPath(dataDirectory ?? config.DataDir));

    public static string PublicPathOf(string path) => System.IO.Path.ChangeExtension(path, PublicExtension);

    /// <summary>A path that the seed may have: its public half must have room beside it.</summary>
    /// <exception cref="ConfigValueException">It ends as the public file does.</exception>
    internal static string CheckedPath(ConfigValue value)
    {
        const string what = "the path of a file that does not end in .pub, as the public half beside it does";
        var path = value.Text(what);
        return path.EndsWith(PublicExtension, StringComparison.OrdinalIgnoreCase) || System.IO.Path.EndsInDirectorySeparator(path)
            ? throw new ConfigValueException(what)
            : path;
    }

    /// <summary>The identity, which is made where there is none; a public file that is missing is made again.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: a file is not what it should be, or others may read it.</exception>
    /// <exception cref="IOException">It cannot be read or written.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not.</exception>
    public static NodeIdentity ReadOrCreate(string path)
    {
        var publicPath = PublicPathOf(path);
        if (!System.IO.Path.Exists(path) && !System.IO.Path.Exists(publicPath))
        {
            PrivateDirectory.Create(System.IO.Path.GetDirectoryName(path)!);
            var seed = RandomNumberGenerator.GetBytes(PeerKey.BytesCount);
            // Where somebody else is first, theirs is the key.
            _ = DurableFile.TryCreate(path, seed);
            CryptographicOperations.ZeroMemory(seed);
        }

        if (!System.IO.Path.Exists(publicPath))
            _ = DurableFile.TryCreate(publicPath, Encoding.ASCII.GetBytes(ReadSeed(path, publicPath).ToString()));
        return Read(path);
    }

    /// <summary>The identity as it is there, for who changes nothing; null where there is none yet.</summary>
    /// <inheritdoc cref="ReadOrCreate"/>
    public static NodeIdentity? Find(string path) =>
        System.IO.Path.Exists(path) || System.IO.Path.Exists(PublicPathOf(path)) ? Read(path) : null;

    /// <summary>The identity that was made when the store was opened, for who shows it to others: where it is gone since, its disk may not be mounted, and another one would be known to nobody.</summary>
    /// <inheritdoc cref="ReadOrCreate"/>
    public static NodeIdentity ReadMade(string path) => Find(path) ?? throw Refused(
        $"{path} is not there any more. Put it back; where it is lost, `dbx remote key` makes a new identity, which every node that pinned the old one has to be told.");

    /// <summary>Makes what is missing of it. What stands in the way is told to who asks for the key, and by <c>dbx doctor</c>: a store opens without it.</summary>
    public static void Ensure(string path)
    {
        try
        {
            if (!System.IO.Path.Exists(path) || !System.IO.Path.Exists(PublicPathOf(path)))
                _ = ReadOrCreate(path);
        }
        catch (Exception kept) when (kept is RefusedException or IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>What is wrong with the identity, for whoever starts a server; null where nothing is.</summary>
    public static string? ProblemOf(string path)
    {
        try
        {
            _ = Find(path);
            return null;
        }
        catch (Exception wrong) when (wrong is RefusedException or IOException or UnauthorizedAccessException)
        {
            return wrong.Message;
        }
    }

    static NodeIdentity Read(string path)
    {
        var publicPath = PublicPathOf(path);
        var key = ReadSeed(path, publicPath);
        // Gone where somebody has just removed it: it is made again the next time.
        if (DurableFile.Read(publicPath, PublicBytesMax) is { } content)
        {
            var said = PeerKey.TryParse(Encoding.UTF8.GetString(content), out var shown, out _) ? shown : null;
            if (!key.Equals(said))
            {
                throw Refused(
                    $"{publicPath} is not the public half of {path}: it {(said is null ? "holds no key" : $"is {said.Fingerprint}")}, and the seed's is {key.Fingerprint}. One of them is from elsewhere. " +
                    $"Put the right file back; or, if {System.IO.Path.GetFileName(path)} is the right one, remove {System.IO.Path.GetFileName(publicPath)}, and it is made again.");
            }
        }

        return new(path, key);
    }

    static PeerKey ReadSeed(string path, string publicPath)
    {
        using var key = OpenSeed(path, publicPath);
        return PeerKey.Of(key.PublicKey.Export(KeyBlobFormat.RawPublicKey));
    }

    /// <summary>The key pair, which does not give its seed away any more.</summary>
    static Key OpenSeed(string path, string publicPath)
    {
        var name = System.IO.Path.GetFileName(path);
        if (!System.IO.Path.Exists(path))
        {
            throw Refused(
                $"{path} is not there, and its public half, {System.IO.Path.GetFileName(publicPath)}, is: put the seed back. Where it is lost, remove {System.IO.Path.GetFileName(publicPath)}, and a new identity is made, which " +
                "every node that pinned the old one has to be told.");
        }

        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & OthersMay) != 0)
            throw Refused($"The key file {name} may be read or written by others than its owner, so it proves nothing about who speaks: `chmod 600 {name}` in its directory, if nobody else has used it.");
        Span<byte> seed = stackalloc byte[PeerKey.BytesCount];
        try
        {
            using (var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0))
            {
                if (file.Length != seed.Length || file.ReadAtLeast(seed, seed.Length, throwOnEndOfStream: false) != seed.Length)
                {
                    throw Refused(string.Create(CultureInfo.InvariantCulture,
                        $"invalid replication key length at {path}: it has {file.Length} bytes, and the seed of an Ed25519 key {seed.Length}. Put the right file back; a new one is made only where there is none, and nobody who pinned the old one will know it."));
                }
            }

            return NSec.Cryptography.Key.Import(SignatureAlgorithm.Ed25519, seed, KeyBlobFormat.RawPrivateKey);
        }
        catch (UnauthorizedAccessException)
        {
            throw Refused($"The key file {path} may not be read by this user, or is no file.");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(seed);
        }
    }

    static RefusedException Refused(string message) => new(new Refusal(RefusalCode.Unavailable, message) { Final = true });
}
