using EventDbx.Integrity;
using EventDbx.Server.Witness;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Checkpoints;

/// <summary>Sends checkpoints to the witnesses and keeps their cosignatures. No append ever waits for it.</summary>
/// <remarks>
/// In rounds: one checkpoint, every witness at once, so that cosignatures meet under one text. A round begins when somebody waits for a
/// quorum, when the log has a new checkpoint and the last round is <see cref="SubmitInterval"/> ago, and when it is time to ask a witness
/// again that failed. It ends with the last answer, or as soon as a quorum has cosigned: a slow witness is waited for by nobody else, its
/// answer is kept when it comes, and until then it is not asked again. Nothing but its own stop ends this: what one witness does is that
/// witness's trouble, and what the database cannot do now is tried again.
/// </remarks>
internal sealed class Cosigning : IAsyncDisposable
{
    /// <summary>Between rounds that nobody waits for. Every checkpoint that is sent is kept for good: a row of 1 KB.</summary>
    static readonly TimeSpan SubmitInterval = TimeSpan.FromSeconds(10);

    readonly Database _database;
    readonly int _quorum;
    readonly TimeSpan _patience;
    readonly TimeProvider _clock;
    readonly Action<LogLine>? _log;
    readonly HttpClient _http;
    readonly IReadOnlyList<WitnessCall> _calls;
    readonly CancellationTokenSource _stopping = new();
    readonly Lock _gate = new();
    readonly List<Task> _asking = [];
    readonly Task _running;
    TaskCompletionSource _wanted = New();
    TaskCompletionSource _changed = New();
    /// <summary>A witness has answered for an older checkpoint than the last round was about.</summary>
    TaskCompletionSource _late = New();
    ulong _wantedSize;
    string? _trouble;
    Round? _newest;
    (ulong Size, SignedNote Note)? _inQuorum;
    IReadOnlyList<string> _missing = [];

