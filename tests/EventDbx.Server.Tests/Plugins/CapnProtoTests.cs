using System.Text;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Tests.Plugins;

public sealed class CapnProtoTests
{
    // Pointers and tags: bits as in the encoding specification, written here on their own.
    static ulong Struct(int offset, int words, int pointers) => (uint)(offset << 2) | ((ulong)words << 32) | ((ulong)pointers << 48);

    static ulong List(int offset, int size, int count) => (uint)((offset << 2) | 1) | ((ulong)((uint)size | ((uint)count << 3)) << 32);

    static ulong Far(uint segment, int at, bool isDouble = false) => (uint)((at << 3) | (isDouble ? 4 : 0) | 2) | ((ulong)segment << 32);

    static ulong Text(string text) => BitConverter.ToUInt64(Encoding.UTF8.GetBytes(text.PadRight(8, '\0')));

    [Fact]
    public void The_frames_of_init_and_event_are_the_vectors_byte_for_byte()
    {
        MessageWriter message = new();

        Assert.Equal(Frames.InitVector, PluginFrames.WriteInit(message, new("find", "1.0.0", "linux-x86_64")).ToArray());
        Assert.Equal(Frames.EventVector, PluginFrames.WriteEvent(message, Frames.Event).ToArray());
        Assert.Equal(Frames.InitVector, PluginFrames.WriteInit(message, new("find", "1.0.0", "linux-x86_64")).ToArray());
    }

    [Fact]
    public void The_vectors_say_what_was_written()
    {
        Assert.Equal(new("find", "1.0.0", "linux-x86_64"), Frames.Read(Frames.InitVector).Init);
        Frames.AssertSame(Frames.Event, Frames.Read(Frames.EventVector).Event!);
    }

    [Fact]
    public void Acks_and_errors_are_read_as_they_were_written()
    {
        MessageWriter message = new();

        var ack = Frames.Read(PluginFrames.WriteAck(message, 7));
        var error = Frames.Read(PluginFrames.WriteError(message, ulong.MaxValue, "für später"));

        Assert.Equal((PluginMessageKind.Ack, 7UL), (ack.Kind, ack.Sequence));
        Assert.Equal((PluginMessageKind.Error, ulong.MaxValue, "für später"), (error.Kind, error.Sequence, error.Reason));
    }

    [Fact]
    public void The_sequence_stands_where_it_is_said_to()
    {
        var frame = Frames.EventVector.ToArray();

        BitConverter.TryWriteBytes(frame.AsSpan(PluginFrames.SequenceOffset), 99UL);

        Frames.AssertSame(Frames.Event with { Sequence = 99 }, Frames.Read(frame).Event!);
    }

    [Fact]
    public Task Any_event_is_read_as_it_was_written() => Seeded.RunAsync(random =>
    {
        MessageWriter message = new();
        for (var i = 0; i < 2_000; i++)
        {
            var e = Random(random);
            Frames.AssertSame(e, Frames.Read(PluginFrames.WriteEvent(message, e)).Event!);
        }

        return Task.CompletedTask;
    });

    [Fact]
    public void Shorter_and_longer_structs_than_we_know_are_read()
    {
        // An event with one word of numbers and one pointer; an init with a member more, as later releases have it.
        var shorter = Frames.Read(Frames.Of([Struct(0, 1, 1), 1, Struct(0, 1, 1), 5, List(0, 2, 3), Text("ab")])).Event!;
        var longer = Frames.Read(Frames.Of([Struct(0, 2, 2), 0, 77, Struct(1, 0, 4), 0, List(3, 2, 2), 0, 0, List(1, 2, 2), Text("a"), Text("t")])).Init!;

        Assert.Equal((5UL, "ab", "", 0UL, 0), (shorter.Sequence, shorter.AggregateType, shorter.AggregateId, shorter.EventVersion, shorter.StateEntries.Count));
        Assert.Equal(new("a", "", ""), longer);
    }

    [Fact]
    public void Single_and_double_far_pointers_are_followed_and_those_that_lead_nowhere_refused()
    {
        // The ack lies in segment 1; in the second one, where it lies stands in segment 1, and it itself in segment 2.
        var single = Frames.Of([Struct(0, 1, 1), 2, Far(1, 1)], [0, Struct(0, 1, 0), 42]);
        var twice = Frames.Of([Struct(0, 1, 1), 2, Far(1, 0, isDouble: true)], [Far(2, 1), Struct(0, 1, 0)], [0, 43]);

        Assert.Equal(42UL, Frames.Read(single).Sequence);
        Assert.Equal(43UL, Frames.Read(twice).Sequence);
        foreach (var broken in new[]
        {
            Frames.Of([Struct(0, 1, 1), 2, Far(2, 1)], [0, Struct(0, 1, 0), 42]),
            Frames.Of([Struct(0, 1, 1), 2, Far(1, 3)], [0, Struct(0, 1, 0), 42]),
            Frames.Of([Struct(0, 1, 1), 2, Far(1, 1)], [0, Far(0, 0), 42]),
            Frames.Of([Struct(0, 1, 1), 2, Far(1, 0, isDouble: true)], [Struct(0, 1, 0), Struct(0, 1, 0)], [0, 43]),
            Frames.Of([Struct(0, 1, 1), 2, Far(1, 0, isDouble: true)], [Far(2, 2), Struct(0, 1, 0)], [0, 43]),
            Frames.Of([Struct(0, 1, 1), 2, Far(1, 1, isDouble: true)], [Far(2, 1), Struct(0, 1, 0)], [0, 43]),
        })
            Assert.Throws<MessageException>(() => Frames.Read(broken));
    }

