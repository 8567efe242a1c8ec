namespace EventDbx.Cli.Output;

/// <summary>Standard output has failed: its disk is full, or its device broken. What the command did is done all the same.</summary>
/// <param name="what">What was done, and what is known of it.</param>
/// <param name="cause">What the system says about the stream.</param>
internal sealed class OutputFailedException(string what, string cause)
    : IOException($"{what}, but what it has to say could not be written to standard output: {cause}")
{
    /// <summary>What the system says.</summary>
    public string Cause => cause;

    /// <summary>The same failure, of a command of which more is known.</summary>
    public OutputFailedException Of(string done) => new(done, cause);
}

/// <summary>Tells a failure of standard output from one of the command: the one is not to be taken for the other.</summary>
/// <param name="output">Where it goes.</param>
/// <param name="nobodyReads">Whether that leads nowhere any more; asked before each write, since the platform's stream would swallow it.</param>
internal sealed class OutputStream(Stream output, Func<bool> nobodyReads) : Stream
{
    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Flush() => Guarded(output.Flush);

    public override void Write(byte[] buffer, int offset, int count) => Guarded(() =>
    {
        if (nobodyReads())
            throw new IOException("Broken pipe");
        output.Write(buffer, offset, count);
    });

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            output.Dispose();
        base.Dispose(disposing);
    }

    static void Guarded(Action write)
    {
        try
        {
            write();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new OutputFailedException("The command was under way", failure.Message);
        }
    }
}
