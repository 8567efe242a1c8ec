using System.Net;
using EventDbx.Server.Admin;

namespace EventDbx.Server.Tests.Admin;

/// <summary>What a wrong key costs, and whom.</summary>
/// <remarks>How many wrong keys are looked at is counted in the whole process, so those who send many do it one after the other.</remarks>
[Collection("Wrong admin keys")]
[CiTier("It waits for limits of time, one after the other.")]
public sealed class KeyGateTests
{
    static readonly string Hash = AdminServer.HashOf("key");
    static readonly IPAddress One = IPAddress.Parse("192.0.2.1"), Other = IPAddress.Parse("192.0.2.2");

    readonly ManualClock _clock = new(DateTimeOffset.UnixEpoch.AddYears(50));
    readonly List<LogLine> _lines = [];
    readonly MasterKeyGate _gate;

    public KeyGateTests() => _gate = new(_clock, _lines.Add);

    async Task<RefusalCode?> TryAsync(string key, IPAddress? from = null, string? hash = null)
    {
        try
        {
            await _gate.AdmitAsync(hash ?? Hash, key, from ?? One, TestContext.Current.CancellationToken);
            return null;
        }
        catch (RefusedException refused)
        {
            return refused.Refusal.Code;
        }
    }

    [Fact]
    public async Task After_ten_wrong_keys_those_of_the_address_wait_in_line_and_one_after_every_pause_does_not()
    {
        for (var i = 0; i < ServerLimits.AdminFailuresMax; i++)
            Assert.Equal(RefusalCode.Unauthenticated, await TryAsync($"wrong {i}"));
        // In line they are looked at, and make no lines of the log.
        Assert.Equal(RefusalCode.Unauthenticated, await TryAsync("wrong"));
        Assert.Equal(ServerLimits.AdminFailuresMax, _lines.Count);

        // The line is full: the rest is not looked at.
        var crowd = Enumerable.Range(0, 3 * ServerLimits.AdminLateMax).Select(i => TryAsync($"wrong {i}")).ToList();
        Assert.Contains(crowd, one => one is { IsCompletedSuccessfully: true, Result: RefusalCode.TooManyRequests });
        // Others are not held back.
        Assert.Null(await TryAsync("key", Other));
        Assert.Contains(crowd, one => !one.IsCompleted);
        var answers = await Task.WhenAll(crowd);
        Assert.True(answers.Count(answer => answer == RefusalCode.Unauthenticated) <= ServerLimits.AdminLateMax, "More were looked at than the line has room for.");
        Assert.All(answers, answer => Assert.True(answer is RefusalCode.Unauthenticated or RefusalCode.TooManyRequests));

        _clock.Now += ServerLimits.AdminFailurePause;
        Assert.Equal(RefusalCode.Unauthenticated, await TryAsync("still wrong"));
        Assert.Equal(RefusalCode.Unauthenticated, await TryAsync("still wrong"));
        Assert.Equal(ServerLimits.AdminFailuresMax + 1, _lines.Count);
        Assert.All(_lines, line => Assert.Equal("a wrong admin key from 192.0.2.1", line.Message));
    }

