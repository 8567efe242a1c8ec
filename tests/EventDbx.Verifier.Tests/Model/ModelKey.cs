using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Org.BouncyCastle.Math.EC.Rfc8032;

namespace EventDbx.Verifier.Tests.Model;

/// <summary>A key pair from a seed, of a log (algorithm 01) or a witness (04).</summary>
internal sealed class ModelKey
{
    readonly byte[] _secret;
    readonly byte[] _id;

    public ModelKey(string name, string seed, byte algorithm = 1)
        : this(name, SHA256.HashData(Encoding.UTF8.GetBytes(seed)), algorithm)
    {
    }

    ModelKey(string name, byte[] secret, byte algorithm)
    {
        (Name, _secret) = (name, secret);
        var publicKey = new byte[33];
        publicKey[0] = algorithm;
        Ed25519.GeneratePublicKey(_secret, 0, publicKey, 1);
        _id = SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', .. publicKey])[..4];
        Vkey = $"{name}+{Convert.ToHexStringLower(_id)}+{Convert.ToBase64String(publicKey)}";
    }

    public string Name { get; }

    public string Vkey { get; }

    /// <summary>The same secret under another name: what a log has in its next epoch.</summary>
    public ModelKey Named(string name) => new(name, _secret, algorithm: 1);

    /// <summary>A line below the text.</summary>
    public string Sign(string text) => $"— {Name} {Convert.ToBase64String([.. _id, .. Ed25519Of(text)])}\n";

    /// <summary>The line of a witness.</summary>
    public string Cosign(string text, ulong time)
    {
        var seconds = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(seconds, time);
        var signature = Ed25519Of(string.Create(CultureInfo.InvariantCulture, $"cosignature/v1\ntime {time}\n{text}"));
        return $"— {Name} {Convert.ToBase64String([.. _id, .. seconds, .. signature])}\n";
    }

    byte[] Ed25519Of(string text)
    {
        var (message, signature) = (Encoding.UTF8.GetBytes(text), new byte[64]);
        Ed25519.Sign(_secret, 0, message, 0, message.Length, signature, 0);
        return signature;
    }
}
