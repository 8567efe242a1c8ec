using System.Text.RegularExpressions;

namespace EventDbx.Cli.Tests;

/// <summary>What the README tells a newcomer to type works as it stands, in an empty home.</summary>
public sealed partial class ReadmeTests
{
    [Fact]
    public async Task Its_commands_run_in_an_empty_home_and_print_what_it_shows()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The commands are for a shell.");
        using var home = new TemporaryDirectory();
        var script = Path.Combine(Checkout.Root, "dbx");
        File.CreateSymbolicLink(home["dbx"], script);

        // If something is to be built, with the packages of the real home.
        Assert.Equal(ExitCode.Done, (await Program.RunAsync(script, home.Path, home: null, "--version")).Code);
        // The port of the README may be taken here: another one stands for it everywhere.
        var port = FreePort();
        try
        {
            Assert.True(await FollowAsync(home, port) > 5);
            if (!OperatingSystem.IsWindows())
            {
                foreach (var secret in (string[])["token", "token.txt"])
                    Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(home[secret]));
            }
        }
        finally
        {
            // Where a step fails, its server is not to stay.
            await Program.RunAsync(script, home.Path, home.Path, "stop");
        }
    }

    /// <summary>Runs every block, and returns how many there are.</summary>
    static async Task<int> FollowAsync(TemporaryDirectory home, string port)
    {
        var (said, ran) = ("", 0);
        foreach (var (language, text) in Blocks(await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "README.md"), TestContext.Current.CancellationToken)))
        {
            if (language == "text")
            {
                Shows(text.Replace("7070", port, StringComparison.Ordinal), said);
            }
            else if (language == "sh")
            {
                var outcome = await Program.RunAsync(
                    "bash", home.Path, home.Path, "-euo", "pipefail", "-c", $"export EVENTDBX_PORT={port}\n{WithoutTests(text).Replace("7070", port, StringComparison.Ordinal)}");
                Assert.True(outcome.Code == ExitCode.Done, $"{text}\n{outcome.Error}");
                (said, ran) = (outcome.Out, ran + 1);
            }
        }

        return ran;
    }

    static string FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return $"{((System.Net.IPEndPoint)listener.LocalEndpoint).Port}";
    }

    /// <summary>Every line shown was printed, in that order; <c>…</c> stands for anything.</summary>
    static void Shows(string shown, string said)
    {
        var printed = new Queue<string>(said.Split('\n'));
        foreach (var line in shown.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var pattern = $"^{Regex.Escape(line).Replace("…", ".*", StringComparison.Ordinal)}$";
            while (printed.Count > 0 && !Regex.IsMatch(printed.Peek(), pattern))
                printed.Dequeue();
            Assert.True(printed.Count > 0, $"This line of the README was not printed: {line}\nPrinted were:\n{said}");
        }
    }

    static IEnumerable<(string Language, string Text)> Blocks(string markdown) =>
        Fenced().Matches(markdown).Select(match => (match.Groups["language"].Value, match.Groups["text"].Value));

    /// <summary>The tests do not run themselves.</summary>
    static string WithoutTests(string block) =>
        string.Join('\n', block.Split('\n').Where(line => !line.StartsWith("./test", StringComparison.Ordinal)));

    [GeneratedRegex("^```(?<language>[a-z]*)\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fenced();
}
