namespace EventDbx.Server.Plugins.Install;

/// <summary>Whence a bundle is fetched.</summary>
/// <param name="Address">Null: it is a file.</param>
/// <param name="Path">Null: it is an address.</param>
internal sealed record BundleSource(Uri? Address, string? Path)
{
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>.</exception>
    public static BundleSource Parse(string text, bool hasChecksum)
    {
        text = text.Trim();
        if (text.Length == 0)
            throw Refused("A plugin needs a source: a file, or an https:// address.");
        if (!text.Contains("://", StringComparison.Ordinal))
            return new(null, System.IO.Path.GetFullPath(text));
        if (!Uri.TryCreate(text, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            throw Refused($"A plugin is fetched from a file, or from an https:// address; \"{Rest.Shown.Of(text.Split('?')[0])}\" is neither.");
        Check(address, hasChecksum);
        return new(address, null);
    }

    /// <summary>Whether an address may be asked; redirects are held against it as well.</summary>
    public static void Check(Uri address, bool hasChecksum)
    {
        if (address.UserInfo.Length > 0)
            throw Refused("An address with a name or password in it is not fetched: it would stand in the list of processes and in the registry. Fetch the file yourself, and name it as the source.");
        if (address.Scheme == "http" && !hasChecksum)
            throw Refused($"{Shown(address)} is not encrypted, so anybody on the way could change what is installed: use https, or --checksum.");
    }

    /// <summary>An address as it may be shown and kept: what stands behind a question mark is often a secret.</summary>
    public static string Shown(Uri address) => address.GetLeftPart(UriPartial.Path);

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, message);
}
