using System.Globalization;

namespace EventDbx.Server.Feed;

/// <summary>A place in the feed: <c>EPOCH-POSITION</c>.</summary>
/// <param name="Epoch">Of the database when it was given.</param>
/// <param name="Position">Everything up to here has been read.</param>
internal readonly record struct FeedCursor(uint Epoch, ulong Position)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}-{Position}");

    /// <summary>Reads one; a bare position is one of the current epoch.</summary>
    /// <param name="text">It.</param>
    /// <param name="currentEpoch">Of the database.</param>
    /// <param name="name">How it was sent, for messages; null: as <c>`after`</c>.</param>
    /// <exception cref="RefusedException">It is none.</exception>
    public static FeedCursor Parse(string text, uint currentEpoch, string? name = null)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var epoch = currentEpoch;
        if (ulong.TryParse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var position)
            && (dash < 0 || uint.TryParse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out epoch)))
            return new(epoch, position);
        throw new RefusedException(
            RefusalCode.InvalidArgument, $"{name ?? "`after`"} is \"{Rest.Shown.Of(text)}\"; it takes a cursor of the feed such as {currentEpoch}-42, or a position, or 0 for the beginning.");
    }
}
