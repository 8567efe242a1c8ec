namespace EventDbx.Server.Tests;

public sealed class OneWayStreamTests
{
    [Fact]
    public void What_is_only_written_takes_bytes_either_way_and_gives_none()
    {
        using var taken = new MemoryStream();
        using var stream = new Written(taken);

        stream.Write([9, 1, 2, 9], 1, 2);
        stream.WriteByte(3);
        stream.Flush();

        Assert.Equal([1, 2, 3], taken.ToArray());
        Assert.Equal((false, true, false), (stream.CanRead, stream.CanWrite, stream.CanSeek));
        Assert.Throws<NotSupportedException>(() => stream.ReadExactly(new byte[1], 0, 1));
        RefusesPlaces(stream);
    }

    [Fact]
    public void What_is_only_read_gives_bytes_either_way_and_takes_none()
    {
        using var stream = new Given(new MemoryStream([1, 2, 3]));
        var given = new byte[4];

        Assert.Equal(2, stream.Read(given, 1, 2));
        Assert.Equal(3, stream.ReadByte());

        Assert.Equal([0, 1, 2, 0], given);
        Assert.Equal((true, false, false), (stream.CanRead, stream.CanWrite, stream.CanSeek));
        Assert.Throws<NotSupportedException>(() => stream.Write(given, 0, 1));
        RefusesPlaces(stream);
    }

    static void RefusesPlaces(Stream stream)
    {
        Assert.Throws<NotSupportedException>(() => stream.Length);
        Assert.Throws<NotSupportedException>(() => stream.Position);
        Assert.Throws<NotSupportedException>(() => stream.Position = 0);
        Assert.Throws<NotSupportedException>(() => stream.Seek(0, SeekOrigin.Begin));
        Assert.Throws<NotSupportedException>(() => stream.SetLength(0));
    }

    sealed class Written(Stream into) : WriteOnlyStream
    {
        public override void Write(ReadOnlySpan<byte> buffer) => into.Write(buffer);
    }

    sealed class Given(Stream source) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer) => source.Read(buffer);
    }
}
