namespace EventDbx.Storage;

/// <summary>The files of a data directory that the engine owns.</summary>
internal sealed record DataDirectory(string Path)
{
    public string Store => System.IO.Path.Combine(Path, "event_store");

    /// <summary>What a recovery builds, before it takes the store's place.</summary>
    public string Rebuilt => Store + ".new";

    /// <summary>Where a recovery repairs a copy, tries a rebuild, and keeps the best so far; nothing in them lasts.</summary>
    public string Salvage => Store + ".salvage";

    public string Trial => Store + ".trial";

    public string Best => Store + ".best";

    /// <summary>Where pieces wait that are to take the place of those of now; without <see cref="Swap"/> nothing in it counts.</summary>
    public string Staged => Store + ".staged";

    /// <summary>Says that what is staged is the state of this directory from now on.</summary>
    public string Swap => Store + ".swap";

    public string Watermark => System.IO.Path.Combine(Path, "watermark");

    public string Lock => System.IO.Path.Combine(Path, DirectoryLock.FileName);

    public string Inventory => System.IO.Path.Combine(Path, "event_store.inventory");

    /// <summary>Whether nothing here says that there ever was a store.</summary>
    public bool IsNew => !HasStore && !Directory.Exists(Rebuilt) && !File.Exists(Inventory) && !File.Exists(Watermark) && !File.Exists(Swap);

    /// <summary>Whether there is a store, or the remains of one.</summary>
    public bool HasStore => Directory.Exists(Store) && Directory.EnumerateFileSystemEntries(Store).Any();
}
