namespace EventDbx.Verifier.Output;

/// <summary>How it ended.</summary>
internal enum Verdict
{
    /// <summary>Everything that was asked for holds.</summary>
    Proven,

    /// <summary>A proof does not hold, or the document is none.</summary>
    Refuted,

    /// <summary>What is there holds; something is missing.</summary>
    Incomplete,
}

/// <summary>What was found, in sentences, and in numbers for programs.</summary>
/// <param name="command">Which command.</param>
internal sealed class Report(string command)
{
    readonly List<string> _proven = [];
    readonly List<string> _notProven = [];
    readonly List<string> _missing = [];

    public string Command { get; } = command;

    public Verdict Verdict => Refuted is not null ? Verdict.Refuted : _missing.Count > 0 ? Verdict.Incomplete : Verdict.Proven;

    public IReadOnlyList<string> Proven => _proven;

    public IReadOnlyList<string> NotProven => _notProven;

    /// <summary>Why it is incomplete.</summary>
    public IReadOnlyList<string> Missing => _missing;

    /// <summary>Why it is refuted; null when it is not.</summary>
    public string? Refuted { get; private set; }

    public Checkpoint? Checkpoint { get; set; }

    /// <summary>The vkey that signed it.</summary>
    public string? Key { get; set; }

    /// <summary>Who cosigned it, and when: seconds since 1970.</summary>
    public List<(string Name, ulong Time)> Witnesses { get; } = [];

    public ulong? Events { get; set; }

    public ulong? Aggregates { get; set; }

    public ulong? ControlEntries { get; set; }

    /// <summary>For an event: which one.</summary>
    public (string Type, string Id, ulong Version, ulong Position)? Event { get; set; }

    /// <param name="sentence">With its full stop.</param>
    public void Proves(string sentence) => _proven.Add(sentence);

    /// <param name="sentence">"that …", with its full stop.</param>
    public void LeavesOpen(string sentence) => _notProven.Add(sentence);

    /// <param name="sentence">A main clause, small at its beginning, with its full stop.</param>
    public void Misses(string sentence) => _missing.Add(sentence);

    /// <summary>A document that is refuted proves nothing: what was said before is taken back.</summary>
    public Report Refute(string sentence)
    {
        Refuted = sentence;
        _proven.Clear();
        _notProven.Clear();
        _missing.Clear();
        Witnesses.Clear();
        (Checkpoint, Key, Event) = (null, null, null);
        (Events, Aggregates, ControlEntries) = (null, null, null);
        return this;
    }

    /// <summary>Says who vouches for the checkpoint, once everything about it holds.</summary>
    public void ProvesCheckpoint()
    {
        if (Checkpoint is not { } checkpoint)
            return;
        var log = $"the log {Printable.Quoted(checkpoint.Origin)} had {Amount.Of(checkpoint.Size, "entry", "entries")} with the root {checkpoint.Root}";
        if (Key is { } key)
            Proves($"When it signed this, {log}. The signature is good, of the key {Printable.Of(key)}.");
        foreach (var (name, time) in Witnesses)
            Proves($"The witness {Printable.Quoted(name)} saw this checkpoint at {Text.Seconds(time)}, and no history that contradicts it.");
        if (Witnesses.Count == 0)
            LeavesOpen("that others were shown the same log: no cosignature of a witness was checked (--witness).");
    }

    /// <summary>Says which members nobody vouches for.</summary>
    public void LeavesOpen(Unnamed unnamed)
    {
        if (unnamed.Count == 0)
            return;
        var names = string.Join(", ", unnamed.Shown.Select(name => $"`{Printable.Of(name)}`"));
        LeavesOpen(names.Length == 0
            ? "what stands in members that the format does not name."
            : $"what stands in members that the format does not name: {names}{(unnamed.Count > unnamed.Shown.Count ? " …" : "")}.");
    }
}

/// <summary>Numbers with their nouns.</summary>
internal static class Amount
{
    public static string Of(ulong number, string one, string many) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture, $"{number:N0} {(number == 1 ? one : many)}");
}
