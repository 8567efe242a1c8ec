using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Merging;

/// <summary>However batches are cut, doubled, mixed and interleaved: the receiver ends with the sender's aggregates, or with nothing of what was refused.</summary>
public sealed class MergePropertyTests
{
    [Fact]
    public Task Batches_cut_sent_twice_and_overlapping_end_with_the_senders_aggregates() => Effort.SeededAsync(async random =>
    {
        for (var round = 0; round < Effort.Choose(4, 60, 1000); round++)
        {
            // Every other store plans each group twice, as on an engine whose base has moved.
            var twice = random.Next(2) == 0;
            await using var pair = new MergePair(
                random.Next(2) == 0, random.Next(2) == 0, options => twice ? options with { WrapEngine = new EngineSteps { PlansTwice = true }.Over } : options);
            AggregateKey[] aggregates = [.. Enumerable.Range(0, random.Next(1, 6)).Select(i => TestStore.Aggregate("order", $"o-{i}"))];
            foreach (var aggregate in aggregates)
                await pair.FillAsync(aggregate, random.Next(1, 60), random.Next(3) == 0 ? 900 : 0);
            var (reached, archived) = (aggregates.ToDictionary(aggregate => aggregate, _ => 0UL), new HashSet<AggregateKey>());
            var ends = aggregates.ToDictionary(aggregate => aggregate, aggregate => MergePair.VersionIn(pair.From, aggregate));
            while (aggregates.Any(aggregate => reached[aggregate] < ends[aggregate]))
            {
                // From somewhere before what is there, over some of it and some that is new, of some of them.
                var batch = new List<EventRecord>();
                var fresh = 0UL;
                foreach (var aggregate in aggregates.Where(_ => random.Next(2) == 0).OrderBy(_ => random.Next()))
                {
                    var from = reached[aggregate] - (ulong)random.NextInt64(0, (long)Math.Min(reached[aggregate], 9) + 1);
                    var part = pair.History(aggregate, from, random.Next(1, 25));
                    if (part.Count == 0)
                        continue;
                    batch.AddRange(part);
                    fresh += Math.Max(reached[aggregate], part[^1].Version) - reached[aggregate];
                    reached[aggregate] = Math.Max(reached[aggregate], part[^1].Version);
                }

                if (batch.Count == 0)
                    continue;
                var sends = random.Next(1, 3);
                var counts = await Task.WhenAll(Enumerable.Range(0, sends).Select(_ => Task.Run(() => pair.To.MergeAsync(batch, default)))).WaitAsync(TimeSpan.FromSeconds(60));
                Assert.Equal((int)fresh, counts.Sum());
                var some = aggregates[random.Next(aggregates.Length)];
                if (reached[some] > 0 && random.Next(4) == 0)
                    await (archived.Add(some) ? pair.To.ArchiveAsync(some, null, default) : archived.Remove(some) ? pair.To.RestoreAsync(some, null, default) : Task.CompletedTask);
                if (random.Next(8) == 0)
                    await pair.ReopenAsync();
            }

            Assert.Equal(archived.Order(), aggregates.Where(aggregate => pair.To.GetAggregate(aggregate).Archived).Order());
            pair.AssertSame(aggregates);
        }
    });

