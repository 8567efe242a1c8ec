using System.Buffers.Binary;
using System.Security.Cryptography;
using EventDbx.Integrity;
using Microsoft.Win32.SafeHandles;

namespace EventDbx.Storage;

/// <summary>What one slot of the watermark says: how far the log was known to be synced.</summary>
internal readonly record struct WatermarkSlot
{
    /// <summary>Grows by one with every write. Given by the watermark; ignored in what is written.</summary>
    public ulong Sequence { get; init; }

    /// <summary>Entries in the log, all synced before this was written.</summary>
    public ulong LogSize { get; init; }

    /// <summary>Root of the log tree of that size.</summary>
    public Hash32 LogRoot { get; init; }

    public Guid DatabaseId { get; init; }

    public uint Epoch { get; init; }

    /// <summary>The database was closed properly and nothing was written since. Only ever set in the synced slot.</summary>
    public bool Clean { get; init; }
}

/// <summary>The file <c>watermark</c>: remembers how far the log was synced, because RocksDB does not.</summary>
/// <remarks>
/// <code>
/// slot 0, slot 1   4 KiB each, in turn, after each group, without a sync: may lag the log, never leads it
/// slot 2           4 KiB, synced: at checkpoints and stops
///
/// slot    0 "EDBXMARK" | 8 format u32 (1) | 12 place u32 (0, 1, 2) | 16 sequence u64 | 24 log size u64 | 32 log root[32]
///        64 database id[16] | 80 epoch u32 | 84 flags u32 (1 clean) | 88 zero[8] | 96 SHA-256 of bytes 0 to 95 [32]
///       128 zero to the end                                                             integers big-endian
/// </code>
/// Everything of value lies within one disk sector, so a torn write leaves a slot old or new. A slot with any wrong bit is
/// invalid and says nothing. The file is created whole, with three valid slots; a missing or empty slot is therefore invalid.
/// Reading never writes: the file is opened for writing by the first write. One thread writes.
/// Source: docs/storage-format.md, "Watermark".
/// </remarks>
internal sealed class Watermark : IDisposable
{
    /// <summary>Bytes of one slot: a page, so that a write never reads first.</summary>
    public const int SlotBytes = 4096;

    public const int Slots = 3;

    const int SyncedPlace = 2;
    const int SummedBytes = 96;
    const int UsedBytes = SummedBytes + Hash32.Length;
    const uint Format = 1;
    const uint CleanFlag = 1;

    readonly string _path;
    readonly byte[] _page = new byte[SlotBytes];
    readonly WatermarkSlot?[] _slots = new WatermarkSlot?[Slots];
    SafeFileHandle? _file;

    Watermark(string path) => _path = path;

    /// <summary>Reads the file. A file that does not exist has no slots, and none that are invalid.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static Watermark Open(string path)
    {
        var watermark = new Watermark(path);
        watermark.Load();
        return watermark;
    }

    /// <summary>Whether there is a file.</summary>
    public bool Exists { get; private set; }

    /// <summary>Slots of an existing file that cannot be trusted: torn, flipped, moved, missing. 0 to 3.</summary>
    public int InvalidSlots { get; private set; }

    /// <summary>The valid slot with the highest sequence, or null.</summary>
    public WatermarkSlot? Newest
    {
        get
        {
            WatermarkSlot? newest = null;
            foreach (var slot in _slots)
                if (slot is { } valid && (newest is null || valid.Sequence > newest.Value.Sequence))
                    newest = valid;
            return newest;
        }
    }

    /// <summary>Every valid slot.</summary>
    public IEnumerable<WatermarkSlot> Valid => _slots.Where(static slot => slot is not null).Select(static slot => slot!.Value);

    /// <summary>The slot that was synced, if it is valid: at least this much was on disk.</summary>
    public WatermarkSlot? Synced => _slots[SyncedPlace];

    /// <summary>
    /// Whether the database stopped properly and this file says so beyond doubt: the newest slot is the synced one and
    /// clean, and no slot is invalid.
    /// </summary>
    public bool StoppedCleanly => InvalidSlots == 0 && Synced is { Clean: true } && Newest == Synced;

    /// <summary>Writes the older of slots 0 and 1, without a sync. Allocates nothing.</summary>
    /// <exception cref="InvalidOperationException">
    /// The synced slot is still clean: an unsynced slot above it could be lost, and a crash would look like a proper stop.
    /// </exception>
    /// <exception cref="IOException">The commit it follows stands all the same; the slot may be torn, the others are not.</exception>
    public void Write(in WatermarkSlot slot)
    {
        if (Synced is { Clean: true })
            throw new InvalidOperationException("The watermark is clean; write a synced slot that is not, before the first commit.");
        var next = slot with { Clean = false, Sequence = NextSequence };
        if (!Exists)
        {
            Create(next);
            return;
        }

        // An invalid slot is the first to be replaced.
        var place = (_slots[0]?.Sequence ?? 0) <= (_slots[1]?.Sequence ?? 0) ? 0 : 1;
        WriteTo(place, next);
    }