    [Theory]
    [InlineData("A text without a zero at its end")]
    [InlineData("A list where a struct belongs")]
    [InlineData("A struct that leads out of its segment")]
    [InlineData("A list of more elements than words")]
    [InlineData("A capability")]
    [InlineData("A text that is no UTF-8")]
    [InlineData("A kind that we do not know")]
    [InlineData("Bytes behind the message")]
    [InlineData("Fewer bytes than it says")]
    public void What_is_malformed_is_refused(string what)
    {
        var frame = what switch
        {
            "A text without a zero at its end" => Frames.Of([Struct(0, 1, 1), 0, Struct(0, 0, 1), List(0, 2, 8), Text("12345678")]),
            "A list where a struct belongs" => Frames.Of([Struct(0, 1, 1), 0, List(0, 2, 8), 0]),
            "A struct that leads out of its segment" => Frames.Of([Struct(0, 1, 1), 2, Struct(0, 2, 0), 0]),
            "A list of more elements than words" => Frames.Of([Struct(0, 1, 1), 1, Struct(0, 0, 11), 0, 0, 0, 0, 0, 0, 0, 0, 0, List(1, 7, 2), 0, Struct(2, 0, 2), 0, 0]),
            "A capability" => Frames.Of([Struct(0, 1, 1), 2, 3, 0]),
            "A text that is no UTF-8" => Frames.Of([Struct(0, 1, 1), 0, Struct(0, 0, 1), List(0, 2, 2), 0xFF]),
            "A kind that we do not know" => Frames.Of([Struct(0, 1, 1), 4, Struct(0, 1, 0), 0]),
            "Bytes behind the message" => [.. Frames.InitVector, 0],
            _ => Frames.InitVector[..^1],
        };

        Assert.Throws<MessageException>(() => Frames.Read(frame));
    }

    [Fact]
    public void Sixty_four_pointers_behind_each_other_are_read_and_one_more_is_refused()
    {
        static void Walk(int structs)
        {
            var place = MessageReader.Read(Frames.Of([.. Enumerable.Repeat(Struct(0, 0, 1), structs), 0])).Root;
            for (var i = 1; i < structs; i++)
                place = place.GetStruct(0);
        }

        Walk(64);
        Assert.Throws<MessageException>(() => Walk(65));
    }

    [Fact]
    public void A_message_whose_pointers_share_what_they_lead_to_cannot_be_read_for_ever()
    {
        // A thousand entries with the same long text.
        const int Entries = 1000, TextWords = 1000;
        List<ulong> words = [Struct(0, 1, 1), 1, Struct(0, 0, 11), 0, 0, 0, 0, 0, 0, 0, 0, 0, List(1, 7, 2 * Entries), 0, Struct(Entries, 0, 2)];
        for (var i = 0; i < Entries; i++)
        {
            words.Add(List((2 * (Entries - i)) - 1, 2, TextWords * 8));
            words.Add(0);
        }

        words.AddRange(Enumerable.Repeat(0x6161616161616161UL, TextWords - 1));
        words.Add(Text("end"));

        Assert.Throws<MessageException>(() => Frames.Read(Frames.Of([.. words])));
    }

