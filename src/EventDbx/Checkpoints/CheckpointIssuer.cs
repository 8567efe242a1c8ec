namespace EventDbx.Checkpoints;

/// <summary>Signs checkpoints: of synced sizes only, growing, each continuing the one before, and never two of one size.</summary>
/// <remarks>
/// One signing at a time, shared by everybody who waits for one.
/// <code>
/// 1 the synced point      2 what was signed last is ours, and leads to it      3 signed      4 stored, synced      5 handed out
/// </code>
/// Until 4 nobody has seen it: a crash before takes it back, and the next one is made from what is there then. Where 2 fails, the log is
/// not the one that was signed, and nothing is signed any more until somebody has looked. Source: docs/proofs.md, "Checkpoints".
/// </remarks>
internal sealed class CheckpointIssuer(Database database, DatabaseOptions options) : IAsyncDisposable
{
    readonly Lock _gate = new();
    readonly CancellationTokenSource _stopping = new();
    volatile TaskCompletionSource _next = NewPromise();
    ICheckpointSigner? _signer;

    /// <summary>Null until the first signing has held what the store has against the key and the log.</summary>
    CheckpointRow? _newest;
    bool _handOutWanted;
    Task? _signing;
    Task _running = Task.CompletedTask;
    Refusal? _failure;
    string? _lastTrouble;

    /// <summary>Why no checkpoint is signed, in a sentence; null while all is well.</summary>
    public string? Trouble
    {
        get
        {
            lock (_gate)
                return _failure?.Message ?? _lastTrouble;
        }
    }

    /// <summary>Begins to sign by itself, where that was asked for.</summary>
    public void Start()
    {
        if (options is { CheckpointInterval: { } interval, Signer: not null })
            _running = Task.Run(() => RunAsync(interval));
    }

    /// <summary>Another epoch has begun, or the log is another one's from now on: what was the newest is so no more. On the writer.</summary>
    public void BeginEpoch() => Reload();

    /// <summary>What the leader signed, as far as it was verified here: a mirror says nothing of the log in its own name.</summary>
    SignedNote OfLeader(string leader, ulong atLeast)
    {
        var mirror = database.Standing.Mirror;
        return mirror?.Note is { } note && mirror.Checkpoint!.Size >= atLeast ? note : throw new RefusedException(
            RefusalCode.Unavailable,
            $"This database follows `{leader}`, which signs the checkpoints of this log; {(mirror?.Checkpoint is { } newest ? $"the newest one that has arrived is of {newest.Size} entries" : "none has arrived yet")}. Try again once the next one has, or ask `{leader}`.");
    }

    /// <summary>See <see cref="Database.ReadCheckpointAsync"/>.</summary>
    public async Task<SignedNote> ReadAsync(ulong atLeast, bool handOut, CancellationToken cancellation)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (database.Following is { } leader)
                return OfLeader(leader, atLeast);
            if (Newest is { } newest && newest.Size >= atLeast)
            {
                if (!handOut || newest.HandedOut)
                    return newest.Note;
                if (await TryHandOutAsync(newest, cancellation).ConfigureAwait(false) is { } note)
                    return note;
                Reload(); // A newer one has taken its place.
                continue;
            }

