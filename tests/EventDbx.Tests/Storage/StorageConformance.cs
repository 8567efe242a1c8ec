namespace EventDbx.Tests.Storage;

/// <summary>What every engine must do. Run on RocksDB and on the model.</summary>
public abstract class StorageConformance : IDisposable
{
    readonly Lazy<IStorageEngine> _engine;

    protected StorageConformance() => _engine = new(NewEngine);

    private protected abstract IStorageEngine NewEngine();

    private protected IStorageEngine Engine => _engine.Value;

    private protected Writer Writer => field ??= new(Engine);

    public virtual void Dispose()
    {
        if (_engine.IsValueCreated)
            Engine.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void A_row_that_was_put_is_read_back_byte_for_byte()
    {
        byte[] key = [0x00, 0xFF, 0x00], value = [0x00, 0x01, 0xFE, 0xFF, 0x00];

        Writer.Commit(plan => plan.Put(Family.Heads, key, value));

        using var view = Engine.OpenView();
        Assert.Equal(value, view.Get(Family.Heads, key));
    }

    [Fact]
    public void An_empty_value_is_a_value_and_not_an_absence()
    {
        Writer.Put(Family.Ids, "a", "");

        using var view = Engine.OpenView();
        Assert.Equal("", view.Text(Family.Ids, "a"));
        Assert.Null(view.Get(Family.Ids, "b"u8));
    }

    [Fact]
    public void An_empty_key_is_a_key()
    {
        Writer.Put(Family.Meta, "", "first");
        Writer.Put(Family.Meta, "a", "second");

        using var view = Engine.OpenView();
        Assert.Equal("first", view.Text(Family.Meta, ""));
        Assert.Equal("first,second", Values(view.Range(Family.Meta, [], [], 10, 1000)));
        Assert.Equal("second,first", Values(view.Range(Family.Meta, [], [], 10, 1000, backwards: true)));
    }

    [Fact]
    public void A_row_of_one_family_is_not_seen_in_another()
    {
        foreach (var family in Families.All)
            Writer.Put(family, "key", Families.NameOf(family));

        using var view = Engine.OpenView();
        foreach (var family in Families.All)
            Assert.Equal(Families.NameOf(family), view.Text(family, "key"));
    }

    [Fact]
    public void A_later_put_replaces_and_a_delete_removes()
    {
        Writer.Put(Family.State, "a", "old");
        Writer.Put(Family.State, "b", "old");
        Writer.Commit(plan =>
        {
            plan.Put(Family.State, "a"u8, "new"u8);
            plan.Delete(Family.State, "b"u8);
            plan.Delete(Family.State, "never there"u8);
        });

        using var view = Engine.OpenView();
        Assert.Equal("new", Values(view.Range(Family.State, [], [], 10, 1000)));
        Assert.Null(view.Get(Family.State, "b"u8));
    }

    [Fact]
    public void Within_one_plan_the_last_word_on_a_key_counts()
    {
        Writer.Commit(plan =>
        {
            plan.Put(Family.State, "a"u8, "1"u8);
            plan.Put(Family.State, "a"u8, "2"u8);
            plan.Put(Family.State, "b"u8, "1"u8);
            plan.Delete(Family.State, "b"u8);
            plan.Delete(Family.State, "c"u8);
            plan.Put(Family.State, "c"u8, "3"u8);
        });

        using var view = Engine.OpenView();
        Assert.Equal("2,3", Values(view.Range(Family.State, [], [], 10, 1000)));
    }

    [Fact]
    public void A_value_may_be_as_large_as_a_group()
    {
        var large = new byte[Limits.GroupBytesMax];
        new Random(1).NextBytes(large);

        Writer.Commit(plan => large.CopyTo(plan.Put(Family.Log, "large"u8, large.Length)));

        using var view = Engine.OpenView();
        Assert.Equal(large, view.Get(Family.Log, "large"u8));
    }

    [Fact]
    public void A_view_stays_as_it_was_while_writes_go_on()
    {
        Writer.Put(Family.Heads, "a", "1");
        Writer.Put(Family.State, "a", "1");
        using var before = Engine.OpenView();

        Writer.Commit(plan =>
        {
            plan.Put(Family.Heads, "a"u8, "2"u8);
            plan.Delete(Family.State, "a"u8);
            plan.Put(Family.State, "b"u8, "2"u8);
        });

        using var after = Engine.OpenView();
        Assert.Equal("1", before.Text(Family.Heads, "a"));
        Assert.Equal("1", Values(before.Range(Family.State, [], [], 10, 1000)));
        Assert.Equal([[.. "1"u8], null], before.GetMany(Family.State, [[.. "a"u8], [.. "b"u8]]));
        Assert.Equal("2", after.Text(Family.Heads, "a"));
        Assert.Equal("2", Values(after.Range(Family.State, [], [], 10, 1000)));
    }

    [Fact]
    public async Task A_reader_never_sees_half_a_plan()
    {
        Writer.Commit(plan => PutAll(plan, 0));
        using var done = new CancellationTokenSource();
        var reader = Task.Run(() =>
        {
            var seen = 0;
            while (!done.IsCancellationRequested)
            {
                using var view = Engine.OpenView();
                var values = Families.All.Select(family => BitConverter.ToInt32(view.Get(family, "key"u8))).Distinct().ToList();
                Assert.Single(values);
                Assert.True(values[0] >= seen);
                seen = values[0];
            }
        }, TestContext.Current.CancellationToken);

        for (var i = 1; i <= 500; i++)
            Writer.Commit(plan => PutAll(plan, i), sync: false);

        await done.CancelAsync();
        await reader;

        static void PutAll(WritePlan plan, int number)
        {
            foreach (var family in Families.All)
                plan.Put(family, "key"u8, BitConverter.GetBytes(number));
        }
    }

    [Theory]
    [InlineData("", "", 10, 1000, "a,b,c,d")]
    [InlineData("b", "", 10, 1000, "b,c,d")]
    [InlineData("aa", "", 10, 1000, "b,c,d")]
    [InlineData("", "c", 10, 1000, "a,b")]
    [InlineData("b", "d", 10, 1000, "b,c")]
    [InlineData("b", "b", 10, 1000, "")]
    [InlineData("c", "b", 10, 1000, "")]
    [InlineData("x", "", 10, 1000, "")]
    [InlineData("", "", 2, 1000, "a,b")]
    [InlineData("", "", 0, 1000, "")]
    [InlineData("", "", 10, 4, "a,b")]
    [InlineData("", "", 10, 5, "a,b")]
    [InlineData("", "", 10, 0, "a")]
    public void A_range_is_in_byte_order_within_its_bounds(string from, string to, int rowsMax, int bytesMax, string expected)
    {
        Fill();

        using var view = Engine.OpenView();
        Assert.Equal(expected, Values(view.Range(Family.Index, Writer.Bytes(from), Writer.Bytes(to), rowsMax, bytesMax)));
    }

    [Theory]
    [InlineData("", "", 10, 1000, "d,c,b,a")]
    [InlineData("b", "", 10, 1000, "d,c,b")]
    [InlineData("", "c", 10, 1000, "b,a")]
    [InlineData("", "cc", 10, 1000, "c,b,a")]
    [InlineData("b", "d", 10, 1000, "c,b")]
    [InlineData("b", "b", 10, 1000, "")]
    [InlineData("e", "", 10, 1000, "")]
    [InlineData("", "", 1, 1000, "d")]
    [InlineData("", "c", 1, 1000, "b")]
    [InlineData("", "", 10, 5, "d,c")]
    [InlineData("", "", 10, 0, "d")]
    public void A_range_backwards_begins_at_the_highest_key(string from, string to, int rowsMax, int bytesMax, string expected)
    {
        Fill();

        using var view = Engine.OpenView();
        var rows = view.Range(Family.Index, Writer.Bytes(from), Writer.Bytes(to), rowsMax, bytesMax, backwards: true);
        Assert.Equal(expected, Values(rows));
    }

    [Fact]
    public void A_range_orders_keys_as_unsigned_bytes_and_a_prefix_before_what_it_begins()
    {
        foreach (byte[] key in (byte[][])[[0x80], [0x7F], [0x7F, 0x00], [0xFF, 0xFF], [0xFF]])
            Writer.Commit(plan => plan.Put(Family.Tree, key, []));

        using var view = Engine.OpenView();
        var keys = view.Range(Family.Tree, [], [], 10, 1000).Select(row => Convert.ToHexString(row.Key));
        Assert.Equal("7F,7F00,80,FF,FFFF", string.Join(',', keys));
    }

    [Fact]
    public void One_view_answers_many_ranges_each_within_its_own_bounds()
    {
        Fill();

        using var view = Engine.OpenView();
        Assert.Equal("a", Values(view.Range(Family.Index, [], "b"u8, 10, 1000)));
        Assert.Equal("c,d", Values(view.Range(Family.Index, "c"u8, [], 10, 1000)));
        Assert.Equal("d,c,b,a", Values(view.Range(Family.Index, [], [], 10, 1000, backwards: true)));
        Assert.Equal("a,b,c,d", Values(view.Range(Family.Index, [], [], 10, 1000)));
    }

    [Fact]
    public void Many_values_come_in_the_order_of_their_keys_with_null_for_what_is_not_there()
    {
        Fill();

        using var view = Engine.OpenView();
        var values = view.GetMany(Family.Index, [[.. "c"u8], [.. "nothing"u8], [.. "a"u8], [.. "c"u8], []]);
        Assert.Equal([[.. "c"u8], null, [.. "a"u8], [.. "c"u8], null], values);
        Assert.Empty(view.GetMany(Family.Index, []));
    }

    [Fact]
    public void A_thousand_values_come_in_one_call()
    {
        Writer.Commit(plan =>
        {
            for (var i = 0; i < 2000; i += 2)
                plan.Put(Family.Log, Writer.Bytes($"{i:d8}"), BitConverter.GetBytes(i));
        });

        using var view = Engine.OpenView();
        var values = view.GetMany(Family.Log, [.. Enumerable.Range(0, 2000).Select(i => Writer.Bytes($"{i:d8}"))]);
        for (var i = 0; i < 2000; i++)
            Assert.Equal(i % 2 == 0 ? BitConverter.GetBytes(i) : null, values[i]);
    }

    [Fact]
    public void An_empty_plan_writes_nothing_and_is_asked_for_once()
    {
        Fill();
        var idle = new Scripted((_, _) => { }, believedLogSize: 999);

        Engine.Commit(idle, sync: true);

        Assert.Equal((1, 0), (idle.Plans, idle.Forgotten));
        Writer.Put(Family.Index, "e", "e");
    }

    [Fact]
    public void The_planner_sees_what_is_committed_and_not_what_it_plans()
    {
        Writer.Put(Family.Heads, "a", "1");

        string? seen = null, planned = null;
        Engine.Commit(new Scripted((view, plan) =>
        {
            plan.Put(Family.Heads, "b"u8, "2"u8);
            (seen, planned) = (view.Text(Family.Heads, "a"), view.Text(Family.Heads, "b"));
        }, Writer.LogSize), sync: true);

        Assert.Equal("1", seen);
        Assert.Null(planned);
    }

    [Fact]
    public void A_planner_on_a_base_that_moved_is_asked_to_forget_and_to_plan_again()
    {
        Writer.Put(Family.Heads, "a", "1");
        Writer.Put(Family.Heads, "a", "2");
        var stale = new Scripted(
            (view, plan) => plan.Put(Family.Heads, "seen"u8, view.Get(Family.Heads, "a"u8)), believedLogSize: 1, trueLogSize: 2);

        Engine.Commit(stale, sync: true);

        Assert.Equal((2, 1), (stale.Plans, stale.Forgotten));
        using var view = Engine.OpenView();
        Assert.Equal("2", view.Text(Family.Heads, "seen"));
    }

    [Fact]
    public void A_planner_that_never_finds_the_base_is_a_bug_and_writes_nothing()
    {
        Writer.Put(Family.Heads, "a", "1");
        var lost = new Scripted((_, plan) => plan.Put(Family.Heads, "a"u8, "2"u8), believedLogSize: 7, trueLogSize: 7);

        Assert.Throws<InvalidOperationException>(() => Engine.Commit(lost, sync: true));

        using var view = Engine.OpenView();
        Assert.Equal("1", view.Text(Family.Heads, "a"));
        Writer.Put(Family.Heads, "a", "3");
    }

    [Fact]
    public void A_planner_that_throws_writes_nothing_and_the_next_one_is_heard()
    {
        var broken = new Scripted((_, plan) =>
        {
            plan.Put(Family.Heads, "a"u8, "half"u8);
            throw new NotSupportedException();
        });

        Assert.Throws<NotSupportedException>(() => Engine.Commit(broken, sync: true));

        Writer.Put(Family.Heads, "b", "1");
        using var view = Engine.OpenView();
        Assert.Null(view.Get(Family.Heads, "a"u8));
    }

    [Fact]
    public void An_unsynced_commit_is_readable_at_once_and_can_be_synced_later()
    {
        Writer.Put(Family.Log, "a", "1", sync: false);

        using (var view = Engine.OpenView())
            Assert.Equal("1", view.Text(Family.Log, "a"));
        Engine.Sync();
        Engine.Sync();
    }

    void Fill()
    {
        foreach (var key in (string[])["c", "a", "d", "b"])
            Writer.Put(Family.Index, key, key);
    }

    static string Values(IEnumerable<Row> rows) => string.Join(',', rows.Select(row => Encoding.UTF8.GetString(row.Value)));
}

public sealed class MemoryEngineTests : StorageConformance
{
    private protected override IStorageEngine NewEngine() => new MemoryEngine();

    [Fact]
    public void After_a_power_cut_there_is_what_was_synced()
    {
        var engine = (MemoryEngine)Engine;
        Writer.Put(Family.Log, "a", "1", sync: true);
        Writer.Put(Family.Log, "b", "2", sync: false);

        using var view = engine.AfterPowerCut().OpenView();

        Assert.Equal("1", view.Text(Family.Log, "a"));
        Assert.Null(view.Get(Family.Log, "b"u8));
    }
}
