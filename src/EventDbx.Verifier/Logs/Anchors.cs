using System.Globalization;

namespace EventDbx.Verifier.Logs;

/// <summary>A directory of checkpoints that somebody kept, <c>*.checkpoint</c>: within an epoch no two of one size may differ.</summary>
internal static class Anchors
{
    public const string Pattern = "*.checkpoint";

    /// <exception cref="RefutedException">Two of them contradict each other, one is none, or one has a wrong signature or cosignature.</exception>
    public static void Check(string directory, Trust trust, Report report)
    {
        var seen = new Dictionary<(string Origin, ulong Size), (Digest Root, string Name)>();
        var newest = new SortedDictionary<string, (ulong Size, int Count)>(StringComparer.Ordinal);
        (string Name, int Cosigners, ulong Count) few = default;
        foreach (var path in Directory.EnumerateFiles(directory, Pattern).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(path);
            var checkpoint = Checkpoint.Parse(Files.Read(path, Limits.NoteBytesMax).Span, $"The checkpoint in {Printable.Quoted(name)}");
            // Epochs have keys of their own; a checkpoint of one whose key was not given is counted, and vouched for by nobody.
            if (trust.Knows(checkpoint.Origin))
                trust.JudgeLog(checkpoint, report);
            // Each counts: one that the witnesses never saw is where another history could begin.
            if (trust.Cosigners(checkpoint).Count is var cosigners && cosigners < trust.Quorum)
                few = few.Count == 0 ? (name, cosigners, 1) : few with { Count = few.Count + 1 };
            if (seen.TryGetValue((checkpoint.Origin, checkpoint.Size), out var other) && other.Root != checkpoint.Root)
            {
                throw new RefutedException(
                    $"The log {Printable.Quoted(checkpoint.Origin)} showed two histories: {Printable.Quoted(other.Name)} and {Printable.Quoted(name)} have {Amount.Of(checkpoint.Size, "entry", "entries")} and different roots, {other.Root} and {checkpoint.Root}. Keep both: where both are signed, they prove it.");
            }

            if (seen.Count == Limits.AnchorsMax)
                throw new IncompleteException($"there are more than {Limits.AnchorsMax} checkpoints; check them in parts.");
            seen[(checkpoint.Origin, checkpoint.Size)] = (checkpoint.Root, name);
            newest.TryGetValue(checkpoint.Origin, out var of);
            newest[checkpoint.Origin] = (Math.Max(of.Size, checkpoint.Size), of.Count + 1);
        }

        foreach (var (origin, (size, count)) in newest)
        {
            report.Proves($"{Amount.Of((ulong)count, "checkpoint", "checkpoints")} of the log {Printable.Quoted(origin)}, up to {Amount.Of(size, "entry", "entries")}: no two of one size differ.");
            if (trust.Knows(origin))
                report.Proves($"All of them have good signatures of a key that you trust for {Printable.Quoted(origin)}.");
            else
                report.Misses($"nobody vouches for the checkpoints of {Printable.Quoted(origin)}: give the key of that log, and epoch, with --key.");
        }

        SayWitnesses(trust, few, report);
        report.LeavesOpen("that each is the beginning of the next: that takes a consistency proof for each, or a mirror and --since.");
    }

    static void SayWitnesses(Trust trust, (string Name, int Cosigners, ulong Count) few, Report report)
    {
        if (trust.Witnesses.Count == 0)
            report.LeavesOpen("that others were shown the same log: no cosignature of a witness was checked (--witness).");
        else if (few.Count == 0)
            report.Proves(string.Create(CultureInfo.InvariantCulture, $"Each of them has good cosignatures of at least {trust.Quorum} of the {trust.Witnesses.Count} witnesses you trust."));
        else
            report.Misses(string.Create(CultureInfo.InvariantCulture, $"{Amount.Of(few.Count, "checkpoint has", "checkpoints have")} fewer good cosignatures than the {trust.Quorum} that are needed, of the {trust.Witnesses.Count} witnesses you trust; the first is {Printable.Quoted(few.Name)} with {few.Cosigners}."));
    }
}
