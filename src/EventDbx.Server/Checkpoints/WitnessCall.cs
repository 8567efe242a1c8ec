using System.Globalization;
using System.Net;
using EventDbx.Integrity;
using EventDbx.Server.Witness;

namespace EventDbx.Server.Checkpoints;

/// <summary>Asks one witness to cosign, and remembers how far it has come.</summary>
/// <remarks>One request at a time. C2SP tlog-witness; the size that a witness knows is learned from its refusal.</remarks>
/// <param name="witness">Whom.</param>
/// <param name="http">With a timeout of <see cref="WitnessLimits.AnswerTimeout"/>.</param>
/// <param name="prove">A consistency proof from the first size to the second.</param>
/// <param name="clock">Measures pauses.</param>
internal sealed class WitnessCall(WitnessAddress witness, HttpClient http, Func<ulong, ulong, IReadOnlyList<Hash32>> prove, TimeProvider clock)
{
    ulong _known;
    TimeSpan _pause = WitnessLimits.RetryFirst;
    long _failedAt;
    volatile bool _busy;

    public WitnessAddress Witness => witness;

    /// <summary>Why there is no cosignature under the newest checkpoint it was asked for, for the end of a sentence; null while there is one.</summary>
    public string? Problem { get; private set; } = "it was not asked yet";

    /// <summary>Whether it contradicts what this server says, which no waiting mends.</summary>
    public bool Contradicts { get; private set; }

    /// <summary>Whether the last attempt failed; false before the first.</summary>
    public bool Failed => _failedAt != 0;

    /// <summary>Whether it is being asked right now; a slow one may still be when the next round begins.</summary>
    public bool Busy => _busy;

    /// <summary>How long from now until it is worth asking again; zero unless the last attempt failed.</summary>
    public TimeSpan Pause
    {
        get
        {
            if (Problem is null || _failedAt == 0)
                return TimeSpan.Zero;
            var left = _pause - clock.GetElapsedTime(_failedAt);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Gets its cosignature and keeps it. Where there is none, or it could not be kept, <see cref="Problem"/> says why.</summary>
    /// <param name="note">The checkpoint.</param>
    /// <param name="size">Its entries.</param>
    /// <param name="keep">Takes a cosignature that is good.</param>
    /// <param name="cancellation">The server stops: the only thing that this throws for. A witness may answer whatever it likes.</param>
    public async Task AskAsync(SignedNote note, ulong size, Func<NoteSignature, Task> keep, CancellationToken cancellation)
    {
        _busy = true;
        try
        {
            // One deadline for both requests: the size it knows may have to be learned first.
            using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            late.CancelAfter(WitnessLimits.AnswerTimeout);
            await keep(await SubmitAsync(note, size, learn: true, late.Token).ConfigureAwait(false)).ConfigureAwait(false);
            Succeed();
        }
        catch (Exception failure) when (!cancellation.IsCancellationRequested)
        {
            Contradicts = failure is WitnessFailedException { Contradicts: true };
            _pause = Problem is null || _failedAt == 0 ? WitnessLimits.RetryFirst : TimeSpan.FromTicks(Math.Min(_pause.Ticks * 2, WitnessLimits.RetryMax.Ticks));
            Problem = failure switch
            {
                OperationCanceledException => string.Create(CultureInfo.InvariantCulture, $"no answer within {WitnessLimits.AnswerTimeout.TotalSeconds:0} s"),
                _ => failure.GetBaseException().Message.TrimEnd('.'),
            };
            _failedAt = clock.GetTimestamp();
        }
        finally
        {
            _busy = false;
        }
    }

    /// <summary>Its cosignature is under the newest checkpoint, now or from before the server was started.</summary>
    public void Succeed() => (Problem, Contradicts, _pause, _failedAt) = (null, false, WitnessLimits.RetryFirst, 0);

    async Task<NoteSignature> SubmitAsync(SignedNote note, ulong size, bool learn, CancellationToken cancellation)
    {
        if (_known > size)
            throw Ahead(_known, size);
        var proof = _known == 0 || _known == size ? [] : prove(_known, size);
        using var content = new ByteArrayContent(WitnessRequest.Write(_known, proof, note));
        using var answer = await http.PostAsync(witness.AddCheckpoint, content, cancellation).ConfigureAwait(false);
        // UTF-8, whatever it says that it sends: a name of a character set that nobody knows is no reason to fail.
        var body = Encoding.UTF8.GetString(await answer.Content.ReadAsByteArrayAsync(cancellation).ConfigureAwait(false));
        switch (answer.StatusCode)
        {
            case HttpStatusCode.OK:
                if (!SignedNote.TryParseLines(body, out var lines) || witness.Key.GoodOf(note.Text, lines) is not { } cosignature)
                    throw new WitnessFailedException("it answered without a good cosignature of the key that `log.witnesses` names");
                _known = size;
                return cosignature;
            case HttpStatusCode.Conflict when WholeNumber.TryRead(body.TrimEnd('\n'), out var known):
                if (known == _known && known == size)
                    throw new WitnessFailedException(FormattableString.Invariant($"it has cosigned another root for {size} entries: this log has two histories")) { Contradicts = true };
                if (known > size)
                    throw Ahead(known, size);
                if (!learn || known == _known)
                    throw new WitnessFailedException(FormattableString.Invariant($"it says that it knows {known} entries, and refuses a proof from there"));
                _known = known;
                return await SubmitAsync(note, size, learn: false, cancellation).ConfigureAwait(false);
            case HttpStatusCode.UnprocessableEntity:
                throw new WitnessFailedException(FormattableString.Invariant(
                    $"it does not accept that the log of {size} entries continues the one of {_known} that it has cosigned")) { Contradicts = true };
            case HttpStatusCode.NotFound:
                throw new WitnessFailedException("it does not know this log; give it the key that `dbx log key` prints");
            case HttpStatusCode.Forbidden:
                throw new WitnessFailedException("it knows another key for this log than the one that signs here");
            default:
                throw new WitnessFailedException(FormattableString.Invariant($"it answered {(int)answer.StatusCode}: {Rest.Shown.Of(body.Trim())}"));
        }
    }

    static WitnessFailedException Ahead(ulong known, ulong size) => new(FormattableString.Invariant(
        $"it has cosigned {known} entries of this log, and here are {size}: the log was rolled back, or the data directory is an old copy")) { Contradicts = true };

    /// <summary>A witness that did not cosign, and why.</summary>
    sealed class WitnessFailedException(string message) : Exception(message)
    {
        public bool Contradicts { get; init; }
    }
}
