using System.Buffers;

namespace EventDbx.Server.Rest;

/// <summary>An answer of lines: one for each step of something long, and a last one, <c>{"result":…}</c> or <c>{"error":…}</c>.</summary>
internal static class StepLines
{
    /// <summary>Runs it. What is refused before the first step is an answer of its own; after it the status says nothing of the end.</summary>
    /// <param name="call">Whose token is watched meanwhile.</param>
    /// <param name="steps">Begun when it is enumerated.</param>
    /// <param name="write">Writes a step without a line's end, or nothing for one that need not be told.</param>
    /// <param name="writeResult">Writes the value of <c>result</c>.</param>
    public static async Task AnswerAsync<T>(RestCall call, Func<CancellationToken, IAsyncEnumerable<T>> steps, Action<IBufferWriter<byte>, T> write, Action<IBufferWriter<byte>> writeResult)
    {
        call.WatchToken();
        var run = steps(call.Cancellation).GetAsyncEnumerator(call.Cancellation);
        await using (run.ConfigureAwait(false))
        {
            var (more, refused) = await NextAsync(call, run).ConfigureAwait(false);
            if (refused is { } atOnce)
                throw new RefusedException(atOnce);
            using var answer = new Answer(call.Http) { ContentType = Answer.JsonLines, Cancellation = call.Cancellation };
            try
            {
                while (more)
                {
                    var line = new ArrayBufferWriter<byte>();
                    write(line, run.Current);
                    if (line.WrittenCount > 0)
                    {
                        answer.Output.Write(line.WrittenSpan);
                        answer.Output.Write("\n"u8);
                        await answer.SendAsync().ConfigureAwait(false);
                    }

                    (more, refused) = await NextAsync(call, run).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (call.Withdrawn is { } withdrawn)
            {
                refused = withdrawn.Refusal;
            }

            answer.Cancellation = call.Http.RequestAborted;
            if (refused is { } why)
            {
                answer.Output.Write("{\"error\":"u8);
                RestRefusals.Write(answer.Output, why);
            }
            else
            {
                answer.Output.Write("{\"result\":"u8);
                writeResult(answer.Output);
            }

            answer.Output.Write("}\n"u8);
            await answer.EndAsync().ConfigureAwait(false);
        }
    }

    static async Task<(bool More, Refusal? Refused)> NextAsync<T>(RestCall call, IAsyncEnumerator<T> run)
    {
        try
        {
            return (await run.MoveNextAsync().ConfigureAwait(false), null);
        }
        catch (RefusedException refused)
        {
            return (false, refused.Refusal);
        }
        catch (OperationCanceledException) when (call.Withdrawn is { } withdrawn)
        {
            return (false, withdrawn.Refusal);
        }
    }
}
