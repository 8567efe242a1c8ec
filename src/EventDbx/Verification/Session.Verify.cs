using EventDbx.Access;
using EventDbx.Verification;

namespace EventDbx;

/// <summary>The verbs that trust nothing.</summary>
public sealed partial class Session
{
    /// <summary>At most two at once in a process, long proofs among them: each keeps a core busy, and the writer needs one.</summary>
    static readonly SemaphoreSlim FullVerifies = new(2, 2);

    /// <summary>Verifies one aggregate, archived or not, as it is now.</summary>
    /// <param name="aggregate">Which.</param>
    /// <param name="level">How deep. A full verify reads the whole history, and waits while two others run.</param>
    /// <param name="cancellation">Ends it between pages of events.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.NotFound"/>; or <see cref="RefusalCode.IntegrityViolation"/>, naming the first version or row
    /// that is not what was committed, and what differs. Nothing is repaired.
    /// </exception>
    public VerifyResult Verify(AggregateKey aggregate, VerifyLevel level, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        DemandSight(aggregate);
        cancellation.ThrowIfCancellationRequested();
        if (level == VerifyLevel.Quick)
            return VerifyQuick(aggregate);
        FullVerifies.Wait(cancellation);
        return VerifyFullAndRelease(aggregate, cancellation);
    }

    /// <summary>The same without holding a thread while it waits for its turn.</summary>
    public async Task<VerifyResult> VerifyAsync(AggregateKey aggregate, VerifyLevel level, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        DemandSight(aggregate);
        if (level == VerifyLevel.Quick)
            return VerifyQuick(aggregate);
        await FullVerifies.WaitAsync(cancellation).ConfigureAwait(false);
        return await Task.Run(() => VerifyFullAndRelease(aggregate, cancellation), CancellationToken.None).ConfigureAwait(false);
    }

    VerifyResult VerifyQuick(AggregateKey aggregate)
    {
        using var reader = _database.OpenReader();
        return QuickVerify.Run(reader, _database.Keyring, aggregate) ?? throw NotFound(aggregate);
    }

    VerifyResult VerifyFullAndRelease(AggregateKey aggregate, CancellationToken cancellation)
    {
        try
        {
            using var view = _database.Engine.OpenScan();
            return new AggregateVerifier(view, _database.Keyring, AggregateRows.Of(view, aggregate)).VerifyOnly(aggregate, cancellation)
                ?? throw NotFound(aggregate);
        }
        finally
        {
            FullVerifies.Release();
        }
    }

    /// <summary>Verifies the whole database as it is at this moment, while writes go on. Waits while two others run.</summary>
    /// <param name="progress">Told after each page of rows.</param>
    /// <param name="cancellation">Ends it between pages of rows.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>, naming what differs and where. Nothing is repaired.</exception>
    public VerifyAllResult VerifyAll(IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        Demand(AccessAction.LogRead);
        FullVerifies.Wait(cancellation);
        return VerifyAllAndRelease(progress, cancellation);
    }

    /// <summary>The same without holding a thread while it waits for its turn.</summary>
    public async Task<VerifyAllResult> VerifyAllAsync(IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        Demand(AccessAction.LogRead);
        await FullVerifies.WaitAsync(cancellation).ConfigureAwait(false);
        return await Task.Run(() => VerifyAllAndRelease(progress, cancellation), CancellationToken.None).ConfigureAwait(false);
    }

    VerifyAllResult VerifyAllAndRelease(IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            return StoreVerifier.Run(_database, progress, cancellation);
        }
        finally
        {
            FullVerifies.Release();
        }
    }
}
