using System.Globalization;

namespace EventDbx.Verifier.CommandLine;

/// <summary>Whom a command line trusts.</summary>
internal static class Trusted
{
    /// <exception cref="UsageException">A key is none, stands there for the wrong purpose, or the quorum cannot be reached.</exception>
    public static Trust By(Parsed line)
    {
        var keys = Keys(line, "--key", VerifierKey.Log, "a log (algorithm 01)");
        var witnesses = Keys(line, "--witness", VerifierKey.Witness, "a witness (algorithm 04)");
        // A cosignature does not name its witness: one key under two names would be counted twice.
        var twice = witnesses.GroupBy(witness => Convert.ToHexString(witness.PublicKey)).FirstOrDefault(same => same.Count() > 1);
        if (twice is not null)
            throw new UsageException($"the witnesses {string.Join(" and ", twice.Select(witness => Printable.Quoted(witness.Name)))} have one and the same key.");
        if (witnesses.FirstOrDefault(witness => keys.Any(key => key.PublicKey.AsSpan().SequenceEqual(witness.PublicKey))) is { } self)
            throw new UsageException($"the witness {Printable.Quoted(self.Name)} has the key of the log: nobody is a witness of himself.");
        return new(keys, witnesses, Quorum(line, witnesses.Count));
    }

    static int Quorum(Parsed line, int witnesses)
    {
        if (line.One("--quorum") is not { } text)
            return witnesses;
        if (witnesses == 0)
            throw new UsageException("--quorum counts witnesses: name them with --witness.");
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var quorum) && quorum >= 1 && quorum <= witnesses
            ? quorum
            : throw new UsageException($"--quorum wants a number from 1 to {witnesses}, as many witnesses as are named, not {Printable.Quoted(text)}.");
    }

    static List<VerifierKey> Keys(Parsed line, string option, byte algorithm, string owner)
    {
        var keys = new List<VerifierKey>();
        foreach (var text in line.Options.Where(given => given.Name == option).SelectMany(given => Texts(option, given.Value)))
        {
            if (VerifierKey.Parse(text, out var wrong) is not { } key)
                throw new UsageException($"{option} {Printable.Quoted(text)} is no key: {wrong}.");
            if (key.Algorithm != algorithm)
                throw new UsageException($"{option} {Printable.Quoted(text)} is not the key of {owner}.");
            if (keys.All(known => known.Vkey != key.Vkey))
                keys.Add(key);
        }

        return keys;
    }

    static string[] Texts(string option, string value)
    {
        if (!value.StartsWith('@'))
            return [value];
        ReadOnlyMemory<byte> file;
        try
        {
            file = Files.Read(value[1..], Limits.KeyFileBytesMax);
        }
        catch (RefutedException large)
        {
            throw new UsageException($"{option}: {large.Message}");
        }

        if (!System.Text.Unicode.Utf8.IsValid(file.Span))
            throw new UsageException($"{option}: {Printable.Quoted(value[1..])} is no text.");
        var lines = Text.Utf8.GetString(file.Span).Split('\n').Select(text => text.Trim()).Where(text => text.Length > 0).ToArray();
        return lines.Length > 0 ? lines : throw new UsageException($"{option}: there is no key in {Printable.Quoted(value[1..])}.");
    }
}
