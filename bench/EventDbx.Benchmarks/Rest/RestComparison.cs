namespace EventDbx.Benchmarks.Rest;

/// <param name="Processor">What its processes have used so far; the load generator's are not among them.</param>
/// <param name="Connect">One more caller.</param>
internal sealed record RestSubject(string Name, Func<TimeSpan> Processor, Func<Caller> Connect);

/// <summary>Servers under the same load in turns, and their ratios round by round.</summary>
internal sealed class RestComparison(AggregateKey[] aggregates, Arguments arguments, string unit, string peer)
{
    readonly TimeSpan _length = arguments.Seconds("seconds", 10);
    readonly int _rounds = arguments.Int("rounds", 3);

    public void Run(RestSubject[] subjects)
    {
        if (arguments.Texts("only") is { Length: > 0 } only)
            subjects = [.. subjects.Where(subject => only.Any(part => subject.Name.Contains(part, StringComparison.Ordinal)))];
        if (subjects.Length == 0)
            throw new ArgumentException("--only leaves nothing: say a part of a name in the first column.");
        // Code is compiled again while it runs hot: before the clock starts.
        foreach (var subject in subjects)
            Measure(subject, connections: 16, arguments.Seconds("warm", 4));

        // Variants of one server have the first of them for their measure.
        Report report = new("what", unit, subjects[0].Name == RestBenchmark.Empty ? "× empty" : "× first", $"× {peer}", "p50 µs", "p99 µs", "server CPU µs", "client CPU µs", "busy cores");
        foreach (var connections in arguments.Ints("connections", [1, 16, 64]))
        {
            var runs = subjects.Select(_ => new List<Figures>()).ToArray();
            for (var round = 0; round < _rounds; round++)
            {
                for (var i = 0; i < subjects.Length; i++)
                    runs[i].Add(Measure(subjects[i], connections, _length));
            }

            for (var i = 0; i < subjects.Length; i++)
            {
                double Middle(Func<Figures, double> figure) => Median.Of(runs[i].Select(figure));
                report.Row(
                    $"{subjects[i].Name}, {connections} connection{(connections == 1 ? "" : "s")}", $"{Middle(f => f.PerSecond):n0}",
                    Ratio(runs[i], 0), Ratio(runs[i], Array.FindIndex(subjects, subject => subject.Name == peer)),
                    $"{Middle(f => f.P50):n0}", $"{Middle(f => f.P99):n0}", $"{Middle(f => f.ServerMicroseconds):n1}",
                    $"{Middle(f => f.ClientMicroseconds):n1}", $"{Middle(f => f.BusyCores):n2}");
            }

            string Ratio(List<Figures> these, int to) =>
                to < 0 ? "" : $"{Median.Of(these.Select((figures, round) => figures.PerSecond / runs[to][round].PerSecond)):n2}";
        }
    }

    Figures Measure(RestSubject subject, int connections, TimeSpan length)
    {
        // Connected, and one answer each, before the clock starts.
        Caller[] callers = [.. Enumerable.Range(0, connections).Select(_ => subject.Connect())];
        foreach (var caller in callers)
            caller.Call(aggregates[0], 0);
        var before = subject.Processor();
        var load = Load.RunThreads(connections, length, worker =>
        {
            var (caller, random) = (callers[worker], new Random(worker));
            return number => caller.Call(aggregates[random.Next(aggregates.Length)], number);
        });
        var server = subject.Processor() - before;
        foreach (var caller in callers)
            caller.Dispose();
        return new(
            load.PerSecond, load.Latencies.Microseconds(0.5), load.Latencies.Microseconds(0.99), server.TotalMicroseconds / load.Operations,
            load.ProcessorMicroseconds, (server + load.Processor) / load.Elapsed);
    }

    sealed record Figures(double PerSecond, double P50, double P99, double ServerMicroseconds, double ClientMicroseconds, double BusyCores);
}
