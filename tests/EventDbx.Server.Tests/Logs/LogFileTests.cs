using System.Globalization;
using EventDbx.Server.Logs;

namespace EventDbx.Server.Tests.Logs;

public sealed class LogFileTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();
    readonly ManualClock _clock = new(new(2025, 1, 31, 23, 30, 0, TimeSpan.FromHours(2)), TimeSpan.FromHours(2));
    readonly List<string> _complaints = [];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_new_day_of_the_local_clock_begins_a_new_file_and_the_old_one_is_named_after_its_beginning()
    {
        using (var log = Open())
        {
            log.Write("one\n");
            // 21:59:59 UTC is 23:59:59 here.
            _clock.Now = _clock.Now.AddMinutes(29).AddSeconds(59);
            log.Write("two\n");
            _clock.Now = _clock.Now.AddSeconds(1);
            log.Write("three\n");
        }

        Assert.Equal(["eventdbx.log", "eventdbx_2025-01-31_23-30-00.log"], Names());
        Assert.Equal("one\ntwo\n", Text("eventdbx_2025-01-31_23-30-00.log"));
        Assert.Equal("three\n", Text("eventdbx.log"));
    }

    [Fact]
    public void A_file_that_is_full_is_put_aside_and_names_that_are_taken_get_a_number()
    {
        using (var log = Open(bytesMax: 8))
        {
            foreach (var line in (string[])["12345678\n", "a\n", "bcdefg\n"])
                log.Write(line);
        }

        Assert.Equal(
            ["eventdbx.log", "eventdbx_2025-01-31_23-30-00-1.log", "eventdbx_2025-01-31_23-30-00.log"], Names());
        Assert.Equal("12345678\n", Text("eventdbx_2025-01-31_23-30-00.log"));
        Assert.Equal("a\n", Text("eventdbx_2025-01-31_23-30-00-1.log"));
        Assert.Equal("bcdefg\n", Text("eventdbx.log"));
    }

    [Theory, InlineData(0, true), InlineData(-1, false)]
    public void A_file_of_an_earlier_run_goes_on_the_same_day_and_is_put_aside_on_another(int days, bool goesOn)
    {
        var before = _clock.Now.AddDays(days).AddHours(-1);
        var text = before.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture) + " info  server x\n";
        File.SetLastWriteTimeUtc(_directory.Write("eventdbx.log", text), before.UtcDateTime);

        using (var log = Open())
            log.Write("new\n");

        string[] expected = goesOn ? ["eventdbx.log"] : ["eventdbx.log", "eventdbx_2025-01-30_22-30-00.log"];
        Assert.Equal(expected, Names());
        Assert.Equal(goesOn ? text + "new\n" : "new\n", Text("eventdbx.log"));
    }

    [Fact]
    public void The_newest_so_many_are_kept_and_nothing_is_deleted_that_is_not_ours()
    {
        foreach (var foreign in (string[])["eventdbx_notes.log", "eventdbx_2020-01-01_00-00-00.log.gz", "xeventdbx_2020-01-01_00-00-00.log", "eventdbx_2020-01-01_00-00-00-.log"])
            _directory.Write(foreign, "");
        foreach (var old in (string[])["eventdbx_2020-01-01_00-00-00.log", "eventdbx_2020-01-01_00-00-00-2.log", "eventdbx_2020-01-01_00-00-00-10.log"])
            _directory.Write(old, "");

        using (var log = Open(keptMax: 3))
        {
            log.Write("one\n");
            _clock.Now = _clock.Now.AddDays(1);
            log.Write("two\n");
        }

        Assert.Equal(
            [
                "eventdbx.log", "eventdbx_2020-01-01_00-00-00-.log", "eventdbx_2020-01-01_00-00-00-10.log", "eventdbx_2020-01-01_00-00-00-2.log",
                "eventdbx_2020-01-01_00-00-00.log.gz", "eventdbx_2025-01-31_23-30-00.log", "eventdbx_notes.log", "xeventdbx_2020-01-01_00-00-00.log",
            ], Names());
    }

    [Fact]
    public void A_log_that_cannot_be_written_says_so_once_and_is_tried_again_later()
    {
        // A file where its directory would be.
        _directory.Write("logs", "");
        using var log = new LogFile(_directory["logs"], _clock, _complaints.Add);

        log.Write("lost\n");
        _clock.Now = _clock.Now.AddSeconds(6);
        log.Write("lost\n");
        File.Delete(_directory["logs"]);
        log.Write("still lost: too soon\n");
        _clock.Now = _clock.Now.AddSeconds(6);
        log.Write("kept\n");

        Assert.Equal("kept\n", Text("logs/eventdbx.log"));
        Assert.StartsWith($"The log {_directory["logs/eventdbx.log"]} cannot be written: ", Assert.Single(_complaints), StringComparison.Ordinal);
    }

    [Fact]
    public void Only_the_owner_reads_it_also_where_it_was_there_before()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has no file modes.");
            return;
        }

        _directory.Write("eventdbx.log", "");
        File.SetUnixFileMode(_directory["eventdbx.log"], (UnixFileMode)0b110_100_100);

        using (var log = Open())
            log.Write("x\n");

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory["eventdbx.log"]));
    }

    [Fact]
    [System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public void Every_directory_that_is_made_for_it_is_its_owners_alone_and_one_that_exists_stays_as_it_is()
    {
        const UnixFileMode Open = (UnixFileMode)0b111_101_101, Private = (UnixFileMode)0b111_000_000;
        File.SetUnixFileMode(_directory.Path, Open);
        using (var log = new LogFile(_directory["data/logs"], _clock, _complaints.Add))
            log.Write("one\n");
        Assert.Equal([Open, Private, Private], ((string[])[_directory.Path, _directory["data"], _directory["data/logs"]]).Select(File.GetUnixFileMode));
    }

    LogFile Open(long bytesMax = LogFile.BytesMaxDefault, int keptMax = LogFile.KeptMaxDefault) =>
        new(_directory.Path, _clock, _complaints.Add) { BytesMax = bytesMax, KeptMax = keptMax };

    string Text(string name) => File.ReadAllText(_directory[name]);

    string[] Names() => [.. Directory.GetFiles(_directory.Path).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