            if (atLeast == 0 && database.Loop.Synced.Size == 0)
                throw new RefusedException(RefusalCode.NotFound, "The log is empty: there is no checkpoint of nothing. Append an event first.");
            await database.Loop.WaitBeyondAsync(Math.Max(1, atLeast) - 1, cancellation).ConfigureAwait(false);
            await SignShared(handOut).WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>See <see cref="Database.WaitForCheckpointAsync"/>.</summary>
    public async Task WaitBeyondAsync(ulong size, CancellationToken cancellation)
    {
        while (true)
        {
            var next = _next;
            if (Newest?.Size > size)
                return;
            await next.Task.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>See <see cref="Database.StoreCosignaturesAsync"/>.</summary>
    public async Task StoreCosignaturesAsync(SignedNote note)
    {
        if (!Checkpoint.TryParse(note.Text, out var checkpoint))
            throw new RefusedException(RefusalCode.InvalidArgument, "The note is no checkpoint.");
        if (await CommitAsync(new() { Aggregate = ControlOperation.AboutTheDatabase, Epoch = database.Epoch, Checkpoint = checkpoint, Note = note }).ConfigureAwait(false) is { } refusal)
            throw new RefusedException(refusal);
        if (Newest is not null)
            Reload();
    }

    /// <summary>The key that is there, brought when it is first needed. None is made: whoever only reads leaves no key behind.</summary>
    public ICheckpointSigner Signer() => Signer(options.Signer);

    /// <summary>The key to sign with: of a log that has never signed anything it is made, where it is not there.</summary>
    ICheckpointSigner SignerToSign()
    {
        if (options.NewSigner is null)
            return Signer();
        using var view = database.Engine.OpenView();
        return Signer(view.Range(Family.Checkpoints, [0, 0], [], 1, int.MaxValue) is [] ? options.NewSigner : options.Signer);
    }

    /// <summary>The public key, after a look at whether it is the one that has signed.</summary>
    public string ReadKey(string origin)
    {
        if (database.Following is { } leader)
        {
            return database.Standing.Mirror is { Note: not null } mirror ? mirror.CheckpointKey : throw new RefusedException(
                RefusalCode.Unavailable, $"This database follows `{leader}`, which signs the checkpoints of this log; none has arrived yet, and with it the key.");
        }

        var signer = Signer();
        using var view = database.Engine.OpenView();
        return CheckpointRow.Newest(view, database.Epoch) is { } last && !signer.Verifies(last.Checkpoint.Origin, last.Note)
            ? throw new RefusedException(OtherKey(last))
            : signer.VerifierKey(origin);
    }

    static Refusal OtherKey(CheckpointRow last) => new(
        RefusalCode.Unavailable, $"The newest checkpoint, of {last.Size} entries, was not signed with the key that is here now. Put the key back that it was signed with.") { Final = true };

    ICheckpointSigner Signer(Func<ICheckpointSigner>? from)
    {
        lock (_gate)
        {
            if (_signer is { } signer)
                return signer;
            if (from is not { } bring)
                throw new RefusedException(new Refusal(RefusalCode.Unavailable, "There is no key to sign checkpoints with: this database was opened without one.") { Final = true });
            try
            {
                return _signer = bring();
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or FormatException or StoreRefusedException)
            {
                throw new RefusedException(RefusalCode.Unavailable, $"The key that signs checkpoints cannot be read: {cause.Message}");
            }
        }
    }

    /// <summary>Signs no more; what is being signed is waited for.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        Task? signing;
        lock (_gate)
            signing = _signing;
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (signing is not null)
            await signing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var promise = _next;
        if (promise.TrySetException(new RefusedException(RefusalCode.Unavailable, "The database was closed.")))
            _ = promise.Task.Exception;
        _stopping.Dispose();
    }

    /// <summary>Signs when the log grows, and then not again before the interval has passed. While nothing grows, nothing runs.</summary>
    async Task RunAsync(TimeSpan interval)
    {
        try
        {
            while (true)
            {
                await database.WaitUntilLeadingAsync(_stopping.Token).ConfigureAwait(false);
                await database.Loop.WaitBeyondAsync(Newest?.Size ?? 0, _stopping.Token).ConfigureAwait(false);
                try
                {
                    await SignShared(handOut: false).WaitAsync(_stopping.Token).ConfigureAwait(false);
                }
                catch (Exception cause) when (cause is not OperationCanceledException)
                {
                    // A full queue, a key that cannot be read just now, a signer that fails: the next round tries again, and health tells.
                    lock (_gate)
                    {
                        if (_failure is not null)
                            return;
                        if (database.Following is not null)
                            continue;
                        _lastTrouble = $"No checkpoint could be signed: {cause.Message}";
                    }
                }

                await Task.Delay(interval, database.Clock, _stopping.Token).ConfigureAwait(false);
            }
        }
        catch (Exception cause) when (cause is OperationCanceledException or RefusedException)
        {
            // The database closes, or its writer has stopped, which it says itself.
        }
    }

    Task SignShared(bool handOut)
    {
        lock (_gate)
        {
            _handOutWanted |= handOut;
            if (_signing is { IsCompleted: false } running)
                return running;
            if (_stopping.IsCancellationRequested)
                throw new RefusedException(RefusalCode.Unavailable, "The database is closing and signs no more checkpoints.");
            return _signing = Task.Run(SignAsync);
        }
    }

    async Task SignAsync()
    {
        database.DemandLeads();
        var signer = SignerToSign();
        if (Prepare(signer) is not { } operation)
            return;
        if (await CommitAsync(operation).ConfigureAwait(false) is { } refusal)
            throw Fail(refusal);
        Reload();
    }

    /// <summary>The next checkpoint, signed and not yet stored; null when the newest one covers all that is synced.</summary>
    CheckpointOperation? Prepare(ICheckpointSigner signer)
    {
        try
        {
            lock (_gate)
            {
                if (_failure is { } failed)
                    throw new RefusedException(failed);
            }

            // The point first: what is synced by now is in any view opened later.
            var point = database.Loop.Synced;
            using var view = database.Engine.OpenView();
            var last = CheckpointRow.Newest(view, database.Epoch);
            Check(signer, view, last, point);
            if (last?.Size == point.Size)
            {
                Reload(); // And not what this view has: somebody may have handed it out since.
                return null;
            }

            var checkpoint = new Checkpoint(database.LogOrigin, point.Size, point.Root);
            var note = SignedNote.Of(checkpoint.Text(), [signer.Sign(checkpoint.Origin, checkpoint.Text())]);
            if (!signer.Verifies(checkpoint.Origin, note))
                throw Fail(new(RefusalCode.Unavailable, "The key made a signature that it does not accept itself.") { Final = true });
            lock (_gate)
            {
                CheckpointOperation operation = new()
                {
                    Aggregate = ControlOperation.AboutTheDatabase, Epoch = database.Epoch, Checkpoint = checkpoint, Note = note, IsNew = true,
                    SignedAt = Timestamp.From(database.Clock.GetUtcNow()).Ticks100ns, HandOut = _handOutWanted,
                };
                _handOutWanted = false;
                return operation;
            }
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            throw Fail(refused.Refusal);
        }
    }

    /// <summary>What was signed last is ours, and the log as it is stored, read anew each time, leads from there to the point.</summary>
    void Check(ICheckpointSigner signer, IStorageView view, CheckpointRow? last, in LogPoint point)
    {
        if (last is null)
        {
            if (new LogNodes(view, point.Size).RootAt(point.Size) is var stored && stored != point.Root)
                throw Violation.Of($"The log's first {point.Size} entries are stored with root {stored}, but {point.Root} was committed.");
            return;
        }

        if (!signer.Verifies(last.Checkpoint.Origin, last.Note))
            throw Fail(OtherKey(last));
        if (last.Size > point.Size)
            throw Violation.Of($"A checkpoint of {last.Size} entries was signed, but the log has {point.Size}.");
        var path = last.Size == point.Size ? [] : new LogNodes(view, point.Size).Path(ProofPath.Consistency(last.Size, point.Size));
        if (!MerkleProof.Extends(last.Size, point.Size, last.Checkpoint.Root, point.Root, path))
            throw Violation.Of($"A checkpoint of {last.Size} entries with root {last.Checkpoint.Root} was signed, and the log of {point.Size} entries with root {point.Root} does not continue it.");
    }

    /// <summary>The checkpoint with its mark that it was handed out, stored; null when it is there no more.</summary>
    async Task<SignedNote?> TryHandOutAsync(CheckpointRow row, CancellationToken cancellation)
    {
        var marking = CommitAsync(new() { Aggregate = ControlOperation.AboutTheDatabase, Epoch = row.Epoch, Checkpoint = row.Checkpoint, Note = row.Note, HandOut = true });
        if (await marking.WaitAsync(cancellation).ConfigureAwait(false) is { } refusal)
            return refusal.Code == RefusalCode.NotFound ? null : throw new RefusedException(refusal);
        Reload();
        return Newest is { } newest && newest.Size == row.Size ? newest.Note : row.Note;
    }

    async Task<Refusal?> CommitAsync(CheckpointOperation operation)
    {
        var commit = new PendingCommit(operation);
        var outcomes = await database.Loop.CommitAsync(commit).ConfigureAwait(false);
        return commit.Refused ? outcomes[0].Refusal : null;
    }

    public CheckpointRow? Newest
    {
        get
        {
            lock (_gate)
                return _newest;
        }
    }

    /// <summary>Takes the newest from the store. Behind the gate, so that nobody puts back what they read before somebody else.</summary>
    void Reload()
    {
        lock (_gate)
        {
            using var view = database.Engine.OpenView();
            var newest = CheckpointRow.Newest(view, database.Epoch);
            var grown = newest?.Size > (_newest?.Size ?? 0);
            (_newest, _lastTrouble) = (newest, null);
            if (!grown)
                return;
            var promise = _next;
            _next = NewPromise();
            promise.TrySetResult();
        }
    }

    RefusedException Fail(Refusal why)
    {
        lock (_gate)
            _failure ??= why with { Message = $"No checkpoint is signed any more. {why.Message}" };
        return new(_failure.Value);
    }

    static TaskCompletionSource NewPromise() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
