namespace EventDbx.Benchmarks.Rest;

/// <summary>Our REST surface against an endpoint that answers a constant and against PostgreSQL, in one run.</summary>
internal static class RestBenchmark
{
    public const string Empty = "empty endpoint";
    const string Peer = "PostgreSQL with state";

    public static void Append(Arguments arguments) => Run(arguments, appends: true);

    public static void Read(Arguments arguments) => Run(arguments, appends: false);

    static void Run(Arguments arguments, bool appends)
    {
        using var scratch = arguments.Scratch();
        MachineProbe.Measure(scratch.Path, count: 500);
        var aggregates = Receipts.Aggregates(arguments.Int("aggregates", 10_000));
        Receipts receipts = new(seed: 1);
        Console.WriteLine($"{aggregates.Length:n0} aggregates, payloads of {receipts.PayloadBytes:n0} bytes");

        Stack<IDisposable> opened = [];
        try
        {
            List<RestSubject> subjects = [Endpoint(Empty), .. EventDbx("", DbxPrograms.Managed)];
            if (arguments.Texts("server-env") is { Length: > 0 } settings)
                subjects.AddRange(EventDbx($" {string.Join(' ', settings)}", DbxPrograms.Managed, settings));
            if (arguments.Flag("tls"))
                subjects.AddRange(EventDbx(" TLS", DbxPrograms.Managed, DbxServer.TlsSetting));
            if (DbxPrograms.Native(arguments) is { } native)
                subjects.AddRange(EventDbx(" native", native));
            if (!arguments.Flag("no-postgres"))
                subjects.AddRange(Postgres());
            new RestComparison(aggregates, arguments, appends ? "events/s" : "reads/s", Peer).Run([.. subjects]);
        }
        finally
        {
            while (opened.TryPop(out var one))
                one.Dispose();
        }

        T Opened<T>(T one) where T : IDisposable
        {
            opened.Push(one);
            return one;
        }

        RestSubject Endpoint(string name, Func<TimeSpan>? store = null, params string[] options)
        {
            var child = Opened(ChildServer.Start(["serve-json", .. options]));
            return new(
                name, () => child.Processor + (store?.Invoke() ?? TimeSpan.Zero),
                () => appends ? new HttpAppender(child.Port, token: null, receipts) : new HttpReader(child.Port, token: null));
        }

        IEnumerable<RestSubject> EventDbx(string form, string program, params string[] settings)
        {
            foreach (var encrypted in new[] { true, false })
            {
                var name = $"EventDBX {(encrypted ? "encrypted" : "plain")}{form}";
                var server = Opened(DbxServer.Start(
                    program, Path.Combine(scratch.Path, $"home-{opened.Count}"), [$"EVENTDBX_ENCRYPTION={(encrypted ? "on" : "off")}", .. settings]));
                var token = server.IssueToken();
                server.Fill(token, receipts, aggregates);
                yield return new(
                    name, () => server.Processor, () => appends ? new HttpAppender(server.Port, token, receipts, server.Tls) : new HttpReader(server.Port, token, server.Tls));
            }
        }

        IEnumerable<RestSubject> Postgres()
        {
            var cluster = Opened(new PostgresCluster(Path.Combine(scratch.Path, "postgres")));
            Console.WriteLine($"PostgreSQL {cluster.Version}");
            PostgresEvents.Create(cluster.ConnectionString, receipts, aggregates);
            if (!appends)
            {
                yield return Endpoint(Peer, () => cluster.Processor, "--postgres", cluster.ConnectionString);
                yield return new($"{Peer}, no web server", () => cluster.Processor, () => new NpgsqlStateReader(cluster.ConnectionString));
                yield break;
            }

            yield return Endpoint("PostgreSQL", () => cluster.Processor, "--postgres", cluster.ConnectionString);
            yield return Endpoint(Peer, () => cluster.Processor, "--postgres", cluster.ConnectionString, "--state");
            foreach (var keepsState in new[] { false, true })
            {
                PostgresEvents table = new(keepsState);
                yield return new(
                    keepsState ? $"{Peer}, no web server" : "PostgreSQL, no web server", () => cluster.Processor,
                    () => new NpgsqlAppender(cluster.ConnectionString, table, receipts));
            }
        }
    }
}
