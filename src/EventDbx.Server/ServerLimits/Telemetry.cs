namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Series of one metric: a hundred routes with their statuses have a few hundred. More would be labels that are of no closed set.</summary>
    public const int MetricSeriesMax = 2_000;

    /// <summary>Warnings about slow requests in <see cref="SlowRequestWindow"/>; then their number is said. A disk that stands still makes every request slow.</summary>
    public const int SlowRequestLinesMax = 10;

    /// <summary>The window of <see cref="SlowRequestLinesMax"/>.</summary>
    public static readonly TimeSpan SlowRequestWindow = TimeSpan.FromMinutes(1);

    /// <summary>Between two exports of metrics to a collector: the default of OpenTelemetry.</summary>
    public static readonly TimeSpan TelemetryInterval = TimeSpan.FromSeconds(60);

    /// <summary>How long a stop lets the last metrics and traces leave.</summary>
    public static readonly TimeSpan TelemetryFlush = TimeSpan.FromSeconds(2);
}
