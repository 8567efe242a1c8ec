using EventDbx.Schemas;

namespace EventDbx;

public sealed partial class Database
{
    /// <summary>Who takes over snapshots, one at a time: else each would look through all of them again for every one that another took.</summary>
    internal SemaphoreSlim TakingSnapshots { get; } = new(1, 1);

    /// <summary>Changes of several types in one commit. Returns how many.</summary>
    internal async Task<int> ChangeSchemasAsync(
        Actor? actor, string? origin, Func<SchemaBook, IReadOnlyList<(string Type, AggregateSchema? Schema)>> change, CancellationToken cancellation)
    {
        await _changingSchemas.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var book = _schemas.Book;
            var changes = change(book);
            if (changes.Count == 0)
                return 0;
            // Whether all of them can be enforced, before one of them is history: those that go first, for there may be only so many.
            foreach (var (type, schema) in changes.OrderBy(static one => one.Schema is not null))
                book = schema is null ? book.Without(type) : book.With(schema);
            var commit = new PendingCommit([.. changes.OrderBy(static one => one.Schema is not null).Select(one => new SchemaOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, Actor = actor, Origin = origin, Type = one.Type, Schema = one.Schema, Body = SchemaOperation.BodyOf(one.Schema),
            })]);
            var outcomes = await _loop.CommitAsync(commit).ConfigureAwait(false);
            if (commit.Refused)
                throw new RefusedException(Array.Find(outcomes, static outcome => outcome.Refusal is not null).Refusal!.Value);
            ShowSchemas(atOpen: false);
            return changes.Count;
        }
        finally
        {
            _changingSchemas.Release();
        }
    }
}
