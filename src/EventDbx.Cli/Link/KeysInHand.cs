using EventDbx.Encryption;

namespace EventDbx.Cli;

/// <summary>The keys of <see cref="Link.OptionsAsync"/>, for as long as they are needed.</summary>
internal sealed class KeysInHand(DatabaseOptions options) : IDisposable
{
    /// <summary>Each of them: the key, the next one, those that were retired.</summary>
    public IReadOnlyList<DataKey> All { get; } = [.. new[] { options.Key, options.NextKey }.OfType<DataKey>(), .. options.RetiredKeys];

    /// <summary>Wipes them.</summary>
    public void Dispose()
    {
        foreach (var key in All)
            key.Dispose();
    }
}
