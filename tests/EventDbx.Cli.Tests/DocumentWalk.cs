using System.Text.RegularExpressions;

namespace EventDbx.Cli.Tests;

/// <summary>A reader who types what a document says, block by block, in an empty home, and expects to see what it shows.</summary>
/// <remarks>A block <c>sh</c> is run; a block <c>text</c> behind it is what it prints, among other lines, where <c>…</c> stands for anything.</remarks>
internal sealed partial class DocumentWalk : IAsyncDisposable
{
    /// <summary>Ports that documents name. They may be taken here, so others stand for them everywhere.</summary>
    static readonly string[] Ports = ["7070", "7465", "7171"];

    readonly string _home;
    readonly Dictionary<string, string> _ports;

    /// <summary>For other nodes. Documents name the published one as that of another machine, so it stays as it is in them.</summary>
    readonly int _peerPort = FreePort.Take();

    /// <summary>What the commands find in their environment beside that.</summary>
    public Dictionary<string, string> Environment { get; } = [];

    DocumentWalk(string home) => (_home, _ports) = (home, FreePorts());

    /// <summary>With a program that lies in the home already, as <c>dbx</c>.</summary>
    public static DocumentWalk Begin(string home) => new(home);

    /// <summary>Puts the programs into a home, built.</summary>
    /// <param name="home">Empty.</param>
    /// <param name="programs">Scripts of the checkout.</param>
    public static async Task<DocumentWalk> BeginAsync(TemporaryDirectory home, params string[] programs)
    {
        foreach (var program in programs)
        {
            var script = Path.Combine(Checkout.Root, program);
            File.CreateSymbolicLink(home[program], script);
            // If something is to be built, with the packages of the real home.
            Assert.Equal(ExitCode.Done, (await Program.RunAsync(script, home.Path, home: null, "--version")).Code);
        }

        return new(home.Path);
    }

    /// <summary>Runs every block of a document, and returns how many there are.</summary>
    public async Task<int> FollowAsync(params string[] document) => await FollowAsync(document[^1], await TextAsync(document));

    /// <summary>The same for one section, its heading named, after a change of what it says.</summary>
    public async Task<int> FollowSectionAsync(string heading, Func<string, string> change, params string[] document)
    {
        var text = await TextAsync(document);
        var begin = text.IndexOf($"\n## {heading}\n", StringComparison.Ordinal);
        Assert.True(begin >= 0, heading);
        var end = text.IndexOf("\n## ", begin + 1, StringComparison.Ordinal);
        return await FollowAsync(document[^1], change(text[begin..(end < 0 ? text.Length : end)]));
    }

    /// <summary>Every block of a document is one that a walk runs, or what one prints: none is shown that nobody tries.</summary>
    public static async Task DemandBlocksAsync(params string[] document)
    {
        var fences = Fence().Matches(await TextAsync(document)).Select(static fence => fence.Groups[1].Value).ToList();
        Assert.All(fences, static fence => Assert.Contains(fence, (string[])["sh", "text", ""]));
        Assert.Equal(fences.Count, 2 * fences.Count(static fence => fence.Length > 0));
    }

    static Task<string> TextAsync(string[] document) => File.ReadAllTextAsync(Path.Combine([Checkout.Root, .. document]), TestContext.Current.CancellationToken);

    async Task<int> FollowAsync(string name, string document)
    {
        var (said, ran) = ("", 0);
        foreach (var (language, text) in Blocks(document))
        {
            if (language == "text")
            {
                Shows(name, Here(text), said);
            }
            else if (language == "sh")
            {
                var outcome = await Program.RunAsync(
                    "bash", _home, _home, "-euo", "pipefail", "-c", $"export EVENTDBX_PORT={_ports["7070"]} EVENTDBX_ADMIN_PORT={_ports["7171"]} EVENTDBX_SOCKET_BIND_ADDR=127.0.0.1:{_peerPort}{Exports}\n{Here(WithoutTests(text))}");
                Assert.True(outcome.Code == ExitCode.Done, $"{text}\n{outcome.Out}\n{outcome.Error}");
                (said, ran) = (outcome.Out, ran + 1);
            }
        }

        return ran;
    }

    /// <summary>Where a step fails, what it started is not to stay.</summary>
    public async ValueTask DisposeAsync()
    {
        await Program.RunAsync(Path.Combine(_home, "dbx"), _home, _home, "stop");
        foreach (var file in Directory.GetFiles(_home, "*.pid"))
            await Program.RunAsync("bash", _home, _home, "-c", $"kill \"$(cat '{file}')\" || true");
    }

    string Exports => string.Concat(Environment.Select(static variable => $" {variable.Key}='{variable.Value}'"));

    string Here(string text) => _ports.Aggregate(text, (so, port) => so.Replace(port.Key, port.Value, StringComparison.Ordinal));

    static Dictionary<string, string> FreePorts() => Ports.ToDictionary(port => port, _ => $"{FreePort.Take()}");

    /// <summary>Every line shown was printed, in that order.</summary>
    static void Shows(string document, string shown, string said)
    {
        var printed = new Queue<string>(said.Split('\n'));
        foreach (var line in shown.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var pattern = $"^{Regex.Escape(line).Replace("…", ".*", StringComparison.Ordinal)}$";
            while (printed.Count > 0 && !Regex.IsMatch(printed.Peek(), pattern))
                printed.Dequeue();
            Assert.True(printed.Count > 0, $"This line of {document} was not printed: {line}\nPrinted were:\n{said}");
        }
    }

    static IEnumerable<(string Language, string Text)> Blocks(string markdown) =>
        Fenced().Matches(markdown).Select(match => (match.Groups["language"].Value, match.Groups["text"].Value));

    /// <summary>The tests do not run themselves.</summary>
    static string WithoutTests(string block) =>
        string.Join('\n', block.Split('\n').Where(line => !line.StartsWith("./test", StringComparison.Ordinal)));

    [GeneratedRegex("^```(.*)$", RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex("^```(?<language>[a-z]*)\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fenced();
}
