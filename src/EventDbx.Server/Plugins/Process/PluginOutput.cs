using System.Buffers;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Plugins.Process;

/// <summary>What a plugin says on its standard streams, as lines of the log: bounded in length and number, without control characters.</summary>
internal sealed class PluginOutput(string label, PluginSurroundings surroundings)
{
    const string Source = "plugin";

    readonly Lock _gate = new();
    long _windowFrom;
    int _lines;
    long _leftOut;

    /// <summary>Reads lines until the stream ends.</summary>
    /// <param name="stream">Which.</param>
    /// <param name="name"><c>stdout</c>, <c>stderr</c>.</param>
    /// <param name="first">The byte that was read of it already, if one was.</param>
    public async Task ReadAsync(Stream stream, string name, ReadOnlyMemory<byte> first = default)
    {
        var buffer = new byte[4096];
        ArrayBufferWriter<byte> line = new(256);
        if (!first.Span.SequenceEqual("\n"u8))
            line.Write(first.Span);
        var isCut = false;
        while (await stream.ReadAsync(buffer).ConfigureAwait(false) is > 0 and var read)
        {
            var rest = buffer.AsMemory(0, read);
            while (!rest.IsEmpty)
            {
                var end = rest.Span.IndexOf((byte)'\n');
                var part = end < 0 ? rest : rest[..end];
                var room = Math.Min(part.Length, ServerLimits.ProcessLineBytesMax - line.WrittenCount);
                line.Write(part.Span[..room]);
                isCut |= room < part.Length;
                if (end < 0)
                    break;
                Tell(name, line, isCut);
                line.ResetWrittenCount();
                isCut = false;
                rest = rest[(end + 1)..];
            }
        }

        Tell(name, line, isCut);
    }

    void Tell(string name, ArrayBufferWriter<byte> line, bool isCut)
    {
        var text = Encoding.UTF8.GetString(line.WrittenSpan).Trim();
        if (text.Length == 0)
            return;
        long leftOut;
        lock (_gate)
        {
            var now = surroundings.Clock.GetTimestamp();
            leftOut = 0;
            if (_lines == 0 || surroundings.Clock.GetElapsedTime(_windowFrom, now) >= ServerLimits.ProcessLineWindow)
                (_windowFrom, _lines, leftOut, _leftOut) = (now, 0, _leftOut, 0);
            if (++_lines > ServerLimits.ProcessLinesMax)
            {
                _leftOut++;
                return;
            }
        }

        if (leftOut > 0)
            Say(LogLevel.Warning, FormattableString.Invariant($"{label}: {leftOut} lines of its output were left out"));
        Say(LogLevel.Information, $"{label} {name}: {Plain(text)}{(isCut ? "…" : "")}");
    }

    public void Say(LogLevel level, string message, Exception? failure = null) =>
        surroundings.Log?.Invoke(new(Timestamp.From(surroundings.Clock.GetUtcNow()), level, Source, message, failure));

    static string Plain(string text) => text.AsSpan().IndexOfAnyInRange('\0', '\u001f') < 0 && text.AsSpan().IndexOfAnyInRange('\u007f', '\u009f') < 0 ? text
        : string.Create(text.Length, text, static (plain, text) =>
        {
            for (var i = 0; i < plain.Length; i++)
                plain[i] = char.IsControl(text[i]) ? text[i] == '\t' ? ' ' : '\ufffd' : text[i];
        });
}