    [Fact]
    public Task Appends_of_the_receiver_at_the_same_time_are_before_or_behind_a_batch_and_never_within() => Effort.SeededAsync(async random =>
    {
        for (var round = 0; round < Effort.Choose(5, 100, 2000); round++)
        {
            await using var pair = new MergePair();
            var order = TestStore.Aggregate();
            await pair.FillAsync(order, 60);
            var all = pair.History(order);
            var alone = random.Next(1, 20);
            await pair.To.MergeAsync([.. all.Take(10)], default);

            var merges = Enumerable.Range(0, 5).Select(i => Task.Run(async () =>
            {
                try
                {
                    return await pair.To.MergeAsync([.. all.Skip(10 + (i * 10)).Take(10)], default);
                }
                // Behind ten of the receiver's own it would follow by its version, and not by its root; nor by its time, which is looked at before.
                catch (RefusedException refused) when (refused.Refusal.Code is RefusalCode.Diverged or RefusalCode.VersionConflict or RefusalCode.IntegrityViolation or RefusalCode.InvalidArgument)
                {
                    return 0;
                }
            })).ToArray();
            var appends = Task.Run(async () =>
            {
                for (var i = 0; i < alone; i++)
                    await pair.To.AppendAsync(TestStore.Draft(order, $$"""{"own":{{i}}}""", "own"), default);
            });
            var merged = (await Task.WhenAll(merges).WaitAsync(TimeSpan.FromSeconds(60))).Sum();
            await appends.WaitAsync(TimeSpan.FromSeconds(60));

            var here = pair.To.GetHistory(order, 0, 0);
            var own = here.TakeWhile(record => record.EventType != "own").Count();
            Assert.Equal((10 + merged, 10 + merged + alone), (own, here.Count));
            Assert.Equal(0, merged % 10);
            Assert.Equal(all.Take(own).Select(record => record.Hash), here.Take(own).Select(record => record.Hash));
            pair.To.VerifyAll(null, default);
        }
    });

    [Fact]
    public async Task A_batch_of_several_aggregates_is_applied_whole_or_not_at_all()
    {
        await using var pair = new MergePair();
        AggregateKey[] aggregates = [.. Enumerable.Range(0, 50).Select(i => TestStore.Aggregate("order", $"o-{i}"))];
        foreach (var aggregate in aggregates)
            await pair.FillAsync(aggregate, 3);
        var batch = pair.From.GetHistories([.. aggregates.Select(aggregate => (aggregate, 0UL))], 0);
        Assert.Equal(150, batch.Count);
        // One is there, one is archived, one was begun here as another one.
        await pair.PushAsync(aggregates[3]);
        await pair.PushAsync(aggregates[4]);
        await pair.To.ArchiveAsync(aggregates[4], null, default);
        await pair.FillAsync(aggregates[4], 1);
        var own = aggregates[49];
        await pair.To.AppendAsync(TestStore.Draft(own), default);

        await pair.AssertRefusedAsync(RefusalCode.Diverged, () => pair.To.MergeAsync(batch, default), "order/o-49");
        await pair.AssertRefusedAsync(
            RefusalCode.IntegrityViolation, () => pair.To.MergeAsync([.. batch.Take(147).Select((record, i) => i == 146 ? record with { Note = "changed" } : record)], default), "order/o-48");
        Assert.Equal(141, await pair.To.MergeAsync([.. batch.Take(147)], default));
        Assert.Equal(1, await pair.PushAsync(aggregates[4]));

        pair.AssertSame(aggregates[..49]);
    }

    [Fact]
    public async Task Histories_of_several_are_cut_where_the_page_is_full_and_pass_over_none_that_has_events()
    {
        await using var pair = new MergePair();
        AggregateKey[] aggregates = [.. Enumerable.Range(0, 7).Select(i => TestStore.Aggregate("order", $"o-{i}"))];
        foreach (var aggregate in aggregates)
            await pair.FillAsync(aggregate, 8, filler: 150_000);
        var reached = aggregates.ToDictionary(aggregate => aggregate, _ => 0UL);
        var nobody = TestStore.Aggregate("order", "nobody");
        var requests = 0;
        while (pair.From.GetHistories([(nobody, 0), (aggregates[0], ulong.MaxValue), .. aggregates.Select(aggregate => (aggregate, reached[aggregate]))], 23) is { Count: > 0 } page)
        {
            requests++;
            Assert.InRange(page.Count, 1, 23);
            Assert.InRange(page.Sum(record => (long)record.Payload.Length), 1, Limits.PageBytesMax + Limits.PayloadBytesMax);
            await pair.To.MergeAsync(page, default);
            foreach (var record in page)
                reached[record.Aggregate] = record.Version;
        }

        Assert.InRange(requests, 3, 6);
        pair.AssertSame(aggregates);
        Assert.Equal(RefusalCode.LimitExceeded, Answers.RefusalOf(() => pair.From.GetHistories([.. Enumerable.Repeat((nobody, 0UL), Limits.PageItemsMax + 1)], 1)).Code);
    }
}
