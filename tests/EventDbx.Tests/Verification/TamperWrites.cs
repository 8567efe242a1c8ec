using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Verification;

/// <summary>Every kind of write to every aggregate of a <see cref="TamperStore"/>, whatever its rows are by now.</summary>
internal static class TamperWrites
{
    public static IEnumerable<Func<Task>> All(Session session)
    {
        foreach (var (type, id) in ((string, string)[])[("order", "o-1"), ("order", "wide"), ("order", "client"), ("order", "kept"), ("order", "kept wide"), ("order", "empty"), ("order", "back"), ("filler", "f"), ("Ärger/%", "ü:1"), ("order", "nobody")])
        {
            var aggregate = AggregateKey.Create(type, id);
            yield return () => session.AppendAsync(TestStore.Draft(aggregate, """{"n":"after","f1":2}"""), default);
            yield return () => session.AppendAsync(TestStore.Draft(aggregate, """{"n":1}""") with { EventId = new Guid(2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) }, default);
            yield return () => session.AppendBatchAsync([TestStore.Draft(aggregate, """{"b":1}"""), TestStore.Draft(aggregate, """{"b":2}""")], default);
            yield return () => session.ArchiveAsync(aggregate, null, default);
            yield return () => session.RestoreAsync(aggregate, null, default);
            yield return () => session.CreateAsync(aggregate, null, default);
            yield return () => session.RemoveAsync(aggregate, default);
        }
    }

    /// <summary>Whether it was refused because of damage; any other refusal but "the writer has stopped" is its own affair.</summary>
    public static async Task<bool> IsRefusedAsync(Func<Task> write)
    {
        try
        {
            await write().WaitAsync(TimeSpan.FromSeconds(60));
            return false;
        }
        catch (RefusedException refused) when (refused.Refusal.Code is not (RefusalCode.Unavailable or RefusalCode.Overloaded))
        {
            return refused.Refusal.Code == RefusalCode.IntegrityViolation;
        }
    }
}
