using EventDbx.Events;

namespace EventDbx.Tests.Events;

/// <summary>The JSONTestSuite texts: y_ must be accepted, n_ refused, i_ are ours to choose, and none may crash.</summary>
public sealed class JsonCorpusTests
{
    const string Corpus = "json-parsing/test_parsing";

    [Fact]
    public void Every_text_that_must_be_accepted_is_accepted_but_for_duplicate_members()
    {
        var refused = Texts("y_*").Where(file => !Accepts(file)).Select(Path.GetFileName).Order(StringComparer.Ordinal);

        Assert.Equal(["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"], refused);
    }

    [Fact]
    public void Every_text_that_must_be_refused_is_refused() =>
        Assert.Empty(Texts("n_*").Where(Accepts).Select(Path.GetFileName));

    [Fact]
    public void Of_the_texts_left_open_we_accept_the_numbers_and_refuse_the_rest()
    {
        var accepted = Texts("i_*").Where(Accepts).Select(Path.GetFileName);

        Assert.All(accepted, name => Assert.StartsWith("i_number_", name, StringComparison.Ordinal));
        Assert.Equal(Texts("i_number_*").Length, accepted.Count());
    }

    static string[] Texts(string pattern)
    {
        var files = Directory.GetFiles(TestData.Folder(Corpus), pattern);
        Assert.NotEmpty(files);
        return files;
    }

    static bool Accepts(string file)
    {
        var accepted = JsonPayload.TryParse(File.ReadAllBytes(file), out var payload, out var refusal);
        if (accepted)
            Assert.True(JsonPayload.TryParse(payload.Text.Span, out _, out _), "the minified text is not accepted again");
        else
            Assert.NotEqual("", refusal.Message);
        return accepted;
    }
}
