using EventDbx.Access;
using EventDbx.Encryption;

namespace EventDbx;

/// <summary>The verbs of whoever runs the database: tokens, keys, settings, documents. Each change leaves an entry in the log. Root only.</summary>
/// <remarks>A mirror's log is its leader's: there they work as well, and leave none.</remarks>
public sealed partial class Session
{
    /// <summary>Something was done to a token: it stands in the log, for the log is the audit trail.</summary>
    /// <param name="what">What.</param>
    /// <param name="token">The token's id.</param>
    /// <param name="body">Details as a JSON object, without secrets.</param>
    /// <remarks>A token that is revoked is dead in the same commit.</remarks>
    public Task NoteTokenAsync(TokenChange what, Guid token, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        DemandRoot("manage tokens");
        var note = new ControlOperation
        {
            Aggregate = ControlOperation.AboutTheDatabase, Actor = Actor, Origin = _origin, Kind = TokenChanges.NameOf(what), Subject = token.ToString("D"), Body = body.ToArray(),
        };
        var dead = what == TokenChange.Revoke ? new TokenOperation { Aggregate = ControlOperation.AboutTheDatabase, Token = token, Dead = true } : null;
        if (_database.Following is not null)
            return dead is null ? Task.CompletedTask : CommitAsync(new(dead), cancellation);
        return CommitAsync(dead is null ? new(note) : new(note, dead), cancellation);
    }

    /// <summary>A key was replaced: it stands in the log, as the control entry <c>key_change</c>.</summary>
    /// <param name="key">Which: the name of its setting.</param>
    /// <param name="body">Details as a JSON object, without secrets.</param>
    public Task NoteKeyAsync(string key, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        DemandRoot("replace keys");
        return _database.Following is not null ? Task.CompletedTask : CommitControlAsync(ControlKinds.KeyChange, key, body.ToArray(), cancellation);
    }

    /// <summary>The settings, or what is kept beside them, have changed: it stands in the log.</summary>
    /// <param name="what">What.</param>
    /// <param name="subject">Which: the name of a remote, of a plugin, or of the configuration.</param>
    /// <param name="body">Details as a JSON object, without secrets.</param>
    public Task NoteChangeAsync(SettingChange what, string subject, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        DemandRoot("change settings");
        return _database.Following is not null ? Task.CompletedTask : CommitControlAsync(SettingChanges.NameOf(what), subject, body.ToArray(), cancellation);
    }

    /// <summary>The control entry that stands behind the events of an import.</summary>
    public Task NoteImportAsync(long lines, long appended, long known, CancellationToken cancellation)
    {
        // It speaks of the whole database, in numbers that the caller gives.
        Demand(AccessAction.RecordsImport);
        if (!Grants.Unrestricted)
            throw new RefusedException(RefusalCode.PermissionDenied, "Only who may import everywhere leaves a note about an import.");
        _database.DemandLeads();
        var body = string.Create(System.Globalization.CultureInfo.InvariantCulture, $$"""{"lines":{{lines}},"appended":{{appended}},"known":{{known}}}""");
        return CommitControlAsync(ControlKinds.Import, _database.DatabaseId.ToString(), Encoding.UTF8.GetBytes(body), cancellation);
    }

    /// <summary>Replaces the data key while everything goes on; goes on with a replacement that was interrupted, given the same key.</summary>
    /// <param name="next">The new key. It must be kept safely before this is called. A copy is made.</param>
    /// <param name="progress">Told after each batch.</param>
    /// <param name="cancellation">Interrupts it between batches; the store is sound meanwhile, and opens with either key.</param>
    /// <exception cref="RefusedException">Not root; the store is plain; the key is the one it has, or not that of the replacement under way.</exception>
    public Task<KeyRotationResult> RotateKeyAsync(DataKey next, IProgress<KeyRotationProgress>? progress, CancellationToken cancellation)
    {
        DemandRoot("rotate the data key");
        return _database.RotateKeyAsync(Actor, _origin, next, progress, cancellation);
    }

    /// <summary>What tells the store's data key from another one.</summary>
    /// <exception cref="RefusedException">Not root.</exception>
    public StoreKeyIdentity FindKeyIdentity()
    {
        DemandRoot("ask for the check of the data key");
        return _database.KeyIdentity();
    }

    /// <summary>Goes on with a sealed document that is older than the newest one, or is gone; a control entry says so.</summary>
    /// <exception cref="RefusedException">Not root, or there is nothing to accept.</exception>
    public Task AcceptDocumentAsync(string name)
    {
        DemandRoot("accept an older document");
        return _database.AcceptDocumentAsync(Actor, _origin, name);
    }
}
