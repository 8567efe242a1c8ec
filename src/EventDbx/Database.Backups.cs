using EventDbx.Backups;

namespace EventDbx;

/// <summary>Backups: a second directory with what is committed by now, while everything goes on.</summary>
public sealed partial class Database
{
    readonly SemaphoreSlim _backingUp = new(1, 1);

    /// <summary>The data directory, absolute; empty without one.</summary>
    public string Directory => _store is null ? "" : Path.GetFullPath(_options.Directory);

    /// <summary>Takes one; what is written of it later is what was committed at a moment of this call.</summary>
    internal async Task<StagedBackup> BackUpAsync(BackupRequest request, CancellationToken cancellation)
    {
        if (_store is null || _documents is null)
            throw new RefusedException(RefusalCode.InvalidArgument, "A database without a directory cannot be backed up.");
        if (_loop.Failure is { } failure)
        {
            throw new RefusedException(new Refusal(RefusalCode.Unavailable,
                $"The writer has stopped ({failure.Message}), so that what is in memory may not be what is on disk. Stop the process, open the database again, which checks that, and back it up then.") { Final = true });
        }

        if (request.Since is { } since && since.DatabaseId != DatabaseId)
            throw new RefusedException(RefusalCode.InvalidArgument, $"The backup {since.Base.BackupId} is of database {since.DatabaseId}, and this is {DatabaseId}: nothing of it can be referred to.");
        if (request.Since?.Base.Depth > Limits.BackupChainMax)
        {
            throw new RefusedException(RefusalCode.LimitExceeded,
                $"The backup {request.Since.Base.BackupId} stands on {request.Since.Base.Depth - 1} others, and an incremental one stands on at most {Limits.BackupChainMax}: what is made against it could not be restored. Make a whole one, and the next ones against that.");
        }

        // One at a time: each reads the disk as fast as it can.
        if (!await _backingUp.WaitAsync(Limits.BackupTurnWait, cancellation).ConfigureAwait(false))
            throw new RefusedException(RefusalCode.Overloaded, "Another backup is under way, and one is taken at a time. Try again when it is done.");
        try
        {
            var (stage, manifest) = await Task.Run(() => Take(request), CancellationToken.None).ConfigureAwait(false);
            return new(stage, manifest, new Turn(_backingUp));
        }
        catch
        {
            _backingUp.Release();
            throw;
        }
    }

    (BackupStage Stage, BackupManifest Manifest) Take(BackupRequest request)
    {
        var begun = Timestamp.From(Clock.GetUtcNow());
        var directory = Path.GetFullPath(_options.Directory);
        // Wherever the data key came from, it is known by now.
        var secrets = request.Keys ? SecretTexts.None : new([.. request.Secrets(), .. _keys?.Texts ?? []]);
        var stage = new BackupStage(directory, request, secrets);
        try
        {
            (StoreRow Row, MerkleTree Log)? taken = null;
            _documents!.WhileUnchanged(TellOfDocument, () =>
            {
                taken = stage.TakeStore(_store!.Engine);
                stage.TakeDocuments();
            });
            stage.TakeTheRest();
            // Behind the store and every key file: a data key that it was sealed with is still in there, as the older one.
            var config = request.ReadConfig(secrets);
            if (config is not null)
                stage.TakeContent(BackupPath.Config, config.Content);
            stage.List(request.Since);
            var (row, log) = taken!.Value;
            return (stage, Describe(stage, row, log, config, request, begun, directory));
        }
        catch (StorageFailedException cause)
        {
            stage.Dispose();
            throw new RefusedException(RefusalCode.Unavailable, cause.Message);
        }
        catch
        {
            stage.Dispose();
            throw;
        }
    }

    BackupManifest Describe(BackupStage stage, StoreRow row, MerkleTree log, BackupConfig? config, BackupRequest request, Timestamp begun, string directory)
    {
        Span<byte> random = stackalloc byte[16];
        Nonces.Take(random);
        return new()
        {
            Version = BackupManifest.CurrentVersion, BackupId = EventIds.New(begun, random[..10]), CreatedAt = begun.ToString(), CreatedBy = request.CreatedBy,
            StorageFormat = row.Format, DatabaseId = row.DatabaseId, Epoch = row.Epoch, LogSize = log.Size, LogRoot = log.Root().ToString(), Encrypted = row.Encrypted,
            Keys = config is { HasKeys: true } || stage.HoldsKeyOf(row) ? BackupManifest.KeysIncluded : BackupManifest.KeysLeftOut,
            Standing = row.Mirror ? BackupManifest.Mirror : BackupManifest.Leader,
            DataDir = directory, ConfigPath = config?.Path, Unhealthy = Unhealthy,
            Base = request.Since?.Base,
            LeftOut = [.. stage.LeftOut, .. config?.Blanked is { } blanked ? [new BackupOmission(BackupPath.Config, blanked)] : (BackupOmission[])[], .. request.LeftOut], Files = stage.Files,
        };
    }

    /// <summary>The store knows of a document when this returns.</summary>
    void TellOfDocument(string name, DocumentRow row) =>
        _loop.CommitAsync(new(new DocumentOperation { Aggregate = ControlOperation.AboutTheDatabase, Name = name, Row = row })).GetAwaiter().GetResult();

    sealed class Turn(SemaphoreSlim turns) : IDisposable
    {
        public void Dispose() => turns.Release();
    }
}
