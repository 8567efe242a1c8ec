using System.IO.Compression;
using EventDbx.Access;
using EventDbx.Reading;
using EventDbx.Schemas;
using EventDbx.TestKit;
using EventDbx.Transfer;

namespace EventDbx.Tests.Engine;

/// <summary>States as files: what stands in them, what they are called, and that there is never half of one.</summary>
public sealed class ExportTests : IDisposable
{
    readonly TestStore _store = new();
    readonly TemporaryDirectory _out = new();
    readonly ManualClock _clock = new();

    Database Open(bool encrypted = true) => Database.Open(_store.Options(encrypted) with { Clock = _clock });

    static Task<AppendResult> AppendAsync(Session session, string type, string id, string payload) =>
        session.AppendAsync(TestStore.Draft(TestStore.Aggregate(type, id), payload), default);

    Task<ExportSummary> ExportAsync(IExportSource source, ExportRequest request, CancellationToken cancellation = default) =>
        new Exporter(source, _clock, null).RunAsync(request, cancellation);

    async Task<string> TextAsync(IExportSource source, ExportRequest? request = null, string type = "t")
    {
        var path = _out[$"one.{(request?.Format == ExportFormat.Json ? "json" : "csv")}"];
        var summary = await ExportAsync(source, (request ?? new() { Output = "" }) with { Output = path, Type = type });
        Assert.Equal(path, Assert.Single(summary.Files).Path);
        var text = await File.ReadAllTextAsync(path);
        Assert.Equal(summary.Bytes, Encoding.UTF8.GetByteCount(text));
        return text;
    }

    /// <summary>A value and the cell it becomes, plain and safe.</summary>
    public static TheoryData<string, string, string> Cells => new()
    {
        { "\"\"", "", "" },
        { "\"plain\"", "plain", "plain" },
        { "\" blanks \"", " blanks ", " blanks " },
        { "\"a,b\"", "\"a,b\"", "\"a,b\"" },
        { "\"a;b\"", "a;b", "a;b" },
        { "\"say \\\"hi\\\"\"", "\"say \"\"hi\"\"\"", "\"say \"\"hi\"\"\"" },
        { "\"\\\"\"", "\"\"\"\"", "\"\"\"\"" },
        { "\"two\\nlines\"", "\"two\nlines\"", "\"two\nlines\"" },
        { "\"two\\r\\nlines\"", "\"two\r\nlines\"", "\"two\r\nlines\"" },
        { "\"a\\u0009b\"", "a\tb", "a\tb" },
        { "\"\\u00fc\\ud83d\\ude00ü😀\"", "ü😀ü😀", "ü😀ü😀" },
        { "42", "42", "42" },
        { "1.50", "1.50", "1.50" },
        { "123456789012345678901234567890", "123456789012345678901234567890", "123456789012345678901234567890" },
        { "true", "true", "true" },
        { "null", "", "" },
        { "[1,\"x\"]", "\"[1,\"\"x\"\"]\"", "\"[1,\"\"x\"\"]\"" },
        { "{\"a\":{}}", "\"{\"\"a\"\":{}}\"", "\"{\"\"a\"\":{}}\"" },
        { "\"=1+1\"", "=1+1", "'=1+1" },
        { "\"+1\"", "+1", "'+1" },
        { "-1", "-1", "'-1" },
        { "\"@SUM(A1)\"", "@SUM(A1)", "'@SUM(A1)" },
        { "\"\\tx\"", "\tx", "'\tx" },
        { "\"\\rx\"", "\"\rx\"", "\"'\rx\"" },
        { "\"=a,b\"", "\"=a,b\"", "\"'=a,b\"" },
        { "\"'=1\"", "'=1", "'=1" },
        { "\"a=1\"", "a=1", "a=1" },
    };

