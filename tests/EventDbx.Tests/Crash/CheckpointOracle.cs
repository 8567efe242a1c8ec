using System.Text;
using EventDbx.Checkpoints;
using EventDbx.CrashWriter;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Crash;

/// <summary>
/// What a log has signed, whoever heard of it, against the log as it is found: no two of one size differ, and each is a prefix
/// of every later one of its epoch.
/// </summary>
/// <remarks>The roots are those of a tree that is rebuilt from the feed; that proofs show it too is held for each with the next one.</remarks>
internal sealed class CheckpointOracle
{
    readonly SortedDictionary<ulong, (Checkpoint Checkpoint, bool Kept)> _heard = [];
    readonly List<Hash32> _roots = [];
    readonly FakeSigner _signer = new();
    ulong _proven;

    public int Count => _heard.Count;

    /// <summary>The log has one entry more, and this root.</summary>
    public void Grow(Hash32 root) => _roots.Add(root);

    /// <summary>Somebody was shown a note.</summary>
    /// <param name="base64">The note.</param>
    /// <param name="kept">Whether it was handed out, and so must be found again.</param>
    public void Hear(string base64, bool kept)
    {
        Assert.True(SignedNote.TryParse(Convert.FromBase64String(base64), out var note));
        Take(note, kept);
    }

    /// <summary>Holds a reopened store, and everything that was heard, against the log.</summary>
    public void Check(Database database)
    {
        using var view = database.Engine.OpenView();
        var stored = new Dictionary<ulong, CheckpointRow>();
        var rows = new RowCursor(view, Family.Checkpoints, [0, 0], []);
        for (; rows.Peek() is { } row; rows.Take())
        {
            var checkpoint = CheckpointRow.TryRead(row.Key, Checked.Body(Family.Checkpoints, row.Key, row.Value))!;
            Assert.Equal(database.Epoch, checkpoint.Epoch);
            Take(checkpoint.Note, checkpoint.HandedOut);
            stored.Add(checkpoint.Size, checkpoint);
        }

        var size = (ulong)_roots.Count;
        var nodes = new LogNodes(view, size);
        Checkpoint? before = null;
        foreach (var (checkpoint, kept) in _heard.Values)
        {
            Assert.Equal(database.LogOrigin, checkpoint.Origin);
            Assert.True(checkpoint.Size <= size, $"{checkpoint.Size} entries were signed, and {size} are there.");
            Assert.Equal(_roots[(int)checkpoint.Size - 1], checkpoint.Root);
            Assert.True(!kept || stored.ContainsKey(checkpoint.Size), $"The checkpoint of {checkpoint.Size} entries was handed out and is not there.");
            if (before is not null && checkpoint.Size > _proven)
            {
                var path = new LogNodes(view, checkpoint.Size).Path(ProofPath.Consistency(before.Size, checkpoint.Size));
                Assert.True(MerkleProof.Extends(before.Size, checkpoint.Size, before.Root, checkpoint.Root, path), $"{before.Size} is no prefix of {checkpoint.Size}");
                _proven = checkpoint.Size;
            }

            before = checkpoint;
        }

        // And each leads to the log as it is.
        if (before is not null && before.Size < size)
            Assert.True(MerkleProof.Extends(before.Size, size, before.Root, _roots[^1], nodes.Path(ProofPath.Consistency(before.Size, size))));
    }

    void Take(SignedNote note, bool kept)
    {
        Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
        Assert.True(_signer.Verifies(checkpoint.Origin, note));
        if (_heard.TryGetValue(checkpoint.Size, out var known))
            Assert.Equal(known.Checkpoint, checkpoint);
        _heard[checkpoint.Size] = (checkpoint, kept || known.Kept);
    }
}
