using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>What is in no entry of the log, and so in no replay: the rows of it that can be read are taken over as they are.</summary>
/// <remarks>
/// What tokens have spent, and how new a document is, begins anew where a row is lost; of plugins: <see cref="KeptDeliveries"/>. Checkpoints are what the log has said of itself: they stay under their epoch, and
/// those of entries that are gone say what was lost.
/// </remarks>
internal sealed class LooseRows(IStorageView source, RocksDbEngine target)
{
    /// <summary>Rows written at once.</summary>
    const int RowsMax = 1000;

    readonly List<(Family Family, byte[] Key, byte[] Body)> _found = [];

    /// <summary>Rows that could not be read, and so were left out; of plugins: which begin again at the beginning.</summary>
    public ulong LeftOut { get; private set; }

    /// <summary>Plugins that begin again at the beginning of the log.</summary>
    public IReadOnlyList<string> Restarted { get; private set; } = [];

    /// <summary>Copies them; the newest checkpoint among them, or null.</summary>
    /// <param name="epoch">The one that begins: no checkpoint of it can have been signed.</param>
    /// <param name="kept">Entries of the log that were kept.</param>
    /// <param name="cutIn">Where a log was cut on purpose, the epoch that it was in there: of it and later ones no checkpoint is taken that is of more than is kept. What was lost before stands in the log.</param>
    public Checkpoints.Checkpoint? Copy(uint epoch, ulong kept, uint cutIn = uint.MaxValue)
    {
        Take(Family.Tokens, Keyspace.FirstName.ToArray(), static (key, body) => TokenRow.IsKey(key) && TokenRow.TryRead(body, out _));
        // Else an older document could be put back once the store has been recovered.
        Take(Family.Meta, Keyspace.DocumentPrefix.ToArray(), static (key, body) => IsOther(Family.Meta, key) ? null : DocumentRow.TryRead(body, out _));
        CheckpointRow? newest = null;
        Take(Family.Checkpoints, [0, 0], (key, body) =>
        {
            if (CheckpointRow.TryRead(key, body) is not { } row)
                return false;
            if (row.Epoch >= epoch || (row.Epoch >= cutIn && row.Size > kept))
                return null;
            newest = row; // In the order of keys: epoch, then size.
            return true;
        });
        var deliveries = KeptDeliveries.Read(source, kept, (key, body) => Add(Family.Plugins, key, body));
        LeftOut += deliveries.LeftOut;
        // Reports are compared: of none there is one list.
        if (deliveries.Restarted.Count > 0)
            Restarted = deliveries.Restarted;
        Write();
        return newest?.Checkpoint;
    }

    void Take(Family family, byte[] from, Func<byte[], ReadOnlyMemory<byte>, bool?> takes)
    {
        try
        {
            var rows = new RowCursor(source, family, from, []);
            for (; rows.Peek() is { } row; rows.Take())
            {
                // Rows of another kind stand in the same family, and what cannot be read is none of them.
                var taken = Checked.TryBody(family, row.Key, row.Value, out var body) ? takes(row.Key, body) : IsOther(family, row.Key) ? null : false;
                if (taken == true)
                    Add(family, row.Key, body.ToArray());
                else if (taken == false)
                    LeftOut++;
            }
        }
        catch (StorageFailedException)
        {
            // The rest of that family cannot be read.
            LeftOut++;
        }
    }

    static bool IsOther(Family family, byte[] key) => family == Family.Meta && !key.AsSpan().StartsWith(Keyspace.DocumentPrefix);

    void Add(Family family, byte[] key, byte[] body)
    {
        _found.Add((family, key, body));
        if (_found.Count == RowsMax)
            Write();
    }

    void Write()
    {
        if (_found.Count > 0)
            target.Commit(new Rows(_found), sync: false);
        _found.Clear();
    }

    sealed class Rows(List<(Family Family, byte[] Key, byte[] Body)> rows) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            foreach (var (family, key, body) in rows)
                Checked.Put(plan, family, key, body);
            var log = LogTreeStore.Load(view);
            (plan.BaseLogSize, plan.LogSize) = (log.Size, log.Size);
        }

        public void Forget() { }
    }
}
