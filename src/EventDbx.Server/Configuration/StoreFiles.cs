namespace EventDbx.Server.Configuration;

/// <summary>Where things lie in a data directory.</summary>
public static class StoreFiles
{
    /// <summary>The directory of the database itself.</summary>
    public static string StoreOf(string dataDir) => Path.Combine(dataDir, "event_store");

    /// <summary>Whether anything is there: what it is, only opening it tells.</summary>
    public static bool Exist(string dataDir) =>
        Directory.Exists(StoreOf(dataDir)) && Directory.EnumerateFileSystemEntries(StoreOf(dataDir)).Any();
}