    /// <param name="database">Whose checkpoints.</param>
    /// <param name="witnesses">Who is asked.</param>
    /// <param name="quorum">How many of them a checkpoint needs for which somebody waits.</param>
    /// <param name="patience">How long that somebody waits.</param>
    /// <param name="clock">Measures pauses.</param>
    /// <param name="log">Told when a witness begins to fail, and when it is back.</param>
    public Cosigning(Database database, IReadOnlyList<WitnessAddress> witnesses, int quorum, TimeSpan patience, TimeProvider clock, Action<LogLine>? log)
    {
        (_database, _quorum, _patience, _clock, _log) = (database, quorum, patience, clock, log);
        _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, PooledConnectionIdleTimeout = WitnessLimits.RetryMax })
        {
            Timeout = WitnessLimits.AnswerTimeout, MaxResponseContentBufferSize = WitnessLimits.AnswerBytesMax,
        };
        var session = database.OpenSession();
        _calls = [.. witnesses.Select(witness => new WitnessCall(
            witness, _http, (from, to) => session.ProveLog(from, to).Path, clock))];
        _running = Task.Run(RunAsync);
    }

    /// <summary>How many witnesses there are.</summary>
    public int Witnesses => _calls.Count;

    /// <summary>What keeps witnesses from cosigning, each in a sentence; empty while all is well, or nothing was asked yet.</summary>
    public IReadOnlyList<WitnessTrouble> Troubles
    {
        get
        {
            lock (_gate)
            {
                return [
                    .. _trouble is { } trouble ? [new WitnessTrouble("", $"nothing is sent to witnesses just now: {trouble}", Contradicts: false)] : (WitnessTrouble[])[],
                    .. _calls.Where(call => call is { Failed: true, Problem: not null }).Select(call => new WitnessTrouble(call.Witness.Key.Name, call.Problem!, call.Contradicts))];
            }
        }
    }

    /// <summary>How many of them have signed a checkpoint.</summary>
    public int CountOf(SignedNote note) => _calls.Count(call => call.Witness.Key.GoodOf(note) is not null);

    /// <summary>A checkpoint of that many entries, or more, that a quorum has cosigned. Asks them now.</summary>
    /// <param name="note">The checkpoint that the caller has; the answer, where no quorum is wanted.</param>
    /// <param name="size">Its entries.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: it was not reached in time; names who is missing, and why.</exception>
    public async Task<SignedNote> InQuorumAsync(SignedNote note, ulong size, CancellationToken cancellation)
    {
        if (_quorum == 0 || CountOf(note) >= _quorum)
            return note;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _stopping.Token);
        using var timer = _clock.CreateTimer(_ => late.Cancel(), null, _patience, Timeout.InfiniteTimeSpan);
        try
        {
            Task? again = null;
            while (true)
            {
                Task changed;
                lock (_gate)
                {
                    if (_inQuorum is { } reached && reached.Size >= size)
                        return reached.Note;
                    _wantedSize = Math.Max(_wantedSize, size);
                    changed = _changed.Task;
                    // At once, and then not at every failure of a witness: one that is away would be asked without a pause.
                    if (again is null or { IsCompleted: true })
                    {
                        _wanted.TrySetResult();
                        again = Task.Delay(WitnessLimits.RetryFirst, _clock, late.Token);
                    }
                }

                await (await Task.WhenAny(changed, again).WaitAsync(late.Token).ConfigureAwait(false)).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            IReadOnlyList<string> missing;
            lock (_gate)
                missing = _trouble is null ? _missing : [.. _missing, $"nothing is sent to witnesses just now: {_trouble}"];
            throw new RefusedException(RefusalCode.Unavailable, FormattableString.Invariant(
                $"No checkpoint of {size} entries has {_quorum} cosignatures within {_patience.TotalSeconds:0.#} s. Missing: {string.Join("; ", missing)}. What was appended is kept all the same."));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Nobody begins to ask any more.
        await Task.WhenAll(_asking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _stopping.Dispose();
    }

    async Task RunAsync()
    {
        var sent = 0UL;
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                var wanted = await WorkAsync(sent).ConfigureAwait(false);
                sent = await RoundAsync(wanted).ConfigureAwait(false);
                Trouble(null);
            }
            catch (Exception cause) when (!_stopping.IsCancellationRequested)
            {
                // A full queue, a key that cannot be read just now: the next round tries again.
                Trouble(cause.Message.TrimEnd('.'));
                await Task.Delay(WitnessLimits.RetryFirst, _clock, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception)
            {
                return; // What fails while the server stops fails because it stops.
            }
        }
    }

    void Trouble(string? cause)
    {
        lock (_gate)
        {
            if (cause == _trouble)
                return;
            _trouble = cause;
        }

        if (cause is null)
            Tell(LogLevel.Information, "checkpoints are sent to witnesses again");
        else
            Tell(LogLevel.Error, $"No checkpoint is sent to witnesses just now: {cause}");
    }

    /// <summary>Waits until there is something to send; whether somebody waits for it.</summary>
    async Task<bool> WorkAsync(ulong sent)
    {
        Task wanted, late;
        lock (_gate)
            (wanted, late) = (_wanted.Task, _late.Task);
        using (var enough = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token))
        {
            List<Task> reasons = [wanted, late, GrowthAsync(sent, enough.Token)];
            if (sent > 0 && _calls.Where(call => call is { Busy: false, Problem: not null }).Select(call => (TimeSpan?)call.Pause).Min() is { } pause)
                reasons.Add(Task.Delay(pause, _clock, enough.Token));
            var first = await Task.WhenAny(reasons).ConfigureAwait(false);
            await enough.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(reasons[2..]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await first.ConfigureAwait(false);
        }

        _stopping.Token.ThrowIfCancellationRequested();
        lock (_gate)
        {
            if (_late.Task.IsCompleted)
                _late = New();
            if (!_wanted.Task.IsCompleted)
                return false;
            _wanted = New();
            return true;
        }
    }

    /// <summary>Until there is a checkpoint of more entries, and enough time has passed since the last round.</summary>
    async Task GrowthAsync(ulong sent, CancellationToken cancellation)
    {
        if (sent > 0)
            await Task.Delay(SubmitInterval, _clock, cancellation).ConfigureAwait(false);
        await _database.WaitForCheckpointAsync(sent, cancellation).ConfigureAwait(false);
    }

    /// <summary>One checkpoint to every witness that has not cosigned it and is not busy. Its size.</summary>
    async Task<ulong> RoundAsync(bool wanted)
    {
        ulong atLeast;
        lock (_gate)
            atLeast = _wantedSize;
        // Handed out: it leaves this machine, and so must be kept.
        var note = await _database.ReadCheckpointAsync(atLeast, handOut: true, _stopping.Token).ConfigureAwait(false);
        var size = Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint.Size : throw new InvalidOperationException("The database gave a checkpoint that is none.");
        var round = new Round(note, size);
        _asking.RemoveAll(asking => asking.IsCompleted);
        lock (_gate)
            _newest = round;
        List<Task> asked = [];
        foreach (var call in _calls.Where(call => !call.Busy))
        {
            if (call.Witness.Key.GoodOf(note) is not null)
                call.Succeed();
            else if (wanted || call.Pause == TimeSpan.Zero)
                asked.Add(AskAsync(call, round));
        }

        _asking.AddRange(asked);
        Publish(round);
        await Task.WhenAny(Task.WhenAll(asked), round.InQuorum).ConfigureAwait(false);
        return size;
    }

    /// <summary>One witness, one checkpoint.</summary>
    async Task AskAsync(WitnessCall call, Round round)
    {
        var (was, contradicted) = (call.Problem, call.Contradicts);
        await call.AskAsync(round.Note, round.Size, cosignature => KeepAsync(cosignature, round), _stopping.Token).ConfigureAwait(false);
        TellOf(call, was, contradicted);
        Publish(round);
        lock (_gate)
        {
            if (_newest!.Size > round.Size)
                _late.TrySetResult();
        }
    }

    /// <summary>Stored, and then counted. What others have signed meanwhile stays: the store puts them together.</summary>
    async Task KeepAsync(NoteSignature cosignature, Round round)
    {
        await _database.StoreCosignaturesAsync(SignedNote.Of(round.Note.Text, [cosignature])).ConfigureAwait(false);
        lock (_gate)
            round.Note = round.Note.With([cosignature]);
        Publish(round);
    }

    void Publish(Round round)
    {
        lock (_gate)
        {
            if (round == _newest)
                _missing = [.. _calls.Where(call => call.Witness.Key.GoodOf(round.Note) is null).Select(call => $"{call.Witness.Key.Name} ({call.Problem ?? "it has not answered yet"})")];
            if (_quorum > 0 && CountOf(round.Note) >= _quorum)
            {
                if (!(_inQuorum?.Size > round.Size))
                    _inQuorum = (round.Size, round.Note);
                round.Reached();
            }

            _changed.TrySetResult();
            _changed = New();
        }
    }

    void TellOf(WitnessCall call, string? was, bool contradicted)
    {
        var name = call.Witness.Key.Name;
        if (call.Problem is null && was is not null)
            Tell(LogLevel.Information, $"witness {name} cosigns");
        else if (call.Contradicts && !contradicted)
            Tell(LogLevel.Critical, $"witness {name} contradicts this log: {call.Problem}");
        else if (call.Problem is { } problem && problem != was)
            Tell(LogLevel.Warning, $"witness {name} has not cosigned: {problem}");
    }

    void Tell(LogLevel level, string message) => _log?.Invoke(new(Timestamp.From(_clock.GetUtcNow()), level, "witness", message));

    static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>One checkpoint, and what has been signed under it.</summary>
    sealed class Round(SignedNote note, ulong size)
    {
        readonly TaskCompletionSource _inQuorum = New();

        public SignedNote Note { get; set; } = note;

        public ulong Size => size;

        /// <summary>Completes once a quorum has cosigned it.</summary>
        public Task InQuorum => _inQuorum.Task;

        public void Reached() => _inQuorum.TrySetResult();
    }
}
