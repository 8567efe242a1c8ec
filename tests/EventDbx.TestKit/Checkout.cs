namespace EventDbx.TestKit;

/// <summary>Where things lie in the checkout that the tests were built from.</summary>
public static class Checkout
{
    /// <summary>The directory with <c>EventDbx.slnx</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Golden files, shared by all test projects.</summary>
    public static string TestData { get; } = Path.Combine(Root, "tests", "testdata");

    /// <summary>Real data beside the checkout, if someone put it there: <c>../shared/data/…</c>; null when it is absent.</summary>
    public static string? SharedData(string path) =>
        Path.Combine(Root, "..", "shared", "data", path) is var full && (File.Exists(full) || Directory.Exists(full))
            ? Path.GetFullPath(full)
            : null;

    static string FindRoot()
    {
        for (var directory = AppContext.BaseDirectory; directory is not null; directory = Path.GetDirectoryName(directory))
        {
            if (File.Exists(Path.Combine(directory, "EventDbx.slnx")))
                return directory;
        }

        throw new DirectoryNotFoundException($"No EventDbx.slnx above {AppContext.BaseDirectory}.");
    }
}
