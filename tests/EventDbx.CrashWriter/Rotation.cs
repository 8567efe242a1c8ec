using EventDbx.Encryption;
using EventDbx.Events;

namespace EventDbx.CrashWriter;

/// <summary>A rotation of the data key under four writers, who go on until the process is killed.</summary>
/// <remarks><c>opened.</c>, then <c>rotated.</c> once the old key opens nothing any more.</remarks>
internal static class Rotation
{
    public static async Task RunAsync(DatabaseOptions options, string next)
    {
        if (!DataKey.TryParse(next, out var key, out var why))
            throw new ArgumentException(why);
        await using var database = Database.Open(options with { NextKey = key });
        Console.WriteLine("opened.");
        await Console.Out.FlushAsync();
        var writers = Enumerable.Range(0, 4).Select(number => Task.Run(async () =>
        {
            var session = database.OpenSession(new Actor("crash", $"writer-{number}"));
            for (var run = Guid.NewGuid(); ;)
            {
                var aggregate = AggregateKey.Create("rotated", $"{run}-{Random.Shared.Next(50)}");
                await session.AppendAsync(new() { Aggregate = aggregate, EventType = "made", Payload = "{\"word\":\"sesame\"}"u8.ToArray() }, default);
            }
        })).ToList();
        await database.OpenSession(new Actor("crash", "rotator")).RotateKeyAsync(key, null, default);
        Console.WriteLine("rotated.");
        await Console.Out.FlushAsync();
        await Task.WhenAll(writers);
    }
}
