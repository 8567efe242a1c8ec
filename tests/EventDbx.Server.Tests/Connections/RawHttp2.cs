using System.Buffers.Binary;
using System.Text;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary>A frame of HTTP/2 (RFC 9113, 4.1).</summary>
internal sealed record Frame(byte Type, byte Flags, int Stream, byte[] Payload)
{
    public const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Continuation = 9;

    public bool Ends => (Flags & 1) != 0;

    /// <summary>Of a RST_STREAM.</summary>
    public uint Error => BinaryPrimitives.ReadUInt32BigEndian(Payload);

    /// <summary>Of an answer's head: indexed, or as three digits.</summary>
    public int Status => Payload[0] switch
    {
        0x88 => 200,
        0x89 => 204,
        0x8a => 206,
        0x8b => 304,
        0x8c => 400,
        0x8d => 404,
        0x8e => 500,
        _ => int.Parse(Encoding.ASCII.GetString(Payload, 2, 3), System.Globalization.CultureInfo.InvariantCulture),
    };
}

/// <summary>A connection of HTTP/2 on which a test sends what frames it likes.</summary>
internal sealed class RawHttp2(Stream stream) : IAsyncDisposable
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <param name="server">In clear text.</param>
    /// <param name="window">Bytes of each answer that may be sent before it is asked for more.</param>
    public static async Task<RawHttp2> OpenAsync(RestServer server, int window = 65_535)
    {
        var raw = new RawHttp2(await server.ConnectAsync());
        await raw.WriteAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8.ToArray());
        var setting = new byte[6];
        setting[1] = 4; // SETTINGS_INITIAL_WINDOW_SIZE
        BinaryPrimitives.WriteInt32BigEndian(setting.AsSpan(2), window);
        await raw.SendAsync(Frame.Settings, 0, 0, setting);
        await raw.UntilAsync(frame => frame.Type == Frame.Settings && !frame.Ends);
        await raw.SendAsync(Frame.Settings, 1, 0, []);
        return raw;
    }

    public Task RequestAsync(int id, string method, string path, string? token = null, bool ends = true, params (string Name, string Value)[] headers) =>
        SendAsync(Frame.Headers, (byte)(ends ? 5 : 4), id, Block([
            (":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path),
            .. token is null ? ((string, string)[])[] : [("authorization", $"Bearer {token}")], .. headers]));

    /// <summary>Headers as HPACK has them, without its table.</summary>
    public static byte[] Block(params (string Name, string Value)[] headers)
    {
        using var block = new MemoryStream();
        foreach (var (name, value) in headers)
        {
            block.WriteByte(0);
            Text(name);
            Text(value);
        }

        return block.ToArray();

        void Text(string text)
        {
            var length = text.Length;
            if (length < 127)
            {
                block.WriteByte((byte)length);
            }
            else
            {
                block.WriteByte(127);
                for (length -= 127; length >= 128; length /= 128)
                    block.WriteByte((byte)(length | 128));
                block.WriteByte((byte)length);
            }

            block.Write(Encoding.ASCII.GetBytes(text));
        }
    }

    public async Task SendAsync(byte type, byte flags, int id, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), id);
        payload.CopyTo(frame, 9);
        await WriteAsync(frame);
    }

    public Task ResetAsync(int id) => SendAsync(Frame.Reset, 0, id, [0, 0, 0, 8]);

    public Task AllowAsync(int id, int bytes)
    {
        var payload = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(payload, bytes);
        return SendAsync(Frame.WindowUpdate, 0, id, payload);
    }

    public async Task WriteAsync(ReadOnlyMemory<byte> bytes) => await stream.WriteAsync(bytes, Cancellation);

    /// <summary>The next one; null where the connection has ended.</summary>
    public async Task<Frame?> ReadAsync()
    {
        var head = new byte[9];
        try
        {
            await stream.ReadExactlyAsync(head, Cancellation);
            var payload = new byte[BinaryPrimitives.ReadInt32BigEndian(head) >>> 8];
            await stream.ReadExactlyAsync(payload, Cancellation);
            return new(head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue, payload);
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>The next one that is like this.</summary>
    public async Task<Frame> UntilAsync(Predicate<Frame> wanted)
    {
        while (true)
        {
            var frame = await ReadAsync();
            Assert.NotNull(frame);
            if (wanted(frame))
                return frame;
        }
    }

    /// <summary>The head of an answer.</summary>
    public Task<Frame> HeadAsync(int id) => UntilAsync(frame => frame.Type == Frame.Headers && frame.Stream == id);

    /// <summary>What comes until the connection ends.</summary>
    public async Task<List<Frame>> RestAsync()
    {
        List<Frame> frames = [];
        while (await ReadAsync() is { } frame)
            frames.Add(frame);
        return frames;
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();
}
