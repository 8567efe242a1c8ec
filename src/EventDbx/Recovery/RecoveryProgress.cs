namespace EventDbx.Recovery;

/// <summary>How far a restore or a rebuild is.</summary>
/// <param name="Step">What is being counted, as in <c>entries written</c>; one step follows the other.</param>
/// <param name="Done">Of <paramref name="Total"/>.</param>
/// <param name="Total">0 where it is not known beforehand.</param>
public readonly record struct RecoveryProgress(string Step, ulong Done, ulong Total)
{
    /// <summary>The same for a verify that is part of it.</summary>
    internal static IProgress<Verification.VerifyProgress>? OfVerify(IProgress<RecoveryProgress>? progress) => progress is null ? null : new Verify(progress);

    sealed class Verify(IProgress<RecoveryProgress> progress) : IProgress<Verification.VerifyProgress>
    {
        public void Report(Verification.VerifyProgress value) => progress.Report(new(
            value.Phase switch
            {
                Verification.VerifyPhase.Files => "files verified",
                Verification.VerifyPhase.Log => "entries verified",
                Verification.VerifyPhase.Aggregates => "events verified",
            },
            value.Done, value.Total));
    }
}
