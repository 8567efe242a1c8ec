namespace EventDbx.Server.Upgrades;

/// <summary>How this program came to where it lies, and who replaces it therefore.</summary>
public abstract record Installation
{
    static readonly string[] s_containerMarks = ["/.dockerenv", "/run/.containerenv"];

    Installation() { }

    /// <summary>One of several versions beside each other, as <c>install.sh</c> lays them out: <c>dbx upgrade</c> replaces it.</summary>
    /// <param name="Root">The directory of the versions.</param>
    public sealed record Versioned(string Root) : Installation;

    /// <summary>Somebody else replaces it.</summary>
    /// <param name="What">How it was installed, for the beginning of a sentence.</param>
    /// <param name="Advice">The command for it.</param>
    public sealed record Managed(string What, string Advice) : Installation;

    /// <summary>Looks.</summary>
    /// <param name="self">How this program is started: its path, and what stands before its own arguments.</param>
    /// <param name="variable">The value of a variable of the environment; null when it is not set.</param>
    /// <param name="marks">Whether a file is there by which containers are known; null: as it is.</param>
    public static Installation Of(IReadOnlyList<string> self, Func<string, string?> variable, Func<string, bool>? marks = null)
    {
        var program = Path.GetFullPath(self[^1]);
        if (File.Exists(program) && File.ResolveLinkTarget(program, returnFinalTarget: true) is { } target)
            program = target.FullName;
        var folder = Path.GetDirectoryName(program)!;
        // Where the system keeps links in the path of a process, this may be the link itself.
        if (Directory.Exists(folder) && Directory.ResolveLinkTarget(folder, returnFinalTarget: true) is { } behind)
            folder = behind.FullName;
        var root = Path.GetDirectoryName(folder);
        if (self.Count == 1 && root is not null && ReleaseVersion.TryParse(Path.GetFileName(folder), out _) && CurrentVersion.Find(root) is not null)
            return new Versioned(root);

        var parts = folder.Replace('\\', '/').Split('/');
        if (parts.Contains(".store") || Directory.Exists(Path.Combine(folder, ".store", "eventdbx.tool")))
            return new Managed("This is a .NET tool", "dotnet tool update --global EventDbx.Tool");
        if (Checkout(folder) is { } checkout)
            return new Managed($"This was built from the checkout {checkout}", "git pull, which is enough: ./dbx builds what is newer");
        // Before the package: an image of ours has its programs where the package has them, and nothing to install packages with.
        if (variable("DOTNET_RUNNING_IN_CONTAINER") is "true" or "1" || s_containerMarks.Any(marks ?? File.Exists))
            return new Managed("This runs in a container", "a container of the newer image, with the same volume");
        if (folder.StartsWith("/usr/", StringComparison.Ordinal) && !folder.StartsWith("/usr/local/", StringComparison.Ordinal))
            return new Managed("This was installed by a package", "apt-get install --only-upgrade eventdbx, or with the new package: apt-get install ./eventdbx_VERSION_ARCH.deb");
        return new Managed($"This lies in the folder {folder} by itself", "install.sh (install.ps1 on Windows), which lays versions beside each other and which `dbx upgrade` goes on with; or unpack the release there by hand");
    }

    static string? Checkout(string folder)
    {
        for (var at = folder; at is not null; at = Path.GetDirectoryName(at))
        {
            if (File.Exists(Path.Combine(at, "EventDbx.slnx")))
                return at;
        }

        return null;
    }
}
