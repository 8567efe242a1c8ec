namespace EventDbx.TestKit;

/// <summary>Text that is kept in <c>tests/testdata</c> and reviewed when it changes.</summary>
public static class Golden
{
    /// <summary>The kept text; with <c>UPDATE_GOLDEN=1</c> it becomes <paramref name="actual"/> first.</summary>
    /// <param name="path">Below <c>tests/testdata</c>.</param>
    /// <param name="actual">What the program says now.</param>
    public static string Expected(string path, string actual)
    {
        var full = Path.Combine(Checkout.TestData, path);
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            File.WriteAllText(full, actual);
        }

        return File.Exists(full) ? File.ReadAllText(full) : $"(no {path}; run the tests with UPDATE_GOLDEN=1 and read the difference)";
    }
}
