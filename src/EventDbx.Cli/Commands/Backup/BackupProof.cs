using EventDbx.Backups;
using EventDbx.Verification;

namespace EventDbx.Cli.Commands.Backup;

/// <summary>What was proven of an archive.</summary>
/// <param name="Manifest">What it says of itself.</param>
/// <param name="Result">What the look at every hash came to.</param>
internal sealed record BackupProof(BackupManifest Manifest, VerifyAllResult Result)
{
    /// <summary>Whether the file is encrypted to a passphrase.</summary>
    public bool EncryptedTo { get; init; }

    /// <summary>Whether a key that is in the archive, where a restore looks for it, has opened the store; false where it is not encrypted.</summary>
    public bool HasKey { get; init; }

    /// <summary>Whether a restore needs nothing but the file, and its passphrase: what was not opened is not said to be restorable.</summary>
    public bool RestoresByItself => Manifest.Base is null && (!Manifest.Encrypted || (HasKey && Result.PayloadsChecked));
}
