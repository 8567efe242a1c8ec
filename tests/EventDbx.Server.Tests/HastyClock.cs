namespace EventDbx.Server.Tests;

/// <summary>The system's clock for what waits, with everything that many times sooner: the date stays what it is.</summary>
internal sealed class HastyClock(int times) : TimeProvider
{
    public override long GetTimestamp() => System.GetTimestamp() * times;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        System.CreateTimer(callback, state, Sooner(dueTime), Sooner(period));

    TimeSpan Sooner(TimeSpan time) => time > TimeSpan.Zero ? time / times : time;
}
