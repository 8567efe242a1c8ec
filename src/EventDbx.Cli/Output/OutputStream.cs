using EventDbx.Server;

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
internal sealed class OutputStream(Stream output, Func<bool> nobodyReads) : WriteOnlyStream
{
    public override void Flush()
    {
        try
        {
            output.Flush();
        }
        catch (Exception failure) when (IsOfTheStream(failure))
        {
            throw Failed(failure);
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            if (nobodyReads())
                throw new IOException("Broken pipe");
            output.Write(buffer);
        }
        catch (Exception failure) when (IsOfTheStream(failure))
        {
            throw Failed(failure);
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            output.Dispose();
        base.Dispose(disposing);
    }

    static bool IsOfTheStream(Exception failure) => failure is IOException or UnauthorizedAccessException;

    static OutputFailedException Failed(Exception failure) => new("The command was under way", failure.Message);
}
