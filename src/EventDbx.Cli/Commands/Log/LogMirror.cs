using System.Globalization;
using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Server.Checkpoints;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Log;

/// <summary><c>dbx log mirror</c>: a copy of the log tree, hashes only, that others can check without the server.</summary>
/// <remarks>
/// The names are those of C2SP tlog-tiles: <c>checkpoint</c>, <c>tile/0/x001/234</c>, <c>tile/0/x001/235.p/17</c>. The checkpoint is
/// written last: what it says is there.
/// </remarks>
internal static class LogMirror
{
    const string CheckpointFile = "checkpoint";

    static readonly Slot Directory = new("--dir", "DIR", "Where the mirror is, or will be.");

    public static Verb Create() => new("mirror", "Copy the log tree, hashes only, into a directory; what is there already is not fetched again.", Directory)
    {
        Remarks =
        [
            "The copy is checked before its checkpoint is written: every leaf, up to the root that is signed, and that it continues the copy that was " +
            "there. Where it does not, exit code 3. `dbx-verify log DIR` checks it anywhere.",
        ],
        Examples =
        [
            new("dbx log mirror /srv/mirror", "Make it, or bring it up to date."),
            new("dbx log mirror --dir mirror --json", "The same, as JSON."),
        ],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => LogCommand.RunAsync(
        call,
        async store =>
        {
            var room = call.Shell.Resolve(call[Directory]);
            var (note, history) = await LogHistory.OfNowAsync(store, cancellation).ConfigureAwait(false);
            if (DurableFile.Read(Path.Combine(room, CheckpointFile), SignedNote.BytesMax) is { } content)
            {
                var kept = history.Read(CheckpointFile, content)
                    ?? throw new RefusedException(RefusalCode.InvalidArgument, $"{room} is the mirror of another log, or of another epoch of this one; {history.Now.Origin} needs a directory of its own.");
                await history.DemandContinuesAsync(CheckpointFile, kept, cancellation).ConfigureAwait(false);
            }

            var (tiles, fetched) = await CopyAsync(call, store, history.Now, room, cancellation).ConfigureAwait(false);
            DurableFile.Write(Path.Combine(room, CheckpointFile), Encoding.UTF8.GetBytes(note.ToString()));
            await call.Shell.Out.WriteAsync(call.Json
                ? new JsonText().BeginObject()
                    .Member("origin", history.Now.Origin).Member("size", history.Now.Size).Member("root", history.Now.Root.ToString())
                    .Member("tiles", (long)tiles).Member("fetched", (long)fetched).EndObject().ToString()
                : string.Create(CultureInfo.InvariantCulture, $"mirrored {history.Now.Size} entries in {tiles} tiles, {fetched} of them new; root {history.Now.Root}\n")).ConfigureAwait(false);
        },
        cancellation);

    /// <summary>Fetches the tiles that are missing, and checks all: leaves up to the root, and every node above against the leaves.</summary>
    static async Task<(int Tiles, int Fetched)> CopyAsync(Call call, IStore store, Checkpoint now, string room, CancellationToken cancellation)
    {
        using var bar = new Progress(call.Shell, "tiles");
        var (tiles, fetched) = (0, 0);
        var leaves = new MerkleTree();
        foreach (var tile in TilePath.Of(now.Size))
        {
            // The directory's own reads never wait, so nothing else would look.
            cancellation.ThrowIfCancellationRequested();
            var path = PathOf(room, tile);
            var bytes = ReadKept(path, tile);
            if (bytes is null)
            {
                bytes = (await store.GetTileAsync(tile, cancellation).ConfigureAwait(false)).ToArray();
                if (bytes.Length != tile.Width * Hash32.Length)
                    throw LogHistory.Difference($"the tile {tile} has {bytes.Length} bytes");
                System.IO.Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                DurableFile.Write(path, bytes);
                fetched++;
            }

            if (tile.Level == 0)
                AppendTo(leaves, bytes);
            else
                DemandRootsOfBelow(room, tile, bytes);
            tiles++;
            bar.Report(tiles, tile.Level == 0 ? (double)leaves.Size / now.Size : null);
        }

        if (leaves.Root() != now.Root)
            throw LogHistory.Difference($"the leaves in {room} have root {leaves.Root()}, and {now.Root} is signed; a tile there was changed, or the server sent a wrong one. Delete the directory tile, and mirror again");
        return (tiles, fetched);
    }

    /// <summary>A hash above is the root of the full tile below it.</summary>
    static void DemandRootsOfBelow(string room, TilePath tile, byte[] bytes)
    {
        for (var at = 0; at < tile.Width; at++)
        {
            var below = new TilePath(tile.Level - 1, tile.Index * TilePath.FullWidth + (ulong)at, TilePath.FullWidth);
            var tree = new MerkleTree();
            AppendTo(tree, ReadKept(PathOf(room, below), below) ?? throw LogHistory.Difference($"the tile {below} is gone"));
            if (tree.Root() != Hash32.Read(bytes.AsSpan(at * Hash32.Length)))
                throw LogHistory.Difference($"hash {at} of the tile {tile} is not the root of the tile {below}. Delete the directory tile, and mirror again");
        }
    }

    static string PathOf(string room, TilePath tile) => Path.Combine([room, "tile", .. tile.ToString().Split('/')]);

    static void AppendTo(MerkleTree tree, ReadOnlySpan<byte> hashes)
    {
        for (; !hashes.IsEmpty; hashes = hashes[Hash32.Length..])
            tree.Append(Hash32.Read(hashes));
    }

    static byte[]? ReadKept(string path, TilePath tile) =>
        DurableFile.Read(path, TilePath.FullWidth * Hash32.Length) is { } bytes && bytes.Length == tile.Width * Hash32.Length ? bytes : null;
}
