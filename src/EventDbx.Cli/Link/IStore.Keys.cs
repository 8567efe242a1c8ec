using EventDbx.Encryption;

namespace EventDbx.Cli;

/// <summary>The data key.</summary>
internal partial interface IStore
{
    /// <summary>Replaces the data key; goes on where the same was interrupted.</summary>
    /// <param name="next">The new key, which is kept safely already.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Interrupts it.</param>
    Task<KeyRotationResult> RotateKeyAsync(DataKey next, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation);
}
