using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;

namespace EventDbx.Transfer;

/// <summary>How far an import is.</summary>
/// <param name="Lines">Lines taken up so far, empty ones aside.</param>
/// <param name="Appended">Of these, new events.</param>
/// <param name="Known">Of these, events that were there already.</param>
/// <param name="Bytes">Bytes of input read.</param>
public readonly record struct ImportProgress(long Lines, long Appended, long Known, long Bytes);

/// <summary>What an import did.</summary>
/// <param name="Lines">Lines taken up, empty ones aside.</param>
/// <param name="Appended">New events.</param>
/// <param name="Known">Events that were there already: nothing was written for them.</param>
/// <param name="NewHashes">Records without a salt, whose hash is therefore new.</param>
/// <param name="Aggregates">Aggregates that got a new event.</param>
/// <param name="Elapsed">From the first byte to the last commit.</param>
public sealed record ImportSummary(long Lines, long Appended, long Known, long NewHashes, int Aggregates, TimeSpan Elapsed);

/// <summary>A line that was refused. Everything before it is stored; run the import again once it is mended.</summary>
public sealed class ImportRefusedException(long line, Refusal refusal, ImportProgress stored)
    : Exception($"Line {line} was refused: {refusal.Message}")
{
    /// <summary>1 for the first line.</summary>
    public long Line { get; } = line;

    public Refusal Refusal { get; } = refusal;

    /// <summary>What stands before that line, and is stored.</summary>
    public ImportProgress Stored { get; } = stored;
}

/// <summary>Imports NDJSON: one append request or record a line, in order, in batches.</summary>
/// <remarks>
/// A second run of the same file adds nothing: lines without an event id get one derived from what they say and how often
/// the file has said it before. For that the import remembers some 60 bytes for each such line. An id belongs to what the
/// line says, not to the file: a second file that says the same adds nothing either.
/// </remarks>
/// <param name="target">Where they go, and whose events they become where a line names no actor.</param>
/// <param name="progress">Told after each batch.</param>
public sealed class Importer(IImportTarget target, IProgress<ImportProgress>? progress)
{
    /// <summary>Lines in one commit: large enough to share a sync, small enough to show progress.</summary>
    const int BatchLines = 500;

    const int BatchBytes = 4 * 1024 * 1024;

    readonly Dictionary<Hash32, int> _said = [];
    readonly HashSet<AggregateKey> _aggregates = [];
    readonly HashSet<(AggregateKey, Guid)> _idsOfBatch = [];
    readonly List<EventDraft> _drafts = [];
    readonly List<EventImport> _records = [];
    readonly List<long> _linesOfBatch = [];
    Stream _input = Stream.Null;
    long _start;
    int _batchBytes;
    long _lines, _appended, _known, _newHashes, _bytes;

    /// <exception cref="ImportRefusedException">The first line that was refused; all before it is stored.</exception>
    /// <exception cref="RefusedException">The database takes no writes.</exception>
    public async Task<ImportSummary> RunAsync(Stream input, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        (_input, _start) = (input, input.CanSeek ? input.Position : 0);
        var number = 0L;
        await foreach (var read in ReadLinesAsync(input, cancellation).ConfigureAwait(false))
        {
            number++;
            // A byte order mark is the editor's, not the line's.
            var line = number == 1 && read.Span.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]) ? read[3..] : read;
            if (!line.Span.ContainsAnyExcept(" \t\r"u8))
                continue;
            ImportLine parsed;
            try
            {
                parsed = ImportLine.Parse(line);
                parsed = parsed.NeedsId ? parsed.WithId(NextId(parsed.Draft!)) : parsed;
            }
            catch (RefusedException refused)
            {
                await FlushAsync(cancellation).ConfigureAwait(false);
                throw new ImportRefusedException(number, refused.Refusal, SoFar);
            }

