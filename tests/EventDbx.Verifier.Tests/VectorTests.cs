using System.Text;
using EventDbx.Verifier.CommandLine;
using EventDbx.Verifier.Tests.Vectors;

namespace EventDbx.Verifier.Tests;

/// <summary>The vectors in <c>tests/testdata/proofs</c>, as another implementer finds them.</summary>
public sealed class VectorTests
{
    static readonly string Place = Path.Combine(Checkout.TestData, "proofs");

    [Fact]
    public void The_kept_vectors_are_those_that_are_made()
    {
        var made = new VectorSet();
        Dictionary<string, byte[]> files = new(made.Files) { ["index.tsv"] = Encoding.UTF8.GetBytes(made.Index()) };
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
            Write(files);

        var kept = Directory.EnumerateFiles(Place, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Place, path).Replace('\\', '/')).Where(path => path != "sentences.txt").Order(StringComparer.Ordinal);
        Assert.Equal(files.Keys.Order(StringComparer.Ordinal), kept);
        Assert.All(files, file => Assert.True(File.ReadAllBytes(Path.Combine(Place, file.Key)).AsSpan().SequenceEqual(file.Value), file.Key));
    }

    [Fact]
    public void Each_vector_ends_and_begins_as_the_index_says()
    {
        var (good, bad, wrong) = (0, 0, new StringBuilder());
        foreach (var line in File.ReadLines(Path.Combine(Place, "index.tsv")).Skip(1))
        {
            var columns = line.Split('\t');
            var (exit, output, error) = Run(columns[0]);

            if (columns[1] != $"{exit}" || !output.StartsWith(columns[2], StringComparison.Ordinal) || error.Length > 0)
                wrong.Append($"dbx-verify {columns[0]}\nexit {exit}, and {columns[1]} belongs here\n{output}{error}expected: {columns[2]}\n\n");
            (good, bad) = exit == 0 ? (good + 1, bad) : (good, bad + 1);
        }

        Assert.True(wrong.Length == 0, wrong.ToString());
        Assert.True(good > 25 && bad > 80, $"{good} good, {bad} bad");
    }

    [Fact]
    public void The_page_counts_the_vectors()
    {
        var exits = File.ReadLines(Path.Combine(Place, "index.tsv")).Skip(1).Select(line => line.Split('\t')[1]).ToArray();

        Assert.Contains(
            $"for {exits.Count(exit => exit != "3")} command lines\nthat end well or incomplete and {exits.Count(exit => exit == "3")} that do not",
            File.ReadAllText(Path.Combine(Checkout.Root, "docs", "proofs.md")).ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_sentences_are_as_kept()
    {
        var said = new StringBuilder();
        foreach (var line in File.ReadLines(Path.Combine(Place, "index.tsv")).Skip(1))
        {
            var arguments = line.Split('\t')[0];
            var (exit, output, error) = Run(arguments);
            said.Append($"$ dbx-verify {arguments}\n{output}{error}(exit {exit})\n\n");
        }

        Assert.Equal(Golden.Expected("proofs/sentences.txt", said.ToString()), said.ToString());
    }

    [Fact]
    public void The_answer_for_programs_has_the_same_exit_code_and_is_JSON()
    {
        foreach (var line in File.ReadLines(Path.Combine(Place, "index.tsv")).Skip(1))
        {
            var columns = line.Split('\t');
            var (exit, output, _) = Run(columns[0] + " --json");

            using var json = System.Text.Json.JsonDocument.Parse(output);
            var verdict = json.RootElement.GetProperty("verdict").GetString();
            Assert.Equal(columns[1], $"{exit}");
            Assert.Equal(exit switch { 0 => "proven", 3 => "refuted", _ => "incomplete" }, verdict);
            Assert.Equal(exit == 3, json.RootElement.GetProperty("refuted").ValueKind == System.Text.Json.JsonValueKind.String);
            if (exit == 3)
            {
                Assert.Equal("""null null []""", $"{json.RootElement.GetProperty("checkpoint").GetRawText()} {json.RootElement.GetProperty("key").GetRawText()} {json.RootElement.GetProperty("witnesses").GetRawText()}");
                Assert.All((string[])["event", "events", "aggregates", "control_entries"], name => Assert.False(json.RootElement.TryGetProperty(name, out _), $"{line}: {name}"));
            }

            Assert.Equal(exit == 5, json.RootElement.GetProperty("missing").GetArrayLength() > 0);
        }
    }

    /// <summary>Runs the program in this process, in the directory of the vectors.</summary>
    static (int Exit, string Output, string Error) Run(string arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var exit = new Runner(output, error, showProgress: false).Run([.. arguments.Split(' ').Select(Placed)]);
        return (exit, output.ToString().Replace(Place + Path.DirectorySeparatorChar, "", StringComparison.Ordinal), error.ToString());
    }

    static string Placed(string argument) =>
        argument.StartsWith("good/", StringComparison.Ordinal) || argument.StartsWith("bad/", StringComparison.Ordinal) ? Path.Combine(Place, argument)
        : argument.StartsWith('@') ? "@" + Path.Combine(Place, argument[1..]) : argument;

    static void Write(Dictionary<string, byte[]> files)
    {
        foreach (var directory in new[] { "good", "bad" }.Select(name => Path.Combine(Place, name)).Where(Directory.Exists))
            Directory.Delete(directory, recursive: true);
        foreach (var (name, bytes) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(Place, name))!);
            File.WriteAllBytes(Path.Combine(Place, name), bytes);
        }
    }
}
