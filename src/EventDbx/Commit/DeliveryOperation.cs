namespace EventDbx.Commit;

/// <summary>What is kept of a plugin changes. No log entry; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class DeliveryOperation : Operation
{
    public required string Plugin { get; init; }

    /// <summary>Null: as it is.</summary>
    public ulong? Cursor { get; init; }

    /// <summary>Aggregates that wait: keys and rows.</summary>
    public IReadOnlyList<(byte[] Key, byte[] Row)> Waiting { get; init; } = [];

    /// <summary>Keys of aggregates that wait no more.</summary>
    public IReadOnlyList<byte[]> Released { get; init; } = [];

    /// <summary>Dead letters: keys and rows.</summary>
    public IReadOnlyList<(byte[] Key, byte[] Row)> Dead { get; init; } = [];

    /// <summary>Keys of dead letters that are none any more.</summary>
    public IReadOnlyList<byte[]> Cleared { get; init; } = [];

    /// <summary>
    /// Nothing of it is to be kept: as many rows as one commit deletes, and the plugin's own with the last of them.
    /// <see cref="Outcome.Remaining"/> is 1 where there are more.
    /// </summary>
    public bool Forget { get; init; }

    /// <summary>Whether it looks at rows beside the plugin's own.</summary>
    public bool ReadsRows => Forget || Waiting.Count + Released.Count + Dead.Count + Cleared.Count > 0;

    public required int RowBytes { get; init; }

    public override int Bytes => 256 + RowBytes;
}
