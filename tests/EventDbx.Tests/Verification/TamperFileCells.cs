using EventDbx.Storage;
using EventDbx.Tests.Crash;

namespace EventDbx.Tests.Verification;

/// <summary>One change of the files of a directory.</summary>
internal sealed record TamperFileCell(string Place, string Operation, string What, Action<DirectoryImage> Change);

/// <summary>The changes of the files of a data directory: the engine's, the watermark, the inventory, a document, and all of them.</summary>
/// <param name="image">As it lies.</param>
/// <param name="old">As it lay some entries earlier.</param>
/// <param name="flushed">
/// Whether what came since was written to tables. Where it was not, an older MANIFEST differs only by what RocksDB did to its tables meanwhile,
/// if it did anything: it names the same rows, and putting it back changes nothing.
/// </param>
internal sealed class TamperFileCells(DirectoryImage image, DirectoryImage old, bool flushed)
{
    public IEnumerable<TamperFileCell> All()
    {
        foreach (var group in image.Files.GroupBy(PlaceOf).Where(group => group.Key is not null).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            // The newest of a kind: what it holds is not elsewhere.
            var files = group.OrderByDescending(file => new FileInfo(image.In(file)).Length).ToList();
            foreach (var (operation, what, change) in Of(group.Key!, files))
                yield return new(group.Key!, operation, $"{files[0]}, {what}", change);
        }

        yield return new("everything", "delete", "the folder of the store", static copy => Directory.Delete(copy.Store, recursive: true));
        yield return new("everything", "put back an old value", "the whole directory", copy =>
        {
            Directory.Delete(copy.Path, recursive: true);
            foreach (var file in old.Files)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(copy.In(file))!);
                File.Copy(old.In(file), copy.In(file));
            }
        });
    }

    IEnumerable<(string Operation, string What, Action<DirectoryImage> Change)> Of(string place, List<string> files)
    {
        var file = files[0];
        var content = File.ReadAllBytes(image.In(file));
        for (var i = 0; i < 3 && content.Length > 0; i++)
        {
            var at = content.Length * ((2 * i) + 1) / 6;
            yield return ("flip a bit", $"byte {at}", copy => TamperFiles.Flip(copy, file, at, at % 8));
        }

        yield return ("replace", "by noise", copy => File.WriteAllBytes(copy.In(file), [.. content.Select((b, i) => (byte)(b ^ 0x5a ^ i))]));
        if (files.Count > 1)
        {
            yield return ("swap two", files[1], copy =>
            {
                File.Move(copy.In(file), copy.In("aside"));
                File.Move(copy.In(files[1]), copy.In(file));
                File.Move(copy.In("aside"), copy.In(files[1]));
            });
        }

        yield return ("delete", "", copy => File.Delete(copy.In(file)));
        yield return ("duplicate", "under the next name", copy => File.Copy(copy.In(file), NextName(copy.In(file))));
        if (content.Length > 64)
        {
            yield return ("reorder", "its halves", copy => File.WriteAllBytes(copy.In(file), [.. content[(content.Length / 2)..], .. content[..(content.Length / 2)]]));
            yield return ("truncate", "to a half", copy => File.WriteAllBytes(copy.In(file), content[..(content.Length / 2)]));
        }

        yield return ("truncate", "to nothing", copy => File.WriteAllBytes(copy.In(file), []));
        if ((flushed || place != "file MANIFEST") && File.Exists(old.In(file)) && !File.ReadAllBytes(old.In(file)).AsSpan().SequenceEqual(content))
            yield return ("put back an old value", "", copy => File.Copy(old.In(file), copy.In(file), overwrite: true));
        if (place == "watermark")
        {
            var slot = Watermark.SlotBytes;
            yield return ("swap two", "slots", copy => File.WriteAllBytes(copy.In(file), [.. content[slot..(2 * slot)], .. content[..slot], .. content[(2 * slot)..]]));
            yield return ("duplicate", "one slot in all places", copy => File.WriteAllBytes(copy.In(file), [.. content[..slot], .. content[..slot], .. content[..slot]]));
        }
    }

    static string? PlaceOf(string file) => Path.GetFileName(file) switch
    {
        "watermark" => "watermark",
        "event_store.inventory" => "inventory",
        "tokens.json" or "schemas.json" => Path.GetFileName(file),
        "CURRENT" or "IDENTITY" => $"file {Path.GetFileName(file)}",
        var name when name.StartsWith("MANIFEST-", StringComparison.Ordinal) => "file MANIFEST",
        var name when name.StartsWith("OPTIONS-", StringComparison.Ordinal) => "file OPTIONS",
        var name when name.EndsWith(".sst", StringComparison.Ordinal) => "files of tables (SST)",
        var name when name.EndsWith(".log", StringComparison.Ordinal) => "files of the write-ahead log",
        _ => null,
    };

    /// <summary>A name of the same kind with a number that nobody has.</summary>
    static string NextName(string path)
    {
        var name = Path.GetFileName(path);
        var digits = name.AsSpan().IndexOfAnyInRange('0', '9');
        var other = digits < 0 ? name + ".copy" : string.Concat(name.AsSpan(0, digits), "9", name.AsSpan(digits + 1));
        return Path.Combine(Path.GetDirectoryName(path)!, other);
    }
}
