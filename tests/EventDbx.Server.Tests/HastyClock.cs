namespace EventDbx.Server.Tests;

/// <summary>The system's clock for what waits, with everything that many times sooner: the date stays what it is.</summary>
/// <remarks>What may take seconds keeps one of them: a connection, or a thread, on a machine with much else to do takes a good part of it.</remarks>
internal sealed class HastyClock(int times) : TimeProvider
{
    static readonly TimeSpan Seconds = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Least = TimeSpan.FromSeconds(1);

    public override long GetTimestamp() => System.GetTimestamp() * times;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Sooner(dueTime), Sooner(period));

    TimeSpan Sooner(TimeSpan time)
    {
        if (time <= TimeSpan.Zero)
            return time;
        var sooner = time / times;
        return time >= Seconds && sooner < Least ? Least : sooner;
    }
}
