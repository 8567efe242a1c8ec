namespace EventDbx.Server.Tests.Plugins;

/// <summary>A clock by which everything is that many times sooner, but for how long a plugin has to say hello: interpreters start slowly on a busy machine.</summary>
internal sealed class PluginClock(int times) : TimeProvider
{
    const int Patience = 10;

    public override long GetTimestamp() => System.GetTimestamp() * times;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => System.CreateTimer(
        callback, state, dueTime == ServerLimits.ProcessHelloTimeout ? dueTime * Patience : dueTime > TimeSpan.Zero ? dueTime / times : dueTime, period > TimeSpan.Zero ? period / times : period);
}
