using System.Buffers;
using System.Diagnostics;

namespace EventDbx.Schemas;

/// <summary>A pattern, compiled: whether it matches somewhere in a text is found in time linear in the text, whatever the pattern.</summary>
/// <remarks>
/// All places of the pattern where a match could be are followed at once, one character after the other; none is visited twice for
/// the same character, so a character costs at most as many steps as the pattern has
/// (<see cref="Limits.SchemaPatternStepsMax"/>). The framework's own engine without backtracking does not keep that: measured, 2,000
/// characters take <c>(?:a.{1,10}){1,30}c</c> more than ten seconds there. Whole characters are matched, not UTF-16 halves; <c>$</c> is the
/// very end. Matching allocates nothing. Source: K. Thompson, "Regular expression search algorithm", 1968.
/// </remarks>
internal sealed class LinearPattern
{
    readonly Step[] _steps;
    readonly bool _fromStart;

    LinearPattern(Step[] steps, bool fromStart) => (_steps, _fromStart) = (steps, fromStart);

    enum Op : byte
    {
        Match,
        One,
        At,
        Jump,
        Split,
    }

    readonly record struct Step(Op Op, PatternSet? Set = null, PatternPlace Place = default, int To = 0, int Or = 0);

    /// <summary>Compiles a pattern.</summary>
    /// <param name="pattern">As written in the schema.</param>
    /// <param name="why">Why there is none: the end of a sentence.</param>
    public static LinearPattern? Compile(string pattern, out string why)
    {
        if (PatternParser.Parse(pattern, out why) is not { } node)
            return null;
        List<Step> steps = [];
        if (!Emit(node, steps) || steps.Count > Limits.SchemaPatternStepsMax)
        {
            why = $"with its repetitions written out it has more than {Limits.SchemaPatternStepsMax} steps";
            return null;
        }

        steps.Add(new(Op.Match));
        return new([.. steps], steps[0] is { Op: Op.At, Place: PatternPlace.TextStart });
    }

    /// <summary>What a character can cost at most.</summary>
    public int Steps => _steps.Length;

