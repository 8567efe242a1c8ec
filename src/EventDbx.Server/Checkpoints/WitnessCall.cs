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

    public WitnessAddress Witness => witness;

    /// <summary>Why there is no cosignature under the newest checkpoint it was asked for, for the end of a sentence; null while there is one.</summary>
    public string? Problem { get; private set; } = "it was not asked yet";

    /// <summary>Whether it contradicts what this server says, which no waiting mends.</summary>
    public bool Contradicts { get; private set; }

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

    /// <summary>The cosignature; null when there is none, and then <see cref="Problem"/> says why.</summary>
    public async Task<NoteSignature?> AskAsync(SignedNote note, ulong size, CancellationToken cancellation)
    {
        try
        {
            var cosignature = await SubmitAsync(note, size, learn: true, cancellation).ConfigureAwait(false);
            (Problem, Contradicts, _pause, _failedAt) = (null, false, WitnessLimits.RetryFirst, 0);
            return cosignature;
        }
        catch (Exception failure) when (failure is WitnessFailedException or HttpRequestException or IOException or RefusedException
            || (failure is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            Contradicts = failure is WitnessFailedException { Contradicts: true };
            _pause = Problem is null || _failedAt == 0 ? WitnessLimits.RetryFirst : TimeSpan.FromTicks(Math.Min(_pause.Ticks * 2, WitnessLimits.RetryMax.Ticks));
            Problem = failure switch
            {
                OperationCanceledException => string.Create(CultureInfo.InvariantCulture, $"no answer within {WitnessLimits.AnswerTimeout.TotalSeconds:0} s"),
                _ => failure.GetBaseException().Message.TrimEnd('.'),
            };
            _failedAt = clock.GetTimestamp();
            return null;
        }
    }

    async Task<NoteSignature> SubmitAsync(SignedNote note, ulong size, bool learn, CancellationToken cancellation)
    {
        if (_known > size)
            throw Ahead(_known, size);
        var proof = _known == 0 || _known == size ? [] : prove(_known, size);
        using var content = new ByteArrayContent(WitnessRequest.Write(_known, proof, note));
        using var answer = await http.PostAsync(witness.AddCheckpoint, content, cancellation).ConfigureAwait(false);
        var body = await answer.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
        switch (answer.StatusCode)
        {
            case HttpStatusCode.OK:
                if (!SignedNote.TryParseLines(body, out var lines) || witness.Key.GoodOf(note.Text, lines) is not { } cosignature)
                    throw new WitnessFailedException("it answered without a good cosignature of the key that `log.witnesses` names");
                _known = size;
                return cosignature;
            case HttpStatusCode.Conflict when ulong.TryParse(body.TrimEnd('\n'), NumberStyles.None, CultureInfo.InvariantCulture, out var known):
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
