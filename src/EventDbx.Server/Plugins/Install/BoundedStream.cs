namespace EventDbx.Server.Plugins.Install;

/// <summary>Gives so many bytes of another one and no more.</summary>
internal sealed class BoundedStream(Stream inner, long bytesMax) : ReadOnlyStream
{
    long _left = bytesMax;

    public override int Read(Span<byte> buffer)
    {
        var read = inner.Read(buffer);
        return (_left -= read) >= 0 ? read
            : throw new RefusedException(RefusalCode.LimitExceeded, "The bundle unpacks to more bytes than one of its size may.");
    }
}
