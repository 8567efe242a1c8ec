using EventDbx.Encryption;

namespace EventDbx.Tests.Encryption;

public sealed class NoncePoolTests
{
    [Fact]
    public void The_source_is_asked_once_for_many_takes_and_no_byte_is_given_twice()
    {
        var (asked, next) = (0, 0);
        var pool = new NoncePool(target =>
        {
            asked++;
            for (var i = 0; i < target.Length; i += 4)
                BitConverter.TryWriteBytes(target[i..], next++);
        });
        HashSet<int> seen = [];
        var taken = new byte[12];

        for (var take = 0; take < 1000; take++)
        {
            pool.Take(taken);
            for (var i = 0; i < taken.Length; i += 4)
                Assert.True(seen.Add(BitConverter.ToInt32(taken, i)));
        }

        Assert.Equal(3, asked);
    }

    [Fact]
    public void Takes_of_many_threads_are_all_different()
    {
        var pool = new NoncePool();
        var nonces = new UInt128[8][];

        Parallel.For(0, nonces.Length, thread =>
        {
            nonces[thread] = new UInt128[20_000];
            Span<byte> taken = stackalloc byte[16];
            for (var i = 0; i < nonces[thread].Length; i++)
            {
                pool.Take(taken[..12]);
                nonces[thread][i] = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(taken);
            }
        });

        var all = nonces.SelectMany(some => some).ToList();
        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.DoesNotContain(UInt128.Zero, all);
    }

    [Fact]
    public void A_source_that_fails_halfway_gives_nothing_and_is_asked_again()
    {
        var fails = true;
        var pool = new NoncePool(target =>
        {
            target[..100].Fill(7);
            if (fails)
                throw new IOException("no entropy");
            target.Fill(9);
        });
        var taken = new byte[32];

        Assert.Throws<IOException>(() => pool.Take(taken));
        Assert.Throws<IOException>(() => pool.Take(taken));
        fails = false;
        pool.Take(taken);

        Assert.All(taken, b => Assert.Equal(9, b));
    }

    [Fact]
    public void More_than_the_pool_holds_cannot_be_taken()
    {
        var pool = new NoncePool();

        pool.Take(new byte[NoncePool.PoolBytes]);
        pool.Take([]);
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Take(new byte[NoncePool.PoolBytes + 1]));
    }
}
