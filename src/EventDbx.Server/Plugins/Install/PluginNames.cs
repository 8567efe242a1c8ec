using System.Buffers;

namespace EventDbx.Server.Plugins.Install;

/// <summary>Names and versions of plugins: one component of a path, the same on every system.</summary>
internal static class PluginNames
{
    const int CharactersMax = 64;

    static readonly SearchValues<char> Allowed = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+");

    /// <summary>What Windows opens a device for, with any extension.</summary>
    static readonly string[] Devices =
        ["con", "prn", "aux", "nul", .. Enumerable.Range(0, 10).SelectMany(number => new[] { $"com{number}", $"lpt{number}" })];

    /// <param name="text">What was given.</param>
    /// <param name="what">What it is, for the message: <c>name</c>, <c>version</c>.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidName"/>.</exception>
    public static void Check(string text, string what)
    {
        if (text.Length == 0)
            throw new RefusedException(RefusalCode.InvalidName, $"plugin {(what == "name" ? "identifier" : what)} cannot be empty");
        if (text.Length > CharactersMax || text.AsSpan().ContainsAnyExcept(Allowed) || text[0] is '.' or '-' || text[^1] == '.' || IsDevice(text))
        {
            throw new RefusedException(RefusalCode.InvalidName,
                $"The {what} of a plugin becomes the name of a directory: at most {CharactersMax} letters, digits, '.', '_', '-' and '+', neither '.' nor '-' first, not '.' last, and no name of a device; \"{Rest.Shown.Of(text)}\" is not that.");
        }
    }

    /// <summary>Whether Windows takes it for a device: <c>nul</c>, <c>COM1.txt</c>.</summary>
    public static bool IsDevice(ReadOnlySpan<char> name)
    {
        var dot = name.IndexOf('.');
        var stem = (dot < 0 ? name : name[..dot]).TrimEnd(' ');
        foreach (var device in Devices)
        {
            if (stem.Equals(device, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }
}
