namespace EventDbx.Tests;

/// <summary>Finds the public corpora, which lie beside the repository and are read in place (<c>shared/data</c>).</summary>
public static class TestData
{
    static readonly string? Root = Find();

    /// <summary>A folder of a corpus. Where there is none, the test is skipped and says so in one line.</summary>
    /// <param name="folder">Relative to <c>shared/data</c>, for example <c>json-parsing/test_parsing</c>.</param>
    public static string Folder(string folder)
    {
        var path = Root is null ? null : Path.Combine(Root, folder);
        if (path is null || !Directory.Exists(path))
            Assert.Skip($"no public test data here: shared/data/{folder} stands in no folder above {AppContext.BaseDirectory}");
        return path;
    }

    static string? Find()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            var data = Path.Combine(at.FullName, "shared", "data");
            if (Directory.Exists(data))
                return data;
        }

        return null;
    }
}