    [Fact]
    public async Task A_stream_is_read_message_after_message_and_its_end_is_one_only_between_two()
    {
        byte[] two = [.. Frames.InitVector, .. Frames.EventVector];
        FrameReader whole = new(new Dribble(two, 3)), cut = new(new Dribble(two[..^1], 5)), begun = new(new Dribble(two[3..], 1), two.AsMemory(0, 3));

        Assert.NotNull(PluginFrames.Read((await whole.ReadAsync(TestContext.Current.CancellationToken))!).Init);
        Frames.AssertSame(Frames.Event, PluginFrames.Read((await whole.ReadAsync(TestContext.Current.CancellationToken))!).Event!);
        Assert.Null(await whole.ReadAsync(TestContext.Current.CancellationToken));
        Assert.NotNull(await cut.ReadAsync(TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<MessageException>(async () => await cut.ReadAsync(TestContext.Current.CancellationToken));
        Assert.NotNull(PluginFrames.Read((await begun.ReadAsync(TestContext.Current.CancellationToken))!).Init);
    }

    [Theory]
    [InlineData(511, 0, true)]
    [InlineData(512, 0, false)]
    [InlineData(1, 8_388_608, true)]
    [InlineData(1, 8_388_609, false)]
    public async Task A_message_that_says_it_is_too_large_is_refused_before_memory_is_taken_and_one_that_only_says_so_costs_nothing(uint segments, uint words, bool isRead)
    {
        using MemoryStream table = new();
        table.Write(BitConverter.GetBytes(segments - 1));
        table.Write(BitConverter.GetBytes(words));
        table.Write(new byte[4 * segments]);
        table.Position = 0;
        var before = GC.GetAllocatedBytesForCurrentThread();

        // The table alone: what follows never comes.
        var failure = await Record.ExceptionAsync(async () => await new FrameReader(table).ReadAsync(TestContext.Current.CancellationToken));

        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 4_000_000);
        if (words == 0 && isRead)
            Assert.Null(failure);
        else
            Assert.Contains(isRead ? "ends within" : "at most", Assert.IsType<MessageException>(failure).Message, StringComparison.Ordinal);
    }

    [Fact]
    public Task Whatever_is_changed_in_a_message_it_is_read_or_refused_and_costs_little() => Seeded.RunAsync(random =>
    {
        MessageWriter message = new();
        var frames = Enumerable.Range(0, 20).Select(_ => PluginFrames.WriteEvent(message, Random(random)).ToArray())
            .Append(Frames.InitVector).Append(PluginFrames.WriteError(message, 3, "no").ToArray())
            .Append(Frames.Of([Struct(0, 1, 1), 2, Far(1, 0, isDouble: true)], [Far(2, 1), Struct(0, 1, 0)], [0, 43])).ToArray();
        var (read, refused) = (0, 0);
        for (var i = 0; i < TestTiers.Choose(5_000, 100_000, 5_000_000); i++)
        {
            var frame = Mutate(frames[random.Next(frames.Length)].ToArray(), random);
            var before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                Frames.Read(frame);
                read++;
            }
            catch (MessageException)
            {
                refused++;
            }

            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before <= (64L * frame.Length) + (1024 * 1024), Convert.ToHexString(frame));
        }

        Assert.True(read > 100 && refused > 100, $"{read} were read, {refused} refused");
        return Task.CompletedTask;
    });

    internal static byte[] Mutate(byte[] frame, Random random)
    {
        if (random.Next(10) == 0)
            return frame[..random.Next(frame.Length + 1)];
        for (var times = random.Next(1, 6); times > 0; times--)
        {
            var word = random.Next(frame.Length / 8) * 8;
            switch (random.Next(5))
            {
                case 0:
                    frame[random.Next(frame.Length)] = (byte)random.Next(256);
                    break;
                case 1:
                    frame[random.Next(frame.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    random.NextBytes(frame.AsSpan(word, 8));
                    break;
                case 3:
                    frame.AsSpan(random.Next(frame.Length / 8) * 8, 8).CopyTo(frame.AsSpan(word));
                    break;
                default:
                    // Counts, sizes and offsets: small and huge ones.
                    BitConverter.TryWriteBytes(frame.AsSpan(word + (4 * random.Next(2))), random.Next(2) == 0 ? random.Next(64) : random.Next());
                    break;
            }
        }

        return frame;
    }

    static PluginEvent Random(Random random)
    {
        string Any(int max) => string.Concat(Enumerable.Range(0, random.Next(max)).Select(_ => char.ConvertFromUtf32(random.Next(4) switch { 0 => random.Next(0x80), 1 => random.Next(0x80, 0x800), 2 => 0x1F600 + random.Next(50), _ => 'a' + random.Next(26) })));
        return new()
        {
            Sequence = (ulong)random.NextInt64(), AggregateType = Any(20), AggregateId = Any(20), EventType = Any(20), EventVersion = (ulong)random.NextInt64(), EventId = Any(40),
            CreatedAtEpochMicros = random.NextInt64(long.MinValue, long.MaxValue), PayloadJson = Frames.Utf8(Any(200)), MetadataJson = Frames.Utf8(Any(50)), Hash = Any(64), MerkleRoot = Any(64),
            StateVersion = (ulong)random.NextInt64(), StateArchived = random.Next(2) == 0, StateMerkleRoot = Any(64),
            StateEntries = [.. Enumerable.Range(0, random.Next(10)).Select(_ => ((ReadOnlyMemory<byte>)Frames.Utf8(Any(10)), (ReadOnlyMemory<byte>)Frames.Utf8(Any(30))))], SchemaJson = Frames.Utf8(Any(100)),
        };
    }

    /// <summary>A stream that gives a few bytes at a time.</summary>
    sealed class Dribble(byte[] bytes, int atOnce) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => base.ReadAsync(buffer[..Math.Min(buffer.Length, atOnce)], cancellationToken);
    }
}
