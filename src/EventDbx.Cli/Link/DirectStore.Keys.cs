using EventDbx.Encryption;

namespace EventDbx.Cli;

/// <summary>The data key, in this process.</summary>
internal sealed partial class DirectStore
{
    public Task<KeyHolder> FindKeyHolderAsync(CancellationToken cancellation) => Task.FromResult(new KeyHolder(session.FindKeyIdentity(), ByServer: false, ConfigFile: null));

    public Task<KeyRotationResult> RotateKeyAsync(DataKey next, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation) =>
        session.RotateKeyAsync(next, progress, cancellation);
}
