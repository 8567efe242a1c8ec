using System.Text;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands;

/// <summary>Where a proof goes: to standard output, or whole into a file.</summary>
internal static class ProofOutput
{
    /// <summary>Where proofs go; without it, to standard output.</summary>
    public static Option<string> File { get; } = Options.Text("--output", "FILE", "Write it there, for its owner only, and only when it is whole (default: standard output).", "-o");

    /// <param name="call">The command.</param>
    /// <param name="proof">JSON, which goes on to the byte: a payload in it is what was hashed.</param>
    /// <param name="path">The file; null: standard output.</param>
    public static async Task WriteAsync(Call call, ReadOnlyMemory<byte> proof, string? path)
    {
        if (path is null or "-")
        {
            var text = Encoding.UTF8.GetString(proof.Span);
            // It cannot be escaped: then it would prove nothing.
            if (call.Shell.OutIsTerminal && text.Any(PlainText.Steers))
                throw new UsageException($"the event holds characters that steer a terminal, and a proof shows it to the byte; write it into a file with `{File.Name} FILE`.");
            await call.Shell.Out.WriteAsync(text + "\n").ConfigureAwait(false);
            return;
        }

        var target = Transfer.ExportTarget.Whole(call.Shell.Resolve(path));
        DurableFile.Write(target, [.. proof.Span, (byte)'\n']);
        await call.NoteAsync($"wrote {path}").ConfigureAwait(false);
    }
}
