namespace EventDbx.Server.Plugins;

/// <summary>What became of hand-overs to one plugin since the server was started, through all changes of it.</summary>
internal sealed class PluginFigures
{
    long _taken;
    long _refused;
    long _down;

    /// <summary>Events that were taken, sent again or not.</summary>
    public long Taken => Interlocked.Read(ref _taken);

    /// <summary>Tries of an event that it refused.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Hand-overs that found it down.</summary>
    public long Down => Interlocked.Read(ref _down);

    public void Count(int taken, DeliveryFailure? failure)
    {
        Interlocked.Add(ref _taken, taken);
        if (failure is { IsRefusal: true })
            Interlocked.Increment(ref _refused);
        else if (failure is not null)
            Interlocked.Increment(ref _down);
    }
}
