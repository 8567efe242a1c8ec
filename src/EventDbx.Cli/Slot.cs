namespace EventDbx.Cli;

/// <summary>A value that a command takes by position or by name: <c>order</c>, or <c>--aggregate order</c>.</summary>
/// <param name="Name">The option: <c>--aggregate</c>.</param>
/// <param name="ValueName">In help and messages: <c>TYPE</c>.</param>
/// <param name="Description">One line for the help.</param>
internal sealed record Slot(string Name, string ValueName, string Description)
{
    public bool Optional { get; init; }

    public static Slot AggregateType { get; } = new("--aggregate", "TYPE", "The aggregate's type, such as `order`.");

    public static Slot AggregateId { get; } = new("--aggregate-id", "ID", "The aggregate's id, such as `o-1`.");

    public static Slot EventType { get; } = new("--event", "EVENT", "The event's type, such as `order-paid`.");
}

/// <summary>The slots of one command, and the one rule that fills them: positions fill what is not named, in order.</summary>
internal sealed class SlotTable(IReadOnlyList<Slot> slots)
{
    public IReadOnlyList<Slot> Slots => slots;

    /// <summary>Fills the slots.</summary>
    /// <param name="named">The value given by name, or null.</param>
    /// <param name="positional">The values given by position.</param>
    /// <exception cref="UsageException">One is missing, or one is left over.</exception>
    public IReadOnlyDictionary<Slot, string> Fill(Func<Slot, string?> named, IReadOnlyList<string> positional) =>
        Fill(named, positional, rest: null);

    /// <inheritdoc cref="Fill(Func{Slot, string?}, IReadOnlyList{string})"/>
    /// <param name="rest">Takes the values that are left over; null: they are refused.</param>
    public IReadOnlyDictionary<Slot, string> Fill(Func<Slot, string?> named, IReadOnlyList<string> positional, List<string>? rest)
    {
        Dictionary<Slot, string> values = [];
        var next = 0;
        foreach (var slot in slots)
        {
            if (named(slot) is { } value)
                values[slot] = value;
            else if (next < positional.Count)
                values[slot] = positional[next++];
        }

        if (rest is not null)
            rest.AddRange(positional.Skip(next));
        else if (next < positional.Count)
            throw LeftOver(positional[next], [.. slots.Where(slot => named(slot) is not null)]);
        if (slots.FirstOrDefault(slot => !slot.Optional && !values.ContainsKey(slot)) is { } missing)
            throw new UsageException($"{missing.ValueName} is missing: give it by position or as `{missing.Name} {missing.ValueName}`.");

        return values;
    }

    UsageException LeftOver(string value, IReadOnlyList<Slot> named) => new(
        slots.Count == 0 ? $"unexpected `{value}`: this command takes no values by position."
        : named.Count == 0 ? $"unexpected `{value}`: this command takes {ValueNames}."
        : $"unexpected `{value}`: {string.Join(" and ", named.Select(slot => $"{slot.ValueName} is given as {slot.Name}"))} already.");

    string ValueNames => string.Join(' ', slots.Select(slot => slot.ValueName));
}