            await AddAsync(parsed, number, line.Length, cancellation).ConfigureAwait(false);
        }

        await FlushAsync(cancellation).ConfigureAwait(false);
        if (_appended > 0)
            await NoteAsync(cancellation).ConfigureAwait(false);
        return new(_lines, _appended, _known, _newHashes, _aggregates.Count, Stopwatch.GetElapsedTime(started));
    }

    async Task NoteAsync(CancellationToken cancellation)
    {
        try
        {
            await target.NoteImportAsync(_lines, _appended, _known, cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.PermissionDenied)
        {
            // Who may only append leaves events and no note about them.
        }
    }

    ImportProgress SoFar => new(_lines, _appended, _known, _bytes);

    Guid NextId(EventDraft draft)
    {
        var content = ImportLine.ContentOf(draft);
        ref var said = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_said, content, out _);
        return ImportLine.DeriveId(content, ++said);
    }

    async Task AddAsync(ImportLine line, long number, int bytes, CancellationToken cancellation)
    {
        var draft = line.Draft ?? line.Record!.Draft;
        var otherKind = line.Draft is null ? _drafts.Count > 0 : _records.Count > 0;
        if (otherKind || _linesOfBatch.Count >= BatchLines || _batchBytes + bytes > BatchBytes || !_idsOfBatch.Add((draft.Aggregate, draft.EventId!.Value)))
        {
            await FlushAsync(cancellation).ConfigureAwait(false);
            _idsOfBatch.Add((draft.Aggregate, draft.EventId!.Value));
        }

        if (line.Draft is not null)
            _drafts.Add(line.Draft);
        else
            _records.Add(line.Record!);
        _linesOfBatch.Add(number);
        _batchBytes += bytes;
    }

    async Task FlushAsync(CancellationToken cancellation)
    {
        if (_linesOfBatch.Count == 0)
            return;
        try
        {
            await CommitAsync(_linesOfBatch.Count, cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (refused.Refusal.Operation is { } at)
        {
            // What stands before the refused line is sound: store it, so that the message can say so.
            if (at > 0)
                await CommitAsync(at, cancellation).ConfigureAwait(false);
            throw await RefusedAsync(at, refused.Refusal with { Message = refused.Refusal.Reason }, cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused) when (!refused.Refusal.Retryable && _linesOfBatch.Count == 1)
        {
            throw await RefusedAsync(0, refused.Refusal, cancellation).ConfigureAwait(false);
        }

        _drafts.Clear();
        _records.Clear();
        _linesOfBatch.Clear();
        _idsOfBatch.Clear();
        _batchBytes = 0;
        progress?.Report(SoFar);
    }

    /// <summary>A refused line; where it is a record whose id the file has given to an earlier one, that line is named as well.</summary>
    async Task<ImportRefusedException> RefusedAsync(int at, Refusal refusal, CancellationToken cancellation)
    {
        var line = _linesOfBatch[at];
        if (refusal.Code == RefusalCode.IdempotencyConflict && _records.Count > at && _input.CanSeek
            && await EarlierLine.FindAsync(_input, _start, _records[at].Draft, line, cancellation).ConfigureAwait(false) is { } earlier)
            refusal = refusal with { Message = $"{refusal.Message} Line {earlier} has the same id: lines {earlier} and {line} are two records of one event id, and one of them is not what was exported." };
        return new(line, refusal, SoFar);
    }

    async Task CommitAsync(int count, CancellationToken cancellation)
    {
        var drafts = _drafts.Count > 0;
        var isNew = drafts
            ? await target.TakeDraftsAsync(_drafts[..count], cancellation).ConfigureAwait(false)
            : await target.TakeRecordsAsync(_records[..count], cancellation).ConfigureAwait(false);
        for (var i = 0; i < count; i++)
        {
            _lines++;
            if (!isNew[i])
            {
                _known++;
                continue;
            }

            _appended++;
            _aggregates.Add(drafts ? _drafts[i].Aggregate : _records[i].Draft.Aggregate);
            if (!drafts && _records[i].Salt.Length == 0)
                _newHashes++;
        }
    }

    async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadLinesAsync(
        Stream input, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var reader = PipeReader.Create(input, new(bufferSize: 256 * 1024, leaveOpen: true));
        for (var number = 0L; ;)
        {
            // Not every stream can be interrupted while it has nothing to give: a terminal cannot.
            var read = await reader.ReadAsync(cancellation).AsTask().WaitAsync(cancellation).ConfigureAwait(false);
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                number++;
                var line = buffer.Slice(0, end).ToArray();
                _bytes += line.Length + 1;
                buffer = buffer.Slice(buffer.GetPosition(1, end));
                yield return line;
            }

            if (buffer.Length > Limits.ImportLineBytesMax)
            {
                await FlushAsync(cancellation).ConfigureAwait(false);
                throw new ImportRefusedException(number + 1, new(RefusalCode.LimitExceeded, $"The line has more than {Limits.ImportLineBytesMax} bytes."), SoFar);
            }

            if (read.IsCompleted)
            {
                if (buffer.Length > 0)
                {
                    _bytes += buffer.Length;
                    yield return buffer.ToArray();
                }

                break;
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }

        await reader.CompleteAsync().ConfigureAwait(false);
    }
}
