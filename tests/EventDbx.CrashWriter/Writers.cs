using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Events;

namespace EventDbx.CrashWriter;

/// <summary>Writers in one process, each one thing after the other, until the process is killed.</summary>
internal sealed class Writers(Database database, int seed, int cycle)
{
    readonly Session _session = database.OpenSession(new Actor("crash", "writer"));
    readonly Stream _out = Console.OpenStandardOutput();
    readonly Lock _writing = new();

    public static async Task RunAsync(DatabaseOptions options, int seed, int cycle, int count)
    {
        await using var database = Database.Open(options with { Signer = static () => new FakeSigner(), CheckpointInterval = TimeSpan.FromMilliseconds(5) });
        var writers = new Writers(database, seed, cycle);
        var auditing = Task.Run(writers.AuditAsync);
        await Task.WhenAll(Enumerable.Range(0, count).Select(w => Task.Run(() => new Writer(writers, w).RunAsync())));
        await auditing;
    }

    /// <summary>Has every checkpoint handed out that is signed: what it has said must hold for ever.</summary>
    async Task AuditAsync()
    {
        try
        {
            for (var size = 0UL; ;)
            {
                await database.WaitForCheckpointAsync(size, default);
                var note = await database.ReadCheckpointAsync(size + 1, handOut: true, default);
                if (!Checkpoint.TryParse(note.Text, out var checkpoint))
                    throw new FormatException(note.Text);
                size = checkpoint.Size;
                Say($"c {size} {checkpoint.Root}");
            }
        }
        catch (RefusedException refused) when (refused.Refusal is { Code: RefusalCode.Unavailable, Final: true })
        {
            // The writer has stopped, which the writers say.
        }
    }

    /// <summary>Straight into the pipe: nothing stays behind in a buffer of ours. The dot tells a whole line.</summary>
    void Say(string line)
    {
        var bytes = Encoding.UTF8.GetBytes(line + ".\n");
        lock (_writing)
            _out.Write(bytes);
    }

    sealed class Writer(Writers all, int number)
    {
        readonly Random _random = new(HashCode.Of(all, number));
        int _operations;

        public async Task RunAsync()
        {
            while (true)
            {
                var op = $"{all.Cycle}.{number}.{_operations++}";
                try
                {
                    await NextAsync(op);
                }
                catch (RefusedException refused)
                {
                    all.Say($"! {op} {refused.Refusal.Name}");
                    // Retried: the writer may have stopped for good.
                    if (refused.Refusal.Retryable)
                        return;
                }
            }
        }

        Task NextAsync(string op) => _random.Next(100) switch
        {
            < 70 => AppendAsync(op),
            < 88 => BatchAsync(op),
            < 92 => CreateAsync(op),
            _ => TurnAsync(op),
        };

        async Task AppendAsync(string op)
        {
            var (aggregate, withId) = (Any(), _random.Next(2) == 0);
            var expected = _random.Next(4) == 0 ? VersionOf(aggregate) : null;
            var draft = Script.Draft(op, 0, aggregate, withId, expected);
            all.Say($"> {op} {Script.Append} {Script.Name(aggregate, withId)}");
            var result = await all._session.AppendAsync(draft, default);
            all.Say($"< {op} {Script.Show(result.Record)}");
            if (!withId || _random.Next(4) != 0)
                return;
            var again = await all._session.AppendAsync(draft, default);
            all.Say($"= {op} {Script.Show(again.Record)}");
        }

        async Task BatchAsync(string op)
        {
            var drafts = new List<EventDraft>();
            for (var i = _random.Next(2, 20); i > 0; i--)
                drafts.Add(Script.Draft(op, drafts.Count, Any(), _random.Next(3) == 0));
            all.Say($"> {op} {Script.Batch} {string.Join(',', drafts.Select(d => Script.Name(d.Aggregate, d.EventId is not null)))}");
            var results = await all._session.AppendBatchAsync(drafts, default);
            all.Say($"< {op} {string.Join(';', results.Select(r => Script.Show(r.Record)))}");
        }

        async Task CreateAsync(string op)
        {
            var aggregate = AggregateKey.Create("made", op);
            all.Say($"> {op} {Script.Create} {Script.Name(aggregate, false)}");
            await all._session.CreateAsync(aggregate, op, default);
            all.Say($"~ {op}");
            if (_random.Next(3) != 0)
                return;
            op = $"{all.Cycle}.{number}.{_operations++}";
            all.Say($"> {op} {Script.Remove} {Script.Name(aggregate, false)}");
            await all._session.RemoveAsync(aggregate, default);
            all.Say($"~ {op}");
        }

        /// <summary>Archives one of our own, or brings it back: nobody else does that to it.</summary>
        async Task TurnAsync(string op)
        {
            var aggregate = Own();
            if (VersionOf(aggregate) is null)
                return;
            var archived = all._session.GetAggregate(aggregate).Archived;
            all.Say($"> {op} {(archived ? Script.Restore : Script.Archive)} {Script.Name(aggregate, false)}");
            if (archived)
                await all._session.RestoreAsync(aggregate, op, default);
            else
                await all._session.ArchiveAsync(aggregate, op, default);
            all.Say($"~ {op}");
        }

        AggregateKey Any() => _random.Next(3) == 0 ? AggregateKey.Create("shared", $"s-{_random.Next(8)}") : Own();

        AggregateKey Own() => AggregateKey.Create("own", $"w-{number}-{_random.Next(6)}");

        ulong? VersionOf(AggregateKey aggregate)
        {
            try
            {
                return all._session.GetAggregate(aggregate).Version;
            }
            catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.NotFound)
            {
                return null;
            }
        }
    }

    int Cycle => cycle;

    static class HashCode
    {
        /// <summary>The same on every run, unlike the framework's.</summary>
        public static int Of(Writers all, int number) => unchecked((((all.Seed * 7919) + all.Cycle) * 104729) + number);
    }

    int Seed => seed;
}