    [Theory, MemberData(nameof(Cells))]
    public async Task A_cell_is_quoted_where_it_must_be_and_defused_where_that_is_asked_for(string value, string plain, string safe)
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t", "1", $$"""{"v":{{value}}}""");

        Assert.Equal($"__aggregate_id,v\n1,{plain}\n", await TextAsync(session));
        Assert.Equal($"__aggregate_id,v\n1,{safe}\n", await TextAsync(session, new() { Output = "", CsvSafe = true }));
    }

    [Fact]
    public async Task Names_and_ids_are_cells_too()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t", "=a,\"b\"", """{"-x":1,"y,z":2}""");

        Assert.Equal("__aggregate_id,-x,\"y,z\"\n\"=a,\"\"b\"\"\",1,2\n", await TextAsync(session));
        Assert.Equal("__aggregate_id,'-x,\"y,z\"\n\"'=a,\"\"b\"\"\",1,2\n", await TextAsync(session, new() { Output = "", CsvSafe = true }));
    }

    [Fact]
    public async Task Columns_are_all_fields_in_the_order_of_their_bytes_and_rows_all_aggregates_in_that_of_theirs()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t", "b", """{"ü":"1","z":2,"😀":3,"\uffee":4}""");
        await AppendAsync(session, "t", "a", """{"B":5}""");
        await AppendAsync(session, "t", "a", """{"a":6}""");
        await AppendAsync(session, "t", "Z", "null");
        await AppendAsync(session, "t", "v", "[1]");
        await AppendAsync(session, "tt", "other", """{"no":1}""");
        await session.CreateAsync(TestStore.Aggregate("t", "empty"), null, default);
        await session.ArchiveAsync(TestStore.Aggregate("t", "a"), null, default);

        Assert.Equal(
            """
            __aggregate_id,B,_value,a,z,ü,￮,😀
            Z,,,,,,,
            a,5,,6,,,,
            b,,,,2,1,4,3
            empty,,,,,,,
            v,,[1],,,,,

            """, await TextAsync(session));
    }

    [Fact]
    public async Task A_large_state_is_one_row_like_any_other()
    {
        await using var database = Open();
        var session = database.OpenSession();
        var members = string.Join(',', Enumerable.Range(0, 900).Select(i => $"\"f{i:d3}\":\"{new string('x', 20)}\""));
        await AppendAsync(session, "t", "1", $"{{{members}}}");
        await AppendAsync(session, "t", "2", """{"f899":1}""");

        var lines = (await TextAsync(session)).Split('\n');
        Assert.Equal(901, lines[0].Split(',').Length);
        Assert.Equal("1," + string.Join(',', Enumerable.Repeat(new string('x', 20), 900)), lines[1]);
        Assert.Equal("2" + new string(',', 900) + "1", lines[2]);
    }

    [Fact]
    public async Task A_field_that_is_called_as_the_column_of_the_id_gets_another_name()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t", "1", """{"__aggregate_id":"mine","__aggregate_id_":"its","__aggregate_id0":"no","a":1,"A":2}""");

        Assert.Equal("__aggregate_id,A,__aggregate_id0,__aggregate_id_,__aggregate_id__,a\n1,2,no,mine,its,1\n", await TextAsync(session));
        Assert.Equal(
            """[{"A":"2","__aggregate_id":"1","__aggregate_id0":"no","__aggregate_id_":"mine","__aggregate_id__":"its","a":"1"}]""" + "\n",
            await TextAsync(session, new() { Output = "", Format = ExportFormat.Json }));
    }

    [Fact]
    public async Task Json_is_an_array_of_objects_with_their_values_as_the_surfaces_show_them()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t", "a\"b", """{"n":1.50,"t":true,"z":null,"s":"x\u00fc\n","o":{"k":[1,{}],"e":[],"q":"}\\\"{"}}""");
        await AppendAsync(session, "t", "b", "null");

        Assert.Equal(
            """[{"__aggregate_id":"a\"b","n":"1.50","o":{"k":[1,{}],"e":[],"q":"}\\\"{"},"s":"x\u00fc\n","t":"true","z":""},{"__aggregate_id":"b"}]""" + "\n",
            await TextAsync(session, new() { Output = "", Format = ExportFormat.Json }));
        Assert.Equal(
            """
            [
              {
                "__aggregate_id": "a\"b",
                "n": "1.50",
                "o": {
                  "k": [
                    1,
                    {}
                  ],
                  "e": [],
                  "q": "}\\\"{"
                },
                "s": "x\u00fc\n",
                "t": "true",
                "z": ""
              },
              {
                "__aggregate_id": "b"
              }
            ]

