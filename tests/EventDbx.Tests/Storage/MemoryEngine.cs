using System.Collections.Immutable;

namespace EventDbx.Tests.Storage;

/// <summary>The seam as a model: one immutable sorted set of rows per family, so that a view is a reference.</summary>
internal sealed class MemoryEngine : IStorageEngine
{
    const int PlansMax = 3;

    readonly WritePlan _plan = new();
    ImmutableArray<ImmutableSortedSet<Row>> _rows;
    ImmutableArray<ImmutableSortedSet<Row>> _durable;
    ulong? _logSize;

    public MemoryEngine()
        : this([.. Families.All.Select(_ => ImmutableSortedSet.Create<Row>(ByKey.Order))]) { }

    MemoryEngine(ImmutableArray<ImmutableSortedSet<Row>> rows) => (_rows, _durable) = (rows, rows);

    public long BytesOnDisk => 0;

    /// <summary>What a power cut would leave: everything up to the last sync.</summary>
    public MemoryEngine AfterPowerCut() => new(_durable);

    public IStorageView OpenView() => new View(_rows);

    public void Commit(IGroupPlanner planner, bool sync)
    {
        for (var plans = 1; ; plans++)
        {
            _plan.Clear();
            planner.Plan(OpenView(), _plan);
            if (_plan.IsEmpty)
                return;
            if (_logSize is not { } logSize || _plan.BaseLogSize == logSize)
                break;
            if (plans == PlansMax)
                throw new InvalidOperationException($"{plans} plans on log size {_plan.BaseLogSize}; the log size is {logSize}.");
            planner.Forget();
        }
        _rows = Written();
        _logSize = _plan.LogSize;
        if (sync)
            Sync();
    }

    public void Sync() => _durable = _rows;

    public void Dispose() { }

    ImmutableArray<ImmutableSortedSet<Row>> Written()
    {
        var families = _rows.Select(rows => rows.ToBuilder()).ToArray();
        foreach (var operation in _plan)
        {
            var rows = families[(int)operation.Family - 1];
            var row = new Row(operation.Key.ToArray(), operation.Value.ToArray());
            rows.Remove(row);
            if (operation.IsPut)
                rows.Add(row);
        }
        return [.. families.Select(rows => rows.ToImmutable())];
    }

    sealed class ByKey : IComparer<Row>
    {
        public static readonly ByKey Order = new();

        public int Compare(Row x, Row y) => x.Key.AsSpan().SequenceCompareTo(y.Key);
    }

    sealed class View(ImmutableArray<ImmutableSortedSet<Row>> families) : IStorageView
    {
        public byte[]? Get(Family family, ReadOnlySpan<byte> key)
        {
            var rows = families[(int)family - 1];
            var at = rows.IndexOf(new Row(key.ToArray(), []));
            // A copy, as from a disk: who changes what he was given changes nothing here.
            return at < 0 ? null : [.. rows[at].Value];
        }

        public byte[]?[] GetMany(Family family, IReadOnlyList<byte[]> keys) => [.. keys.Select(key => Get(family, key))];

        public IReadOnlyList<Row> Range(
            Family family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to, int rowsMax, int bytesMax, bool backwards = false)
        {
            var rows = families[(int)family - 1];
            var first = FirstNotBelow(rows, from);
            var end = to.IsEmpty ? rows.Count : FirstNotBelow(rows, to);
            List<Row> found = [];
            long bytes = 0;
            for (var i = 0; i < end - first && found.Count < rowsMax; i++)
            {
                var row = rows[backwards ? end - 1 - i : first + i];
                bytes += row.Key.Length + row.Value.Length;
                if (found.Count > 0 && bytes > bytesMax)
                    break;
                found.Add(new Row([.. row.Key], [.. row.Value]));
            }
            return found;
        }

        static int FirstNotBelow(ImmutableSortedSet<Row> rows, ReadOnlySpan<byte> key)
        {
            var at = rows.IndexOf(new Row(key.ToArray(), []));
            return at < 0 ? ~at : at;
        }

        public void Dispose() { }
    }
}