    /// <summary>Whether it matches somewhere in the text.</summary>
    public bool IsMatch(ReadOnlySpan<char> text)
    {
        var size = _steps.Length;
        // Two sets of steps, each a list and where in it a step stands, and the steps still to be followed.
        var rented = ArrayPool<int>.Shared.Rent(6 * size);
        try
        {
            Places now = new(rented.AsSpan(0, 2 * size)), next = new(rented.AsSpan(2 * size, 2 * size));
            var stack = rented.AsSpan(4 * size, 2 * size);
            Rune? before = null;
            while (true)
            {
                Rune? after = Rune.DecodeFromUtf16(text, out var rune, out var length) == OperationStatus.Done ? rune : null;
                if ((before is null || !_fromStart) && Follow(0, ref now, stack, before, after))
                    return true;
                if (after is null || (now.Count == 0 && _fromStart))
                    return false;
                text = text[length..];
                Rune? beyond = Rune.DecodeFromUtf16(text, out var second, out _) == OperationStatus.Done ? second : null;
                for (var i = 0; i < now.Count; i++)
                {
                    var at = now[i];
                    if (_steps[at].Set!.Has(rune) && Follow(at + 1, ref next, stack, rune, beyond))
                        return true;
                }

                before = rune;
                var done = now;
                now = next;
                next = done;
                next.Clear();
            }
        }
        finally
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    // Adds what is reached from a step without a character; true when that is the end of the pattern.
    bool Follow(int step, ref Places places, Span<int> stack, Rune? before, Rune? after)
    {
        var depth = 0;
        stack[depth++] = step;
        while (depth > 0)
        {
            step = stack[--depth];
            if (!places.TryVisit(step))
                continue;
            ref readonly var one = ref _steps[step];
            switch (one.Op)
            {
                case Op.Match:
                    return true;
                case Op.One:
                    places.Keep(step);
                    break;
                case Op.At when IsAt(one.Place, before, after):
                    stack[depth++] = step + 1;
                    break;
                case Op.Jump:
                    stack[depth++] = one.To;
                    break;
                case Op.Split:
                    stack[depth++] = one.Or;
                    stack[depth++] = one.To;
                    break;
            }
        }

        return false;
    }

    static bool IsAt(PatternPlace place, Rune? before, Rune? after) => place switch
    {
        PatternPlace.TextStart => before is null,
        PatternPlace.TextEnd => after is null,
        PatternPlace.LineStart => before is null || before.Value.Value == '\n',
        PatternPlace.LineEnd => after is null || after.Value.Value == '\n',
        PatternPlace.WordEdge => IsWord(before) != IsWord(after),
        PatternPlace.NoWordEdge => IsWord(before) == IsWord(after),
    };

    static bool IsWord(Rune? rune) => rune is { } known && PatternSet.Word.Has(known);

    // False: too many steps.
    static bool Emit(PatternNode node, List<Step> steps)
    {
        if (steps.Count > Limits.SchemaPatternStepsMax)
            return false;
        switch (node)
        {
            case PatternNode.One one:
                steps.Add(new(Op.One, one.Set));
                return true;
            case PatternNode.At at:
                steps.Add(new(Op.At, Place: at.Place));
                return true;
            case PatternNode.All all:
                foreach (var part in all.Nodes)
                {
                    if (!Emit(part, steps))
                        return false;
                }

                return true;
            case PatternNode.Either either:
                return EmitEither(either, steps);
            case PatternNode.Repeat repeat:
                return EmitRepeat(repeat, steps);
            default:
                throw new UnreachableException();
        }
    }

    static bool EmitEither(PatternNode.Either either, List<Step> steps)
    {
        List<int> ends = [];
        for (var i = 0; i < either.Nodes.Count; i++)
        {
            var isLast = i == either.Nodes.Count - 1;
            var split = steps.Count;
            if (!isLast)
                steps.Add(new(Op.Split));
            if (!Emit(either.Nodes[i], steps))
                return false;
            if (isLast)
                break;
            ends.Add(steps.Count);
            steps.Add(new(Op.Jump));
            steps[split] = new(Op.Split, To: split + 1, Or: steps.Count);
        }

        foreach (var end in ends)
            steps[end] = new(Op.Jump, To: steps.Count);
        return true;
    }

    static bool EmitRepeat(PatternNode.Repeat repeat, List<Step> steps)
    {
        for (var i = 0; i < repeat.Min; i++)
        {
            var start = steps.Count;
            if (!Emit(repeat.Node, steps))
                return false;
            // Nothing, however often, is nothing.
            if (steps.Count == start)
                return true;
        }

        if (repeat.Max is not { } max)
        {
            var split = steps.Count;
            steps.Add(new(Op.Split));
            if (!Emit(repeat.Node, steps))
                return false;
            steps.Add(new(Op.Jump, To: split));
            steps[split] = new(Op.Split, To: split + 1, Or: steps.Count);
            return true;
        }

        List<int> splits = [];
        for (var i = repeat.Min; i < max; i++)
        {
            splits.Add(steps.Count);
            steps.Add(new(Op.Split));
            if (!Emit(repeat.Node, steps))
                return false;
        }

        foreach (var split in splits)
            steps[split] = new(Op.Split, To: split + 1, Or: steps.Count);
        return true;
    }

    /// <summary>The steps that wait for a character, and all that have been visited for it. Needs no clearing of its memory.</summary>
    ref struct Places(Span<int> memory)
    {
        // Visited steps from the front of the list, and where each stands there; what was there before is no harm: it does not point back.
        readonly Span<int> _visited = memory[..(memory.Length / 2)];
        readonly Span<int> _standsAt = memory[(memory.Length / 2)..];
        int _visits;

        /// <summary>Steps that wait.</summary>
        public int Count { get; private set; }

        /// <summary>A step that waits.</summary>
        public readonly int this[int index] => _visited[index];

        public bool TryVisit(int step)
        {
            var at = _standsAt[step];
            if ((uint)at < (uint)_visits && _visited[at] == step)
                return false;
            _standsAt[step] = _visits;
            _visited[_visits++] = step;
            return true;
        }

        /// <summary>The step visited last waits: it changes places with the first that does not.</summary>
        public void Keep(int step)
        {
            var last = _visits - 1;
            var other = _visited[Count];
            (_visited[Count], _visited[last]) = (step, other);
            (_standsAt[step], _standsAt[other]) = (Count, last);
            Count++;
        }

        public void Clear() => (_visits, Count) = (0, 0);
    }
}
