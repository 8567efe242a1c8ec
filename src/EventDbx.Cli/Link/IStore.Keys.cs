using EventDbx.Encryption;

namespace EventDbx.Cli;

/// <summary>Who has the store open, and what tells its data key from another one.</summary>
/// <param name="Key">From the store itself.</param>
/// <param name="ByServer">Whether a server has it; otherwise this process.</param>
/// <param name="ConfigFile">The configuration that the server was started with; null where it has none, as one that is embedded.</param>
internal sealed record KeyHolder(StoreKeyIdentity Key, bool ByServer, string? ConfigFile);

/// <summary>The data key.</summary>
internal partial interface IStore
{
    /// <summary>What the store, and who has it open, say of its data key.</summary>
    Task<KeyHolder> FindKeyHolderAsync(CancellationToken cancellation);

    /// <summary>Replaces the data key; goes on where the same was interrupted.</summary>
    /// <param name="next">The new key, which is kept safely already.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Interrupts it.</param>
    Task<KeyRotationResult> RotateKeyAsync(DataKey next, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation);
}
