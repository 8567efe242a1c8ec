using EventDbx.Encryption;
using EventDbx.Tests.Encryption;

namespace EventDbx.Tests.Crash;

/// <summary>kill -9 while the data key is being replaced, under writers.</summary>
[CiTier("It kills processes again and again.")]
public sealed class RotationKillTests
{
    /// <summary>Keys for a few batches, so that a kill falls between two of them as often as not.</summary>
    const int Aggregates = 1000;

    [Fact]
    public Task Killed_anywhere_in_a_rotation_the_store_opens_verifies_and_goes_on() => Effort.SeededAsync(async random =>
    {
        using var store = new RotatedStore();
        string answers;
        await using (var database = store.Open(store.Old))
        {
            await RotatedStore.FillAsync(database, Aggregates);
            answers = RotatedStore.Answers(database, Aggregates);
        }

        var (old, next) = (Copy(store.Old), DataKey.Generate());
        var rotations = 0;
        for (var kills = Effort.Choose(5, 40, 400); kills > 0; kills--)
        {
            var rotated = await KillAsync(store, old, next, random);
            var (unfinished, generation) = await LookAsync(store, old, next, answers, kills % 2 == 0);
            Assert.False(rotated && unfinished, "It said that it had come to its end, and has not.");
            if (unfinished || generation == (uint)rotations + 1)
                continue;
            // It came to its end: the old key opens nothing, and the next rotation begins.
            Assert.Throws<StoreRefusedException>(() => Database.Open(store.Options(old)));
            rotations++;
            old.Dispose();
            (old, next) = (next, DataKey.Generate());
        }

        await using (var database = Database.Open(store.Options(old) with { NextKey = next }))
        {
            await database.OpenSession().RotateKeyAsync(next, null, default);
            Assert.All(RotatedStore.WrappedKeys(database).Select(wrapped => SealedValue.EpochOf(wrapped)).Distinct(), generation => Assert.Equal((uint)rotations + 2, generation));
        }

        Assert.Throws<StoreRefusedException>(() => Database.Open(store.Options(old)));
        await LookAsync(store, next, next, answers, whole: true);
        TestContext.Current.TestOutputHelper?.WriteLine($"{rotations + 1} rotations came to their end");
        old.Dispose();
        next.Dispose();
    });

    /// <summary>Whether the child said that it had come to the end before it was killed.</summary>
    static async Task<bool> KillAsync(RotatedStore store, DataKey old, DataKey next, Random random)
    {
        using var child = Child.Start("rotate", store.Store.Directory, old.ToBase64(), next.ToBase64());
        var (opened, rotated) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), false);
        var heard = Task.Run(() => child.ReadAsync(line =>
        {
            rotated |= line == "rotated";
            opened.TrySetResult();
        }));
        if (await Task.WhenAny(opened.Task, heard, Task.Delay(TimeSpan.FromSeconds(60))) != opened.Task)
            Assert.Fail($"The child never opened the store: {await child.ErrorsAsync()}");
        // Short times are as likely as long ones: 3 ms to 0.6 s.
        await Task.Delay(TimeSpan.FromMilliseconds(3 * Math.Pow(200, random.NextDouble())));
        await child.KillAsync();
        await heard;
        return rotated;
    }

    static async Task<(bool Unfinished, uint Generation)> LookAsync(RotatedStore store, DataKey old, DataKey next, string answers, bool whole)
    {
        await using var database = Database.Open(store.Options(old) with { NextKey = next, LockTimeout = TimeSpan.FromSeconds(30) });
        if (whole)
            database.OpenSession().VerifyAll(null, TestContext.Current.CancellationToken);
        Assert.Equal(answers, RotatedStore.Answers(database, Aggregates));
        return (database.KeyRotationUnfinished, database.KeyGeneration);
    }

    static DataKey Copy(DataKey key) => DataKey.TryParse(key.ToBase64(), out var copy, out _) ? copy : throw new InvalidOperationException();
}
