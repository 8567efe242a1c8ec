using System.Security.Cryptography;
using System.Text;
using EventDbx.Commit;
using EventDbx.Encryption;
using EventDbx.Events;
using EventDbx.Integrity;
using EventDbx.Storage;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Encryption;

/// <summary>Who can read the disk, and guesses a payload, has nothing to hold the guess against.</summary>
public sealed class GuessedPayloadTests
{
    const string Payload = """{"diagnosis":"F32.1"}""";
    const string Note = "a note";

    static readonly AggregateKey Patient = AggregateKey.Create("patient", "p-1");

    static readonly Guid EventId = Guid.Parse("01990000-0000-4000-8000-000000000001");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_hash_of_a_guessed_payload_stands_in_an_encrypted_store_and_a_plain_one_shows_that_they_are_looked_for(bool encrypted)
    {
        using var store = new TestStore();
        var draft = new EventDraft { Aggregate = Patient, EventType = "noted", Payload = Encoding.UTF8.GetBytes(Payload), EventId = EventId, Note = Note };
        var patch = Encoding.UTF8.GetBytes("""[{"op":"replace","path":"/diagnosis","value":"F33.0"}]""");
        var patched = new EventDraft { Aggregate = Patient, EventType = "noted", Patch = patch, EventId = Guid.Parse("01990000-0000-4000-8000-000000000002") };
        List<Row> rows = [];
        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession(new Actor("group", "user"));
            await session.AppendAsync(draft, default);
            await session.AppendAsync(patched, default);
            await session.SnapshotAsync(Patient, null, default);
            // A repeated request is still known by it, and another one is not.
            Assert.False((await session.AppendAsync(draft, default)).Appended);
            Assert.False((await session.AppendAsync(patched, default)).Appended);
            var conflict = await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(draft with { Note = "another" }, default));
            Assert.Equal(RefusalCode.IdempotencyConflict, conflict.Refusal.Code);
            session.VerifyAll(null, default);
            using var view = database.Engine.OpenView();
            foreach (var family in Families.All)
                rows.AddRange(view.Range(family, [], [], 10_000, int.MaxValue));
        }

        var texts = rows.Select(row => row.Value)
            .Concat(Directory.EnumerateFiles(store.Directory, "*", SearchOption.AllDirectories).Select(File.ReadAllBytes)).ToList();
        var found = Guesses(patch).Where(guess => texts.Exists(text => text.AsSpan().IndexOf(guess.Hash) >= 0)).Select(guess => guess.What).ToList();
        if (encrypted)
            Assert.Empty(found);
        else
            Assert.Equal(["the fingerprint of the request", "the fingerprint of the patch"], found);
    }

    /// <summary>Whatever a guesser without a key can compute.</summary>
    static List<(string What, byte[] Hash)> Guesses(byte[] patch)
    {
        var payload = Encoding.UTF8.GetBytes(Payload);
        var fingerprint = RequestFingerprint.Of(RequestFingerprint.Payload, "noted"u8, payload, Note);
        List<(string, byte[])> guesses =
        [
            ("SHA-256 of the payload", SHA256.HashData(payload)),
            ("SHA-256 of the changed payload", SHA256.HashData("""{"diagnosis":"F33.0"}"""u8)),
            ("SHA-256 of the value", SHA256.HashData("F32.1"u8)),
            ("the fingerprint of the request", Bytes(fingerprint)),
            ("the fingerprint of the patch", Bytes(RequestFingerprint.Of(RequestFingerprint.Patch, "noted"u8, patch, null))),
            ("SHA-256 of the field's name", SHA256.HashData("diagnosis"u8)),
        ];
        foreach (var salt in (byte[][])[new byte[16], EventId.ToByteArray(bigEndian: true)])
        {
            guesses.Add(("a leaf without a salt of its own", Bytes(EntryHash.OfEvent(
                Patient, 1, "noted"u8, EventId, 0, new Actor("group", "user"), Note, Hash32.Empty, payload, salt))));
        }

        foreach (var key in (byte[][])[Patient.Row.ToArray(), EventId.ToByteArray(bigEndian: true), Encoding.UTF8.GetBytes("p-1"), []])
        {
            guesses.Add(("a MAC under what is public", HMACSHA256.HashData(key, payload)));
            guesses.Add(("a MAC of the fingerprint under what is public", HMACSHA256.HashData(key, Bytes(fingerprint))));
        }

        return guesses;
    }

    static byte[] Bytes(Hash32 hash)
    {
        var bytes = new byte[Hash32.Length];
        hash.Write(bytes);
        return bytes;
    }
}
