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
        try
        {
            using var reader = _database.OpenReader();
            return QuickVerify.Run(reader, _database.Keyring, aggregate) ?? throw NotFound(aggregate);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            NoteFinding(aggregate, refused);
            throw;
        }
    }

    /// <summary>It is remembered, and nobody goes on with a verify that may have been past it.</summary>
    void NoteFinding(AggregateKey? aggregate, RefusedException refused)
    {
        _database.Health.Found(aggregate, refused.Message);
        new VerifyBookmark(_database.Documents, _database.Identity).Clear();
    }

    VerifyResult VerifyFullAndRelease(AggregateKey aggregate, CancellationToken cancellation)
    {
        try
        {
            var before = _database.Health.Count;
            using var view = _database.Engine.OpenScan();
            var result = new AggregateVerifier(view, _database.Keyring, AggregateRows.Of(view, aggregate)).VerifyOnly(aggregate, cancellation);
            _database.Health.FoundNothing(aggregate, before);
            return result ?? throw NotFound(aggregate);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            NoteFinding(aggregate, refused);
            throw;
        }
        finally
        {
            FullVerifies.Release();
        }
    }

    /// <summary>Verifies the whole database as it is at this moment, while writes go on. Waits while two others run.</summary>
    /// <param name="progress">Told after each page of rows.</param>
    /// <param name="cancellation">Ends it between pages of rows. Aggregates that were finished by then are noted.</param>
    /// <param name="resume">
    /// Go on with one that was interrupted, if there is one of this epoch: aggregates that it had finished are read again in
    /// full only where something was committed of them since; of the others heads and hashes are
    /// (<see cref="VerifyAllResult.Resumed"/>). Everything else is verified as ever.
    /// </param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>, naming what differs and where. Nothing is repaired.</exception>
    public VerifyAllResult VerifyAll(IProgress<VerifyProgress>? progress, CancellationToken cancellation, bool resume = false)
    {
        Demand(AccessAction.LogRead);
        FullVerifies.Wait(cancellation);
        return VerifyAllAndRelease(resume, progress, cancellation);
    }

    /// <summary>The same without holding a thread while it waits for its turn.</summary>
    public async Task<VerifyAllResult> VerifyAllAsync(IProgress<VerifyProgress>? progress, CancellationToken cancellation, bool resume = false)
    {
        Demand(AccessAction.LogRead);
        await FullVerifies.WaitAsync(cancellation).ConfigureAwait(false);
        return await Task.Run(() => VerifyAllAndRelease(resume, progress, cancellation), CancellationToken.None).ConfigureAwait(false);
    }

    VerifyAllResult VerifyAllAndRelease(bool resume, IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        try
        {
            var before = _database.Health.Count;
            var result = StoreVerifier.Run(_database.VerifySource, resume, progress, cancellation);
            _database.Health.FoundNothing(before, result.Resumed?.Last);
            return result;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            NoteFinding(null, refused);
            throw;
        }
        finally
        {
            FullVerifies.Release();
        }
    }
}
