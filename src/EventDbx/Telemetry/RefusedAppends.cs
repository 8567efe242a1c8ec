namespace EventDbx.Telemetry;

/// <summary>Appends that were refused, by code: by the caller's session or by the writer, counted where the caller is told.</summary>
internal sealed class RefusedAppends
{
    readonly long[] _counts = new long[Enum.GetValues<RefusalCode>().Length];

    /// <summary>For the filter of a catch: counts, and catches nothing.</summary>
    /// <param name="refused">What the caller is told.</param>
    /// <param name="appends">How many: a batch is refused as a whole.</param>
    public bool Note(RefusedException refused, int appends)
    {
        Interlocked.Add(ref _counts[(int)refused.Refusal.Code], appends);
        return false;
    }

    public long Of(RefusalCode code) => Interlocked.Read(ref _counts[(int)code]);
}
