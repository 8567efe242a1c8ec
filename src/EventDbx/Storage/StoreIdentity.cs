namespace EventDbx.Storage;

/// <summary>Which database and which epoch of it this is.</summary>
/// <param name="DatabaseId">Drawn when the store was made.</param>
/// <param name="Epoch">1, and more after each accepted loss, promotion or restore.</param>
internal sealed record StoreIdentity(Guid DatabaseId, uint Epoch)
{
    /// <summary>A watermark slot for a point of the log.</summary>
    public WatermarkSlot Slot(Commit.LogPoint point) => new()
    {
        LogSize = point.Size, LogRoot = point.Root, DatabaseId = DatabaseId, Epoch = Epoch,
    };
}
