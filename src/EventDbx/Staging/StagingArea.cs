using EventDbx.Documents;

namespace EventDbx.Staging;

/// <summary>The document <c>staged_events.json</c>: one change after the other.</summary>
internal sealed class StagingArea(IDocuments documents) : IDisposable
{
    const string Name = "staged_events.json";

    readonly SemaphoreSlim _changing = new(1, 1);

    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it cannot be read.</exception>
    public List<StagedEvent> Read() => Parse(documents.Read(Name));

    /// <summary>Changes what is staged; where the change refuses, everything stays.</summary>
    public async Task<T> RunAsync<T>(Func<IReadOnlyList<StagedEvent>, Task<(List<StagedEvent> Left, T Answer)>> change, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var read = documents.Read(Name);
            var before = Parse(read);
            var (left, answer) = await change(before).ConfigureAwait(false);
            var same = left.Count == before.Count && left.Zip(before).All(pair => ReferenceEquals(pair.First, pair.Second));
            if (!same && !documents.TryReplace(Name, StagedJson.WriteAll(left), read))
                throw new RefusedException(RefusalCode.Unavailable, $"`{Name}` was changed by somebody else at the same time. Look at what is staged, and try again.");
            return answer;
        }
        finally
        {
            _changing.Release();
        }
    }

    public void Dispose() => _changing.Dispose();

    static List<StagedEvent> Parse(Document document)
    {
        try
        {
            return StagedJson.ReadAll(document.Content);
        }
        catch (FormatException cause)
        {
            throw Violation.Of($"The document `{Name}` cannot be read: {cause.Message}");
        }
    }
}
