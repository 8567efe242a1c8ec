using EventDbx.Server.Configuration;
using EventDbx.Server.Logs;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Logs;

public sealed class LogSettingsTests
{
    [Theory]
    [InlineData(null, LogLevel.Information), InlineData("", LogLevel.Information), InlineData("error", LogLevel.Error), InlineData("warn", LogLevel.Warning)]
    [InlineData("info", LogLevel.Information), InlineData("DEBUG", LogLevel.Debug), InlineData(" trace ", LogLevel.Trace)]
    public void The_environment_says_how_much_is_logged(string? value, LogLevel expected) =>
        Assert.Equal(expected, Of(("EVENTDBX_LOG", value)).Level);

    [Theory, InlineData("verbose"), InlineData("warning"), InlineData("2")]
    public void A_level_that_is_none_is_refused_with_those_there_are(string value)
    {
        var refused = Assert.Throws<ConfigException>(() => Of(("EVENTDBX_LOG", value)));

        Assert.Equal($"The environment variable EVENTDBX_LOG must be error, warn, info, debug, trace, not `{value}`.", refused.Message);
    }

    [Theory, InlineData(null, "/data/logs/eventdbx.log"), InlineData("/var/log/x", "/var/log/x/eventdbx.log"), InlineData("here", "/srv/here/eventdbx.log")]
    public void It_lies_in_the_data_directory_or_where_the_environment_says(string? value, string expected) =>
        Assert.Equal(expected, Of(("EVENTDBX_LOG_DIR", value)).File);

    [Fact]
    public void What_a_client_sent_cannot_forge_a_line_or_move_a_cursor()
    {
        var line = new LogLine(
            Timestamp.From(new DateTimeOffset(2025, 1, 2, 3, 4, 5, 678, TimeSpan.Zero)), LogLevel.Warning, "rest",
            "refused path=/a\n2025-01-01T00:00:00.000Z info  server forged\u001b[2J\u2028\u202e", new IOException("full \"disk\""));

        var text = LogText.Of(line);

        Assert.Equal(
            "2025-01-02T03:04:05.678Z warn  rest refused path=/a\\n2025-01-01T00:00:00.000Z info  server forged\\u001b[2J\\u2028\\u202e" +
            " error=\"System.IO.IOException: full \\\"disk\\\"\"\n", text);
    }

    [Fact]
    public void In_the_foreground_every_line_goes_to_standard_error_too_and_a_closed_one_harms_nothing()
    {
        using var directory = new TemporaryDirectory();
        var errors = new StringWriter();
        using var log = new ServerLog(new(directory.Path, LogLevel.Information), errors, echo: true, TimeProvider.System);

        log.Write(new LogLine(Timestamp.MinValue, LogLevel.Debug, "rest", "too little"));
        log.Write(new LogLine(Timestamp.MinValue, LogLevel.Information, "rest", "one"));
        errors.Dispose();
        log.Write(new LogLine(Timestamp.MinValue, LogLevel.Information, "rest", "two"));

        Assert.Equal("0001-01-01T00:00:00.000Z info  rest one\n", errors.ToString());
        Assert.Equal(errors + "0001-01-01T00:00:00.000Z info  rest two\n", File.ReadAllText(directory["eventdbx.log"]));
    }

    static LogSettings Of(params (string Name, string? Value)[] variables) =>
        LogSettings.Of("/data", name => variables.FirstOrDefault(one => one.Name == name).Value, "/srv");
}