            """, await TextAsync(session, new() { Output = "", Format = ExportFormat.Json, Pretty = true }));
    }

    [Fact]
    public async Task As_of_a_moment_everything_is_as_it_was_and_nothing_is_there_that_began_later()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await session.CreateAsync(TestStore.Aggregate("t", "created"), null, default);
        await AppendAsync(session, "t", "1", """{"a":1}""");
        await AppendAsync(session, "t", "2", """{"a":1}""");
        var then = Timestamp.From(_clock.GetUtcNow());
        _clock.Now += TimeSpan.FromSeconds(1);
        await AppendAsync(session, "t", "1", """{"a":2,"late":1}""");
        await AppendAsync(session, "t", "3", """{"a":3}""");
        await AppendAsync(session, "t", "created", """{"a":4}""");
        await session.ArchiveAsync(TestStore.Aggregate("t", "1"), null, default);

        Assert.Equal("__aggregate_id,a\n1,1\n2,1\n", await TextAsync(session, new() { Output = "", At = then }));
        Assert.Equal("__aggregate_id,a,late\n1,2,1\n2,1,\n3,3,\ncreated,4,\n", await TextAsync(session));
        var never = await ExportAsync(session, new() { Output = _out["never"], At = new(then.Ticks100ns - 1) });
        Assert.Equal((0, 0), (never.Files.Count, never.Types));
        Assert.False(Directory.Exists(_out["never"]));
    }

    [Fact]
    public async Task Without_aggregates_nothing_is_written_and_nothing_made()
    {
        await using var database = Open();
        var summary = await ExportAsync(database.OpenSession(), new() { Output = _out["a/b.csv"] });
        Assert.Empty(summary.Files);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_out.Path));
    }

    /// <summary>What is there before, the output, types, zip, and what is there afterwards.</summary>
    [Theory]
    [InlineData("", "new", 2, false, "new/t0.csv new/t1.csv")]
    [InlineData("dir/", "dir", 2, false, "dir/t0.csv dir/t1.csv")]
    [InlineData("", "deep/er", 2, false, "deep/er/t0.csv deep/er/t1.csv")]
    [InlineData("", "x.csv", 2, false, "x.csv/t0.csv x.csv/t1.csv")]
    [InlineData("file", "file", 2, false, null)]
    [InlineData("", "x.csv", 1, false, "x.csv")]
    [InlineData("", "deep/x.CSV", 1, false, "deep/x.CSV")]
    [InlineData("", "x.json", 1, false, "x.json/t0.csv")]
    [InlineData("", "plain", 1, false, "plain/t0.csv")]
    [InlineData("", "x.csv/", 1, false, "x.csv/t0.csv")]
    [InlineData("file", "file", 1, false, "file")]
    [InlineData("x.csv/", "x.csv", 1, false, "x.csv/t0.csv")]
    [InlineData("dir/", "dir", 1, true, "dir/t0_csv.zip")]
    [InlineData("dir/", "dir", 2, true, "dir/aggregates_csv.zip")]
    [InlineData("", "dir/", 2, true, "dir/aggregates_csv.zip")]
    [InlineData("", "x", 2, true, "x.zip")]
    [InlineData("", "x.csv", 1, true, "x.zip")]
    [InlineData("", "x.tar.gz", 1, true, "x.tar.zip")]
    [InlineData("", "x.ZIP", 1, true, "x.ZIP")]
    [InlineData("x.zip/", "x.csv", 1, true, null)]
    public async Task Where_it_goes_depends_on_what_is_there_and_on_how_many_types_there_are(string before, string output, int types, bool zip, string? after)
    {
        if (before.EndsWith('/'))
            Directory.CreateDirectory(_out[before]);
        else if (before.Length > 0)
            _out.Write(before, "before");
        await using var database = Open();
        var session = database.OpenSession();
        for (var i = 0; i < types; i++)
            await AppendAsync(session, $"t{i}", "1", """{"a":1}""");
        var request = new ExportRequest { Output = Path.GetFullPath(_out[output]), Zip = zip };

        if (after is null)
        {
            await Assert.ThrowsAsync<IOException>(() => ExportAsync(session, request));
            Assert.All(Directory.EnumerateFiles(_out.Path, "*", SearchOption.AllDirectories), file => Assert.Equal("before", File.ReadAllText(file)));
            return;
        }

        var summary = await ExportAsync(session, request);
        var files = Directory.EnumerateFiles(_out.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(after.Split(' '), files.Select(file => Path.GetRelativePath(_out.Path, file).Replace('\\', '/')));
        Assert.Equal(files, summary.Files.Select(file => file.Path).Order(StringComparer.Ordinal));
        Assert.Equal(files.Sum(file => new FileInfo(file).Length), summary.Bytes);
        if (!OperatingSystem.IsWindows())
        {
            foreach (var file in files)
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Fact]
    public async Task An_archive_holds_what_the_files_would_hold()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "a/b", "1", """{"a":1}""");
        await AppendAsync(session, "c", "1", """{"ü":"😀"}""");
        await ExportAsync(session, new() { Output = _out["all.zip"], Zip = true, Format = ExportFormat.Json });

        await using var zip = await ZipFile.OpenReadAsync(_out["all.zip"]);
        Assert.Equal(["a_b.json", "c.json"], zip.Entries.Select(entry => entry.FullName));
        using var text = new StreamReader(await zip.Entries[1].OpenAsync());
        Assert.Equal("""[{"__aggregate_id":"1","ü":"😀"}]""" + "\n", await text.ReadToEndAsync());
        Assert.Equal(_clock.GetLocalNow().Year, zip.Entries[0].LastWriteTime.Year);
    }

    [Fact]
    public void Files_have_names_of_letters_and_digits_and_no_two_the_same()
    {
        string[] types = ["..a", "A_B", "a b", "a/b", "a_b", "ordér😀", "x-1", new('y', 256), "€"];
        var names = ExportNames.Of(types);

        Assert.Equal(["__a", "A_B", null, null, null, "ord_r_", "x-1", null, "_"], names.Select((name, i) => i is 2 or 3 or 4 or 7 ? null : name));
        Assert.Matches("^a_b-[0-9a-f]{8}$", names[2]);
        Assert.Matches("^y{191}-[0-9a-f]{8}$", names[7]);
        Assert.Equal(types.Length, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        // Whoever is called as the file keeps that name, whatever comes before it.
        Assert.Equal("a_b", ExportNames.Of(["a b", "a_b"])[1]);
        Assert.Equal(["a_b", names[3]], ExportNames.Of(["a_b", "a/b"]));
        // Also a type that is called as another's way out.
        Assert.Equal(3, ExportNames.Of(["a/b", "a_b", names[3]]).Distinct().Count());
    }

    [Fact]
    public async Task An_export_that_is_interrupted_leaves_what_was_there()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t0", "1", """{"a":1}""");
        await AppendAsync(session, "t1", "1", """{"a":1}""");
        foreach (var zip in (bool[])[false, true])
        {
            _out.Write("out/t0.csv", "before");
            _out.Write("out/aggregates_csv.zip", "before");
            // The survey is the first page; then the first file is written, and the second begun.
            using var stop = new CancellationTokenSource();
            var source = new Scripted(session) { BeforePage = page => { if (page == 3) stop.Cancel(); } };

            await Assert.ThrowsAsync<OperationCanceledException>(() => ExportAsync(source, new() { Output = _out["out"], Zip = zip }, stop.Token));
            Assert.Equal(["aggregates_csv.zip", "t0.csv"], Directory.EnumerateFileSystemEntries(_out["out"]).Select(Path.GetFileName).Order());
            Assert.All(Directory.EnumerateFiles(_out["out"]), file => Assert.Equal("before", File.ReadAllText(file)));
        }
    }

    [Fact]
    public async Task Fields_that_turn_up_between_the_walks_of_a_changing_source_are_not_left_out()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t", "1", """{"a":1}""");
        var writes = 0;
        var source = new Scripted(session)
        {
            Anew = true,
            BeforePage = page =>
            {
                if (page is 2 or 3)
                    AppendAsync(session, "t", "1", $$"""{"new{{++writes}}":"n"}""").GetAwaiter().GetResult();
            },
        };
        Assert.Equal("__aggregate_id,a,new1,new2\n1,1,n,n\n", await TextAsync(source));

        source.BeforePage = _ => AppendAsync(session, "t", "1", $$"""{"new{{++writes}}":"n"}""").GetAwaiter().GetResult();
        var refused = await Assert.ThrowsAsync<RefusedException>(() => TextAsync(source));
        Assert.Equal(RefusalCode.Unavailable, refused.Refusal.Code);
        Assert.Equal(["one.csv"], Directory.EnumerateFiles(_out.Path).Select(Path.GetFileName));
    }

    [Fact]
    public async Task What_is_appended_meanwhile_is_no_part_of_an_export_by_a_session()
    {
        await using var database = Open();
        var session = database.OpenSession();
        await AppendAsync(session, "t", "1", """{"a":1}""");
        var source = new Scripted(session) { BeforePage = page => AppendAsync(session, "t", $"{page}", """{"a":2,"b":3}""").GetAwaiter().GetResult() };
        Assert.Equal("__aggregate_id,a\n1,1\n", await TextAsync(source));
    }

    [Fact]
    public async Task Hidden_types_and_fields_are_left_out_for_whoever_is_not_shown_them()
    {
        await using var database = Open();
        var owner = database.OpenSession();
        await AppendAsync(owner, "t", "1", """{"a":1,"card":"4111"}""");
        await AppendAsync(owner, "secret", "1", """{"a":1}""");
        await owner.ChangeSchemaAsync("t", _ => Schema("t") with { HiddenFields = ["card"] }, default);
        await owner.ChangeSchemaAsync("secret", _ => Schema("secret") with { Hidden = true }, default);
        Assert.True(Grants.TryParse(["*"], [], out var grants, out _));
        var reader = database.OpenSession(new("team", "kim"), grants, null);

        Assert.Equal("__aggregate_id,a,card\n1,1,4111\n", await TextAsync(owner));
        Assert.Equal("__aggregate_id,a\n1,1\n", await TextAsync(reader));
        Assert.Equal(2, (await ExportAsync(owner, new() { Output = _out["owner"] })).Types);
        Assert.Equal(1, (await ExportAsync(reader, new() { Output = _out["reader"] })).Types);

        // Nor do the salts leave, with which a guess could be tried.
        var refused = await Assert.ThrowsAsync<RefusedException>(() => new EventExporter(reader, null).ToFileAsync(_out["events"], null, default));
        Assert.Equal(RefusalCode.PermissionDenied, refused.Refusal.Code);
        Assert.False(File.Exists(_out["events"]));
        Assert.Equal(2, (await new EventExporter(owner, null).ToFileAsync(_out["events"], null, default)).Rows);
    }

    static AggregateSchema Schema(string type) => new()
    {
        Aggregate = type, Events = System.Collections.Immutable.ImmutableSortedDictionary<string, EventDefinition>.Empty.Add("placed", EventDefinition.Any),
    };

    [Theory]
    [InlineData("aggregate.read", false)]
    [InlineData("log.read", false)]
    [InlineData("feed.read", false)]
    [InlineData("*", true)]
    public async Task Events_with_their_salts_are_for_those_who_may_read_the_log(string action, bool allowed)
    {
        await using var database = Open();
        await AppendAsync(database.OpenSession(), "t", "1", """{"a":1}""");
        Assert.True(Grants.TryParse([action], [], out var grants, out _));
        var exporter = new EventExporter(database.OpenSession(new("team", "kim"), grants, null), null);

        if (allowed)
            Assert.Equal(1, (await exporter.ToFileAsync(_out["events"], null, default)).Rows);
        else
            Assert.Equal(RefusalCode.PermissionDenied, (await Assert.ThrowsAsync<RefusedException>(() => exporter.ToFileAsync(_out["events"], null, default))).Refusal.Code);
    }

    [Fact]
    public async Task Memory_stays_flat_however_many_aggregates_there_are()
    {
        await using var database = Database.Open(_store.Options(encrypted: false) with { Durability = Durability.Relaxed });
        var session = database.OpenSession();
        var count = TestTiers.Choose(20_000, 20_000, 200_000);
        for (var first = 0; first < count; first += 1000)
        {
            await session.AppendBatchAsync(
                [.. Enumerable.Range(first, 1000).Select(i => TestStore.Draft(TestStore.Aggregate("t", $"{i:d7}"), $$"""{"n":{{i}},"text":"{{new string('x', 1000)}}"}"""))], default);
        }

        var peak = 0L;
        var floor = GC.GetTotalMemory(forceFullCollection: true);
        var source = new Scripted(session) { BeforePage = page => peak = page % 4 == 0 ? Math.Max(peak, GC.GetTotalMemory(forceFullCollection: true) - floor) : peak };
        var summary = await ExportAsync(source, new() { Output = _out["t.csv"], Type = "t" });

        Assert.Equal(count, summary.Rows);
        Assert.Equal(new FileInfo(_out["t.csv"]).Length, summary.Bytes);
        // Twenty megabytes of states are in the file; a page of them, and what it is written from, in memory.
        Assert.InRange(summary.Bytes, count * 1000L, long.MaxValue);
        Assert.InRange(peak, 0, 12 * 1024 * 1024);
    }

    public void Dispose()
    {
        _out.Dispose();
        _store.Dispose();
    }

    /// <summary>A session's states, with something that happens before each page; of one moment, or each page anew.</summary>
    sealed class Scripted(Session session) : IExportSource, IStateReading
    {
        IStateReading? _states;
        int _pages;

        public Action<int> BeforePage { get; set; } = _ => { };

        public bool Anew { get; init; }

        public IStateReading ReadStates(Timestamp? at)
        {
            (_states, _pages) = (((IExportSource)session).ReadStates(at), 0);
            return this;
        }

        public Task<AggregatePage> ReadAsync(string? type, byte[]? after, bool withState, CancellationToken cancellation)
        {
            BeforePage(++_pages);
            if (Anew)
            {
                _states!.Dispose();
                _states = ((IExportSource)session).ReadStates(null);
            }

            return _states!.ReadAsync(type, after, withState, cancellation);
        }

        public Task<EventSlice> ReadEventsAsync(string? type, string? after, CancellationToken cancellation) =>
            ((IExportSource)session).ReadEventsAsync(type, after, cancellation);

        public void Dispose() => _states!.Dispose();
    }
}
