using System.IO.Pipes;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

public sealed class StandardOutputTests
{
    [Fact]
    public void A_pipe_that_nobody_reads_any_more_is_told_from_one_that_is_read()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There it is the stream that tells.");
        if (OperatingSystem.IsWindows())
            return;
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        var descriptor = (int)pipe.SafePipeHandle.DangerousGetHandle();
        Assert.False(Posix.NobodyReads(descriptor));
        pipe.DisposeLocalCopyOfClientHandle();
        Assert.True(Posix.NobodyReads(descriptor));
    }
}
