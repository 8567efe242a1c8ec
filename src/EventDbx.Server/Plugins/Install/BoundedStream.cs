namespace EventDbx.Server.Plugins.Install;

/// <summary>Gives so many bytes of another one and no more.</summary>
internal sealed class BoundedStream(Stream inner, long bytesMax) : Stream
{
    long _left = bytesMax;

    public override int Read(Span<byte> buffer)
    {
        var read = inner.Read(buffer);
        return (_left -= read) >= 0 ? read
            : throw new RefusedException(RefusalCode.LimitExceeded, "The bundle unpacks to more bytes than one of its size may.");
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Flush() { }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
