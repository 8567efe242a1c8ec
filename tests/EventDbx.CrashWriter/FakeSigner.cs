using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EventDbx.Checkpoints;

namespace EventDbx.CrashWriter;

/// <summary>Signs with a hash of key and text: deterministic, and no more than the engine needs to see. Ed25519 is the server's.</summary>
internal sealed class FakeSigner(string key = "a key") : ICheckpointSigner
{
    int _signed;

    /// <summary>Signatures made so far.</summary>
    public int Signed => Volatile.Read(ref _signed);

    /// <summary>Run before each signature.</summary>
    public Action? Watch { get; set; }

    public string VerifierKey(string keyName) => $"{keyName}+{KeyId(keyName):x8}+{Convert.ToBase64String([1, .. Public()])}";

    public NoteSignature Sign(string keyName, string text)
    {
        Interlocked.Increment(ref _signed);
        Watch?.Invoke();
        return new(keyName, KeyId(keyName), Signature(text));
    }

    public bool Verifies(string keyName, SignedNote note) => note.Signatures.Any(signature =>
        signature.KeyName == keyName && signature.KeyId == KeyId(keyName) && signature.Bytes.AsSpan().SequenceEqual(Signature(note.Text)));

    byte[] Signature(string text)
    {
        var once = SHA256.HashData(Encoding.UTF8.GetBytes(key + text));
        return [.. once, .. once];
    }

    byte[] Public() => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    uint KeyId(string keyName) => BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData([.. Encoding.UTF8.GetBytes(keyName), 0x0A, 1, .. Public()]));
}
