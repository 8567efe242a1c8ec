using System.Text;
using EventDbx.Events;
using EventDbx.Integrity;
using EventDbx.Reading;

namespace EventDbx.Tests.Engine;

public sealed class AppendTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_appended_event_is_there_after_a_reopen_with_its_hash_root_and_state(bool encrypted)
    {
        using var store = new TestStore();
        var order = TestStore.Aggregate();
        EventRecord first, second;
        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession(new Actor("cli", "jane"));
            first = (await session.AppendAsync(TestStore.Draft(order), default)).Record;
            second = (await session.AppendAsync(TestStore.Draft(order, """{"status":"paid","total":1.50}""", "paid"), default)).Record;
        }

        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession();
            var state = session.GetAggregate(order);
            Assert.Equal("""{"status":"paid","total":"1.50"}""", state.StateAsJson());
            Assert.Equal("""{"status":"paid","total":1.50}""", state.StateAsJson(typed: true));
            Assert.Equal(2UL, state.Version);
            Assert.Equal(second.MerkleRoot, state.MerkleRoot);
            Assert.Equal(MerkleNode.Join(first.Hash, second.Hash), state.MerkleRoot);
            Assert.Equal("""{"status":"new"}""", session.GetAggregate(order, 1).StateAsJson());
            var page = session.GetEvents(order, 1, 10);
            Assert.Equal([first.Hash, second.Hash], page.Items.Select(e => e.Hash));
            Assert.Equal("jane", page.Items[0].Actor!.User);
            Assert.Equal([1UL, 2UL], session.ReadFeed(0, 10, includeControl: true).Items.Select(i => i.Position));
            Assert.Equal("o-1", Assert.Single(session.GetAggregates(new AggregateFilter(), null, 0, 10).Items).Aggregate.Id);
        }
    }

    [Fact]
    public async Task Sixteen_writers_on_one_directory_leave_no_gap()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            await Task.WhenAll(Enumerable.Range(0, 16).Select(writer => Task.Run(async () =>
            {
                for (var i = 0; i < 100; i++)
                    await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{(writer + i) % 7}"), $$"""{"writer":{{writer}},"i":{{i}}}"""), default);
            })));
            Assert.Equal(1600UL, database.LogSize);
        }

        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            Assert.Equal(1600UL, database.LogSize);
            ulong after = 0, seen = 0;
            while (session.ReadFeed(after, 100, includeControl: true) is { Items.Count: > 0 } page)
            {
                foreach (var item in page.Items)
                    Assert.Equal(++seen, item.Position);
                after = page.ReachedPosition;
            }

            Assert.Equal(1600UL, seen);
        }
    }
}