    [Fact]
    public async Task The_right_key_gets_in_while_its_address_goes_on_sending_wrong_ones()
    {
        for (var i = 0; i <= ServerLimits.AdminFailuresMax; i++)
            await TryAsync($"wrong {i}");
        using var stop = new CancellationTokenSource();
        var flood = Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            while (!stop.IsCancellationRequested)
                await TryAsync($"wrong {i}");
        }));

        Assert.Null(await TryAsync("key"));
        // And once it was right, it does not even wait in line, however long ago that was.
        _clock.Now += TimeSpan.FromDays(1);
        for (var i = 0; i <= ServerLimits.AdminFailuresMax; i++)
            await TryAsync($"wrong {i}");
        var crowd = Enumerable.Range(0, 3 * ServerLimits.AdminLateMax).Select(i => TryAsync($"wrong {i}")).ToList();
        Assert.Null(await TryAsync("key"));
        Assert.Contains(crowd, one => !one.IsCompleted);

        await stop.CancelAsync();
        await flood;
        await Task.WhenAll(crowd);
    }

    [Fact]
    public async Task Another_key_is_another_beginning()
    {
        for (var i = 0; i <= ServerLimits.AdminFailuresMax; i++)
            await TryAsync($"wrong {i}");
        var count = _lines.Count;

        Assert.Null(await TryAsync("new", hash: AdminServer.HashOf("new")));
        Assert.Equal(RefusalCode.Unauthenticated, await TryAsync("wrong", hash: AdminServer.HashOf("new")));
        // It counts, so it was not in line.
        Assert.Equal(count + 1, _lines.Count);
    }

    [Fact]
    public async Task A_right_key_is_known_for_a_minute_and_only_against_the_hash_it_was_right_for()
    {
        Assert.Null(await TryAsync("key"));
        for (var i = 0; i <= ServerLimits.AdminFailuresMax; i++)
            await TryAsync($"wrong {i}");

        // Known, so it is not held back by what others send from the same address.
        Assert.Null(await TryAsync("key"));
        Assert.Null(await TryAsync(" key\n"));
        Assert.Equal(RefusalCode.Unauthenticated, await TryAsync("key", Other, hash: AdminServer.HashOf("other")));
        _clock.Now += ServerLimits.AdminKeyKnownFor;
        Assert.Null(await TryAsync("key"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    public async Task Nothing_is_never_the_key(string key) => Assert.Equal(RefusalCode.Unauthenticated, await TryAsync(key));

    [Fact]
    public async Task A_key_that_is_longer_than_a_key_may_be_is_not_looked_at()
    {
        Assert.Equal(RefusalCode.Unauthenticated, await TryAsync(new string('k', ServerLimits.AdminKeyMax + 1)));
        Assert.Empty(_lines);
        Assert.Equal(RefusalCode.Unauthenticated, await TryAsync(new string('k', ServerLimits.AdminKeyMax)));
        Assert.Single(_lines);
    }

    [Fact]
    public void Addresses_are_forgotten_when_their_time_is_over_and_never_more_than_so_many_are_kept()
    {
        var failures = new FailureCount(_clock);
        for (var i = 0; i < ServerLimits.AdminAddressesMax + 100; i++)
            failures.Note(new IPAddress([10, 1, (byte)(i >> 8), (byte)i]), Hash);
        Assert.Equal(ServerLimits.AdminAddressesMax, failures.Count);
        // Those that had no room share a count.
        Assert.True(failures.WaitOf(IPAddress.Parse("203.0.113.9"), Hash) > TimeSpan.Zero);
        Assert.Equal(TimeSpan.Zero, failures.WaitOf(new IPAddress([10, 1, 0, 0]), Hash));

        _clock.Now += TimeSpan.FromHours(1);
        failures.Note(IPAddress.Parse("203.0.113.9"), Hash);
        Assert.Equal(1, failures.Count);
    }

    [Fact]
    public void Of_IPv6_a_network_counts_as_one_and_an_IPv4_address_in_it_as_itself()
    {
        var failures = new FailureCount(_clock);
        for (var i = 0; i < ServerLimits.AdminFailuresMax; i++)
            failures.Note(IPAddress.Parse($"2001:db8:0:1::{i + 1:x}"), Hash);

        Assert.True(failures.WaitOf(IPAddress.Parse("2001:db8:0:1:ffff::1"), Hash) > TimeSpan.Zero);
        Assert.Equal(TimeSpan.Zero, failures.WaitOf(IPAddress.Parse("2001:db8:0:2::1"), Hash));
        failures.Note(IPAddress.Parse("::ffff:192.0.2.1"), Hash);
        Assert.Equal(2, failures.Count);
        failures.Note(One, Hash);
        Assert.Equal(2, failures.Count);
    }
}
