using System.Globalization;
using System.Reflection;
using EventDbx.Verifier.Bundles;
using EventDbx.Verifier.Documents;
using EventDbx.Verifier.Logs;

namespace EventDbx.Verifier.CommandLine;

/// <summary>From a command line to a report and an exit code.</summary>
/// <param name="output">Results.</param>
/// <param name="error">Everything else.</param>
/// <param name="showProgress">Whether somebody looks at <paramref name="error"/>.</param>
internal sealed class Runner(TextWriter output, TextWriter error, bool showProgress)
{
    public const int Proven = 0;
    public const int Unreadable = 1;
    public const int Usage = 2;
    public const int Refuted = 3;
    public const int Incomplete = 5;

    /// <summary>Answers, and sees to it that the answer leaves: a verdict that could not be written is none.</summary>
    public int Run(string[] arguments)
    {
        var (exit, answer) = Answer(arguments);
        try
        {
            output.Write(answer);
            output.Flush();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Say($"error: the answer could not be written: {Printable.Of(e.Message)}\n");
            exit = Unreadable;
        }

        return exit;
    }

    (int Exit, string Answer) Answer(string[] arguments)
    {
        try
        {
            var line = Parsed.Parse(arguments);
            return line.Help ? (Proven, HelpText.Of(line.Command))
                : line.Command is null ? (Proven, $"dbx-verify {Version}\n")
                : Show(Check(line), line.Json);
        }
        catch (UsageException usage)
        {
            Say($"error: {usage.Message}\n`dbx-verify {(Command.All.Any(command => command.Name == arguments.FirstOrDefault()) ? arguments[0] + " " : "")}--help` shows what it takes.\n");
            return (Usage, "");
        }
        catch (UnreadableException unreadable)
        {
            Say($"error: {unreadable.Message}\n");
            return (Unreadable, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Say($"error: {Printable.Of(e.Message)}\n");
            return (Unreadable, "");
        }
    }

    void Say(string text)
    {
        try
        {
            error.Write(text);
            error.Flush();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Nobody is left to be told; the exit code says it.
        }
    }

    static string Version => typeof(Runner).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "";

    Report Check(Parsed line)
    {
        var report = new Report(line.Command!.Name);
        try
        {
            switch (line.Command.Name)
            {
                case "event": Event(line, report); break;
                case "aggregate": Aggregate(line, report); break;
                case "consistency": Consistency(line, report); break;
                case "log": Log(line, report); break;
                default: Bundle(line, report); break;
            }
        }
        catch (RefutedException refuted)
        {
            report.Refute(refuted.Message);
        }
        catch (IncompleteException incomplete)
        {
            report.Misses(incomplete.Message);
        }

        return report;
    }

    static (int Exit, string Answer) Show(Report report, bool json) => (
        report.Verdict switch { Verdict.Proven => Proven, Verdict.Refuted => Refuted, Verdict.Incomplete => Incomplete },
        json ? ReportText.ForPrograms(report) : ReportText.ForPeople(report));

    static void Event(Parsed line, Report report)
    {
        var trust = Trusted.By(line);
        var leaf = Hash(line, "--hash");
        var file = Files.Read(line.Values[0]);
        if (TlogProof.Begins(file.Span))
            Receipt.CheckLeaf(file, leaf ?? throw new UsageException("a bare tlog-proof says nothing about what it proves: give the leaf hash with --hash."), trust, report);
        else if (leaf is not null)
            throw new UsageException("--hash goes with a bare tlog-proof; a receipt has its hash.");
        else
            Receipt.Check(file, trust, report);
    }

    static void Aggregate(Parsed line, Report report)
    {
        var known = (Hash(line, "--from-root"), Hash(line, "--to-root"));
        Documents.Consistency.CheckAggregate(Files.Read(line.Values[0]), known, report);
    }

    static void Consistency(Parsed line, Report report)
    {
        var trust = Trusted.By(line);
        if (line.Values.Count(value => value == "-") > 1)
            throw new UsageException("standard input can be one of the three files only.");
        var old = Checkpoint.Parse(Files.Read(line.Values[0], Limits.NoteBytesMax).Span, "The older checkpoint");
        var now = Checkpoint.Parse(Files.Read(line.Values[1], Limits.NoteBytesMax).Span, "The newer checkpoint");
        Documents.Consistency.CheckLog(old, now, Files.Read(line.Values[2]), trust, report);
    }

    void Log(Parsed line, Report report)
    {
        var (path, trust) = (line.Values[0], Trusted.By(line));
        var since = Since(line);
        if (!Directory.Exists(path))
        {
            if (since is not null)
                throw new UsageException("--since goes with a mirror; between two checkpoint files there is `consistency`.");
            report.Checkpoint = Checkpoint.Parse(Files.Read(path, Limits.NoteBytesMax).Span, "The checkpoint");
            trust.Judge(report.Checkpoint, report);
            report.ProvesCheckpoint();
            report.LeavesOpen("what the entries are, and that the log says the same to others, or later.");
        }
        else if (File.Exists(Path.Combine(path, "checkpoint")))
        {
            using var progress = new Progress(error, showProgress);
            new Mirror(path, since, report) { Progress = leaves => progress.Show(() => string.Create(CultureInfo.InvariantCulture, $"{leaves:N0} leaves")) }.Check(trust);
        }
        else if (Directory.EnumerateFiles(path, Anchors.Pattern).Any())
        {
            if (since is not null)
                throw new UsageException("--since goes with a mirror, not with a directory of checkpoints.");
            Anchors.Check(path, trust, report);
        }
        else
        {
            throw new UnreadableException($"{Printable.Quoted(path)} has neither a file `checkpoint` nor files *.checkpoint: there is nothing to check in it.");
        }
    }

    void Bundle(Parsed line, Report report)
    {
        var (trust, since) = (Trusted.By(line), Since(line));
        var path = line.Values[0];
        using var stream = Files.Open(path);
        var size = stream.CanSeek ? stream.Length : 0;
        using var progress = new Progress(error, showProgress);
        new Bundle(trust, since, report)
        {
            Progress = read => progress.Show(() => size > 0
                ? string.Create(CultureInfo.InvariantCulture, $"{100 * read / size} % of {size / 1_000_000:N0} MB")
                : string.Create(CultureInfo.InvariantCulture, $"{read / 1_000_000:N0} MB")),
        }.Check(stream);
    }

    static Checkpoint? Since(Parsed line) => line.One("--since") is { } path
        ? Checkpoint.Parse(Files.Read(path, Limits.NoteBytesMax).Span, "The checkpoint that you kept")
        : null;

    static Digest? Hash(Parsed line, string name)
    {
        if (line.One(name) is not { } text)
            return null;
        return Digest.TryParseHex(System.Text.Encoding.UTF8.GetBytes(text), out var digest)
            ? digest
            : throw new UsageException($"{name} wants a hash, 64 lower-case hex digits, not {Printable.Quoted(text)}.");
    }
}