    /// <summary>Writes slot 2 and syncs the file, with it every earlier write. Creates the file durably if there is none.</summary>
    /// <param name="slot">What is known to be on disk.</param>
    /// <param name="clean">The last act of a proper stop. An open writes one that is not, before its first commit.</param>
    /// <exception cref="IOException">Whether it is on disk is unknown.</exception>
    public void WriteSynced(in WatermarkSlot slot, bool clean)
    {
        var next = slot with { Clean = clean, Sequence = NextSequence };
        if (!Exists)
        {
            Create(next);
            return;
        }

        WriteTo(SyncedPlace, next);
        RandomAccess.FlushToDisk(_file!);
    }

    /// <summary>Puts a whole new file in the place of the old one, in one step: for a store that is another one from now on.</summary>
    /// <exception cref="IOException">The old one is still there, or which one is unknown.</exception>
    public static void Replace(string path, in WatermarkSlot slot) => DurableFile.Write(path, Content(slot with { Clean = false, Sequence = 1 }));

    ulong NextSequence => (Newest?.Sequence ?? 0) + 1;

    void Load()
    {
        Array.Clear(_slots);
        InvalidSlots = 0;
        var content = DurableFile.Read(_path, bytesMax: 1024 * 1024);
        Exists = content is not null;
        if (content is null)
            return;
        for (var place = 0; place < Slots; place++)
        {
            var at = place * SlotBytes;
            _slots[place] = content.Length >= at + SlotBytes ? Read(content.AsSpan(at, SlotBytes), place) : null;
            if (_slots[place] is null)
                InvalidSlots++;
        }
    }

    void Create(in WatermarkSlot slot)
    {
        DurableFile.Write(_path, Content(slot));
        (_slots[0], _slots[1], _slots[SyncedPlace]) = (OtherThan(slot), OtherThan(slot), slot);
        Exists = true;
    }

    /// <summary>All three slots say the same; only the synced one may say that it is clean.</summary>
    static WatermarkSlot OtherThan(in WatermarkSlot slot) => slot with { Clean = false, Sequence = 0 };

    static byte[] Content(in WatermarkSlot slot)
    {
        var content = new byte[Slots * SlotBytes];
        for (var place = 0; place < Slots; place++)
            Fill(content.AsSpan(place * SlotBytes, SlotBytes), place == SyncedPlace ? slot : OtherThan(slot), place);
        return content;
    }

    void WriteTo(int place, in WatermarkSlot slot)
    {
        _file ??= File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        Fill(_page, slot, place);
        RandomAccess.Write(_file, _page, (long)place * SlotBytes);
        if (_slots[place] is null)
            InvalidSlots--;
        _slots[place] = slot;
    }

    static void Fill(Span<byte> page, in WatermarkSlot slot, int place)
    {
        page[..UsedBytes].Clear();
        "EDBXMARK"u8.CopyTo(page);
        BinaryPrimitives.WriteUInt32BigEndian(page[8..], Format);
        BinaryPrimitives.WriteInt32BigEndian(page[12..], place);
        BinaryPrimitives.WriteUInt64BigEndian(page[16..], slot.Sequence);
        BinaryPrimitives.WriteUInt64BigEndian(page[24..], slot.LogSize);
        slot.LogRoot.Write(page[32..]);
        slot.DatabaseId.TryWriteBytes(page[64..], bigEndian: true, out _);
        BinaryPrimitives.WriteUInt32BigEndian(page[80..], slot.Epoch);
        BinaryPrimitives.WriteUInt32BigEndian(page[84..], slot.Clean ? CleanFlag : 0);
        SHA256.HashData(page[..SummedBytes], page[SummedBytes..]);
    }

    static WatermarkSlot? Read(ReadOnlySpan<byte> page, int place)
    {
        Span<byte> sum = stackalloc byte[Hash32.Length];
        SHA256.HashData(page[..SummedBytes], sum);
        var flags = BinaryPrimitives.ReadUInt32BigEndian(page[84..]);
        var valid = page[SummedBytes..UsedBytes].SequenceEqual(sum)
            && page.StartsWith("EDBXMARK"u8)
            && BinaryPrimitives.ReadUInt32BigEndian(page[8..]) == Format
            && BinaryPrimitives.ReadInt32BigEndian(page[12..]) == place
            && flags is 0 or CleanFlag
            && page[UsedBytes..].IndexOfAnyExcept((byte)0) < 0;
        if (!valid)
            return null;
        return new WatermarkSlot
        {
            Sequence = BinaryPrimitives.ReadUInt64BigEndian(page[16..]),
            LogSize = BinaryPrimitives.ReadUInt64BigEndian(page[24..]),
            LogRoot = Hash32.Read(page[32..]),
            DatabaseId = new Guid(page[64..80], bigEndian: true),
            Epoch = BinaryPrimitives.ReadUInt32BigEndian(page[80..]),
            Clean = flags == CleanFlag,
        };
    }

    public void Dispose() => _file?.Dispose();
}
