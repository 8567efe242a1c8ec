using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using EventDbx.Checkpoints;

namespace EventDbx.CrashWriter;

/// <summary>Signs with a hash of key and text: the same in every process, and no more than the engine needs to see.</summary>
internal sealed class LogSigner : ICheckpointSigner
{
    static readonly byte[] Key = "the key of the crash tests"u8.ToArray();

    public string VerifierKey(string keyName) => $"{keyName}+{KeyId(keyName):x8}+{Convert.ToBase64String([1, .. SHA256.HashData(Key)])}";

    public NoteSignature Sign(string keyName, string text) => new(keyName, KeyId(keyName), Signature(text));

    public bool Verifies(string keyName, SignedNote note) => note.Signatures.Any(signature =>
        signature.KeyName == keyName && signature.KeyId == KeyId(keyName) && signature.Bytes.AsSpan().SequenceEqual(Signature(note.Text)));

    static byte[] Signature(string text) => HMACSHA512.HashData(Key, Encoding.UTF8.GetBytes(text));

    static uint KeyId(string keyName) =>
        BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData([.. Encoding.UTF8.GetBytes(keyName), 0x0A, 1, .. SHA256.HashData(Key)]));
}
