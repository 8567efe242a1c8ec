namespace EventDbx.Server.Plugins.Install;

/// <summary>Which file of a bundle is the program.</summary>
internal static class BundleProgram
{
    const int ShownMax = 20;

    /// <param name="files">Relative paths, in order.</param>
    /// <param name="name">Of the plugin.</param>
    /// <param name="bin">The name of the file; null: the only file, or the only one that is named like the plugin.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>.</exception>
    public static string Find(IEnumerable<string> files, string name, string? bin)
    {
        List<string> all = [.. files];
        if (all.Count == 0)
            throw Refused("plugin bundle did not contain any files");
        if (bin is not null)
        {
            return all.Find(file => FileName(file).SequenceEqual(bin))
                ?? throw Refused($"plugin bundle has no file named '{bin}'. it has: {Listed(all)}");
        }

        if (all.Count == 1)
            return all[0];
        var named = all.FindAll(file => FileName(file).SequenceEqual(name) || FileName(file).SequenceEqual(name + ".exe"));
        return named.Count == 1 ? named[0] : throw Refused($"plugin bundle contains multiple files; specify --bin <filename>. candidates: {Listed(all)}");
    }

    static ReadOnlySpan<char> FileName(string file) => file.AsSpan(file.LastIndexOf('/') + 1);

    static string Listed(List<string> files) =>
        string.Join(", ", files.Take(ShownMax).Select(Rest.Shown.Of)) + (files.Count > ShownMax ? $" and {files.Count - ShownMax} more" : "");

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, message);
}
