using EventDbx.Integrity;
using EventDbx.Recovery;

namespace EventDbx.CrashWriter;

/// <summary>A restore or a rebuild, until the process is killed: <c>opened.</c> as it begins, <c>ended.</c> once it has come to its end.</summary>
internal static class Exchanges
{
    public static async Task RestoreAsync(DatabaseOptions options, string backup, Guid databaseId, ulong size, string root)
    {
        if (!Hash32.TryParse(root, out var hash))
            throw new ArgumentException("The root is none.");
        Say("opened.");
        using (var restore = StoreRestore.Begin(options))
        {
            var from = Path.Combine(restore.Unpacked, "data");
            Directory.CreateDirectory(Path.Combine(from, "event_store"));
            foreach (var file in Directory.EnumerateFiles(backup, "*", SearchOption.AllDirectories))
                File.Copy(file, Path.Combine(from, Path.GetRelativePath(backup, file)));
            var request = new RestoreRequest { From = from, DatabaseId = databaseId, Epoch = 1, LogSize = size, LogRoot = hash, Pieces = ["tokens.json"] };
            restore.Prepare(request, options, null, CancellationToken.None);
            restore.Commit(["tokens.json", "plugins.json"], (Path.Combine(options.Directory, "config.toml"), "restored = true\n"u8.ToArray()), keepOld: false);
            await restore.OpenAsync(options);
        }

        Say("ended.");
    }

    public static async Task RebuildAsync(DatabaseOptions options)
    {
        Say("opened.");
        await IndexRebuild.RunAsync(options, keepOld: false, null, CancellationToken.None);
        Say("ended.");
    }

    static void Say(string line)
    {
        Console.WriteLine(line);
        Console.Out.Flush();
    }
}
