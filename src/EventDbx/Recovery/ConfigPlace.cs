namespace EventDbx.Recovery;

/// <summary>Where a configuration lies, outside the data directory perhaps, and whose it is.</summary>
/// <param name="Path">Absolute, and of the file itself where it is reached through a link.</param>
/// <param name="FindOtherStore">Given a data directory, that of another store that it is the configuration of by now, so that it may hold the only key of that one; null: of none.</param>
public sealed record ConfigPlace(string Path, Func<string, string?> FindOtherStore);
