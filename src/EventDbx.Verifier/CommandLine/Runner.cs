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

    public int Run(string[] arguments)
    {
        try
        {
            var line = Parsed.Parse(arguments);
            if (line.Help || line.Command is null)
            {
                output.Write(line.Help ? HelpText.Of(line.Command) : $"dbx-verify {Version}\n");
                return Proven;
            }

            return Show(Check(line), line.Json);
        }
        catch (UsageException usage)
        {
            error.Write($"error: {usage.Message}\n`dbx-verify {(Command.All.Any(command => command.Name == arguments.FirstOrDefault()) ? arguments[0] + " " : "")}--help` shows what it takes.\n");
            return Usage;
        }
        catch (UnreadableException unreadable)
        {
            error.Write($"error: {unreadable.Message}\n");
            return Unreadable;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error.Write($"error: {Printable.Of(e.Message)}\n");
            return Unreadable;
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

    int Show(Report report, bool json)
    {
        output.Write(json ? ReportText.ForPrograms(report) : ReportText.ForPeople(report));
        return report.Verdict switch { Verdict.Proven => Proven, Verdict.Refuted => Refuted, Verdict.Incomplete => Incomplete };
    }

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
