using System.IO.Pipelines;

namespace EventDbx.Transfer;

/// <summary>Looks in a file for the first record of an event id, once a later one was refused: an import does not remember all ids.</summary>
internal static class EarlierLine
{
    /// <param name="input">Read from <paramref name="start"/>; where it stands afterwards is not said.</param>
    /// <param name="start">Where the file begins.</param>
    /// <param name="draft">The record's aggregate and event id.</param>
    /// <param name="before">The line that was refused.</param>
    /// <returns>The number of the line, from 1; null when there is none before.</returns>
    public static async Task<long?> FindAsync(Stream input, long start, EventDraft draft, long before, CancellationToken cancellation)
    {
        input.Position = start;
        var reader = PipeReader.Create(input, new(bufferSize: 256 * 1024, leaveOpen: true));
        long? found = null;
        for (var number = 1L; found is null && number < before;)
        {
            var read = await reader.ReadAsync(cancellation).ConfigureAwait(false);
            var buffer = read.Buffer;
            while (found is null && number < before && System.Buffers.BuffersExtensions.PositionOf(buffer, (byte)'\n') is { } end)
            {
                if (Has(System.Buffers.BuffersExtensions.ToArray(buffer.Slice(0, end)), draft))
                    found = number;
                number++;
                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
            if (read.IsCompleted)
                break;
        }

        await reader.CompleteAsync().ConfigureAwait(false);
        return found;
    }

    static bool Has(ReadOnlyMemory<byte> line, EventDraft draft)
    {
        try
        {
            return line.Span.ContainsAnyExcept(" \t\r"u8)
                && ImportLine.Parse(line.Span.StartsWith((ReadOnlySpan<byte>)[0xef, 0xbb, 0xbf]) ? line[3..] : line).Record?.Draft is { } other
                && other.EventId == draft.EventId && other.Aggregate.Equals(draft.Aggregate);
        }
        catch (RefusedException)
        {
            return false;
        }
    }
}
