using EventDbx.Integrity;
using EventDbx.Server.Witness;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Checkpoints;

/// <summary>Sends checkpoints to the witnesses and keeps their cosignatures. No append ever waits for it.</summary>
/// <remarks>
/// In rounds: one checkpoint, every witness at once, so that cosignatures meet under one text. A round begins when somebody waits for a
/// quorum, when the log has a new checkpoint and the last round is <see cref="SubmitInterval"/> ago, and when it is time to ask a witness
/// again that failed.
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
    readonly Task _running;
    TaskCompletionSource _wanted = New();
    TaskCompletionSource _changed = New();
    ulong _wantedSize;
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
            while (true)
            {
                Task changed;
                lock (_gate)
                {
                    if (_inQuorum is { } reached && reached.Size >= size)
                        return reached.Note;
                    _wantedSize = Math.Max(_wantedSize, size);
                    _wanted.TrySetResult();
                    changed = _changed.Task;
                }

                await changed.WaitAsync(late.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            IReadOnlyList<string> missing;
            lock (_gate)
                missing = _missing;
            throw new RefusedException(RefusalCode.Unavailable, FormattableString.Invariant(
                $"No checkpoint of {size} entries has {_quorum} cosignatures within {_patience.TotalSeconds:0.#} s. Missing: {string.Join("; ", missing)}. What was appended is kept all the same."));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _http.Dispose();
        _stopping.Dispose();
    }

    async Task RunAsync()
    {
        var sent = 0UL;
        try
        {
            while (true)
            {
                var wanted = await WorkAsync(sent).ConfigureAwait(false);
                sent = await RoundAsync(wanted).ConfigureAwait(false);
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or RefusedException or ObjectDisposedException)
        {
            // The server stops, or its database has.
            if (!_stopping.IsCancellationRequested)
                Tell(LogLevel.Error, $"No checkpoint is sent to witnesses any more: {ended.Message}");
        }
    }

    /// <summary>Waits until there is something to send; whether somebody waits for it.</summary>
    async Task<bool> WorkAsync(ulong sent)
    {
        Task wanted;
        lock (_gate)
            wanted = _wanted.Task;
        using (var enough = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token))
        {
            List<Task> reasons = [wanted, GrowthAsync(sent, enough.Token)];
            if (sent > 0 && _calls.Where(call => call.Problem is not null).Select(call => (TimeSpan?)call.Pause).Min() is { } pause)
                reasons.Add(Task.Delay(pause, _clock, enough.Token));
            await (await Task.WhenAny(reasons).ConfigureAwait(false)).ConfigureAwait(false);
            await enough.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(reasons.Where(reason => reason != wanted)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _stopping.Token.ThrowIfCancellationRequested();
        lock (_gate)
        {
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

    /// <summary>One checkpoint to every witness that has not cosigned it. Its size.</summary>
    async Task<ulong> RoundAsync(bool wanted)
    {
        ulong atLeast;
        lock (_gate)
            atLeast = _wantedSize;
        // Handed out: it leaves this machine, and so must be kept.
        var note = await _database.ReadCheckpointAsync(atLeast, handOut: true, _stopping.Token).ConfigureAwait(false);
        var size = Checkpoint.TryParse(note.Text, out var checkpoint) ? checkpoint.Size : throw new InvalidOperationException("The database gave a checkpoint that is none.");
        var before = _calls.Where(call => call.Contradicts).ToHashSet();
        var asked = _calls.Where(call => call.Witness.Key.GoodOf(note) is null && (wanted || call.Pause == TimeSpan.Zero))
            .Select(call => (Call: call, Was: call.Problem, Answer: call.AskAsync(note, size, _stopping.Token))).ToList();
        Publish(note, size);
        await foreach (var answer in Task.WhenEach(asked.Select(one => one.Answer)).ConfigureAwait(false))
        {
            if (await answer.ConfigureAwait(false) is not { } cosignature)
                continue;
            note = note.With([cosignature]);
            await _database.StoreCosignaturesAsync(note).ConfigureAwait(false);
            Publish(note, size);
        }

        foreach (var (call, was, _) in asked)
            TellOf(call, was, before.Contains(call));
        Publish(note, size);
        return size;
    }

    void Publish(SignedNote note, ulong size)
    {
        lock (_gate)
        {
            _missing = [.. _calls.Where(call => call.Witness.Key.GoodOf(note) is null).Select(call => $"{call.Witness.Key.Name} ({call.Problem ?? "it has not answered yet"})")];
            if (_quorum > 0 && CountOf(note) >= _quorum && !(_inQuorum?.Size > size))
                _inQuorum = (size, note);
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
}
