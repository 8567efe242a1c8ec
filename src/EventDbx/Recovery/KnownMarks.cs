namespace EventDbx.Recovery;

/// <summary>Everything that the watermark of a damaged store says.</summary>
/// <param name="Newest">How much was synced; null when it says nothing.</param>
/// <param name="Slots">All valid slots of that store and epoch, the largest first: an older one still tells whether a shorter log is the right one.</param>
internal sealed record KnownMarks(WatermarkSlot? Newest, IReadOnlyList<WatermarkSlot> Slots)
{
    public static KnownMarks Read(string path)
    {
        using var watermark = Watermark.Open(path);
        if (watermark.Newest is not { } newest)
            return new(null, []);
        return new(newest,
        [
            .. watermark.Valid.Where(slot => slot.DatabaseId == newest.DatabaseId && slot.Epoch == newest.Epoch)
                .OrderByDescending(static slot => slot.LogSize),
        ]);
    }

    /// <summary>Those that say what a log of this size should be.</summary>
    public IEnumerable<WatermarkSlot> UpTo(ulong size) => Slots.Where(slot => slot.LogSize <= size);
}
