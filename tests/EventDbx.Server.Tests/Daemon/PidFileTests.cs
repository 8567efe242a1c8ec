using System.Diagnostics;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

public sealed class PidFileTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void It_says_which_process_and_since_when_and_only_its_owner_reads_it()
    {
        var file = new PidFile(4711, "2025-01-01T10:00:00Z", 99, "/x/eventdbx.log");

        file.Write(_directory.Path);

        Assert.Equal(
            """{"pid":4711,"started_at":"2025-01-01T10:00:00Z","process_start":99,"log_file":"/x/eventdbx.log"}""",
            File.ReadAllText(_directory["eventdbx.pid"]));
        Assert.Equal(file, PidFile.Read(_directory.Path));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory["eventdbx.pid"]));
    }

    [Theory]
    [InlineData("4711\n", 4711)]
    [InlineData("""{"pid":4711,"started_at":"2025-01-01T00:00:00.123456789Z"}""", 4711)]
    [InlineData("", null), InlineData("-1", null), InlineData("{", null), InlineData("none", null)]
    public void Older_forms_are_read_and_anything_else_is_nothing(string text, int? pid)
    {
        _directory.Write("eventdbx.pid", text);

        Assert.Equal(pid, PidFile.Read(_directory.Path)?.Pid);
        Assert.Null(PidFile.Read(_directory.Path)?.Identity);
    }

    [Fact]
    public void A_file_that_names_the_next_server_already_is_left_alone()
    {
        var own = new PidFile(1, "a", 1);
        var next = new PidFile(2, "b", 2);
        next.Write(_directory.Path);

        own.RemoveOwn(_directory.Path);
        Assert.Equal(next, PidFile.Read(_directory.Path));

        next.RemoveOwn(_directory.Path);
        Assert.False(PidFile.IsIn(_directory.Path));
    }

    [Fact]
    public async Task A_process_is_told_from_a_later_one_of_the_same_number_and_from_one_that_ended()
    {
        using var sleep = Process.Start(new ProcessStartInfo("sleep", "60"))!;
        var identity = ProcessIdentity.Find(sleep.Id)!.Value;

        Assert.True(identity.Runs);
        Assert.False((identity with { Start = identity.Start - 1 }).Runs);
        sleep.Kill();
        await sleep.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.False(identity.Runs);
        Assert.Null(ProcessIdentity.Find(0));
        Assert.Null(ProcessIdentity.Find(-1));
        Assert.True(ProcessIdentity.Own.Runs);
    }

    [Theory]
    [InlineData(0, 0, 0, 0, "under 1s"), InlineData(0, 0, 0, 1, "1s"), InlineData(0, 2, 5, 3, "2h 5m 3s"), InlineData(1, 2, 5, 3, "1d 2h 5m")]
    [InlineData(1, 0, 5, 3, "1d 5m 3s"), InlineData(400, 0, 0, 0, "400d"), InlineData(0, 0, 0, -1, "unknown duration")]
    public void A_duration_has_its_published_form(int days, int hours, int minutes, int seconds, string expected) =>
        Assert.Equal(expected, Uptime.Text(new TimeSpan(days, hours, minutes, seconds)));
}
