using System.IO.Pipelines;
using EventDbx.Backups;
using EventDbx.Server;

namespace EventDbx.Cli.Commands.Backup;

/// <summary>Passes an archive on and reads it in passing, to its end: what is no whole backup is not taken for one, whoever sent it.</summary>
/// <remarks>That a body has ended proves nothing: a proxy on the way may take a server that was killed for one that has said all.</remarks>
internal sealed class CheckedArchive : CountingStream
{
    /// <summary>Bytes that may wait to be read, above which whoever writes waits.</summary>
    const int Ahead = 1024 * 1024;

    const int Piece = 64 * 1024;

    readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: Ahead, resumeWriterThreshold: Ahead / 2, useSynchronizationContext: false));
    readonly Task<BackupManifest> _reading;

    /// <param name="output">Where it goes. It is not closed.</param>
    public CheckedArchive(Stream output) : base(output) =>
        _reading = Task.Factory.StartNew(Read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        base.Write(buffer);
        if (_reading.IsFaulted)
            throw NotWhole();
        while (!buffer.IsEmpty)
        {
            var piece = buffer[..Math.Min(buffer.Length, Piece)];
            piece.CopyTo(_pipe.Writer.GetSpan(piece.Length));
            _pipe.Writer.Advance(piece.Length);
            _pipe.Writer.FlushAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
            buffer = buffer[piece.Length..];
        }
    }

    /// <summary>All of it has been written; its manifest.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: it is not whole.</exception>
    public BackupManifest Finish()
    {
        _pipe.Writer.Complete();
        Task.WaitAny(_reading);
        return _reading.IsFaulted ? throw NotWhole() : _reading.GetAwaiter().GetResult();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            // Where it was given up, the reader finds that it ends too early; nobody asks it any more.
            _pipe.Writer.Complete();
            Task.WaitAny(_reading);
            _ = _reading.Exception;
        }

        base.Dispose(disposing);
    }

    BackupManifest Read()
    {
        try
        {
            using var archive = _pipe.Reader.AsStream(leaveOpen: true);
            return BackupReader.Read(archive, new(), CancellationToken.None).Manifest;
        }
        finally
        {
            // Whoever writes must not wait for a reader that has gone.
            _pipe.Reader.Complete();
        }
    }

    Exception NotWhole() => _reading.Exception!.InnerException is RefusedException cause
        ? new RefusedException(new Refusal(RefusalCode.Unavailable, $"What came is no whole backup, and not to be kept. {cause.Message}") { Final = true })
        : new IOException("What came could not be read back.", _reading.Exception);
}

/// <summary>Passes on what is written to it, and counts it.</summary>
/// <param name="output">Where it goes. It is not closed.</param>
internal class CountingStream(Stream output) : WriteOnlyStream
{
    /// <summary>Bytes that have passed.</summary>
    public long Bytes { get; private set; }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        output.Write(buffer);
        Bytes += buffer.Length;
    }

    public override void Flush() => output.Flush();
}
