using System.Runtime.InteropServices;

namespace EventDbx.Server.Plugins.Install;

/// <summary>For which machines a program is built: <c>&lt;os&gt;-&lt;arch&gt;</c>, such as <c>linux-x86_64</c>, <c>macos-aarch64</c>.</summary>
public static class PluginTarget
{
    /// <summary>This machine's.</summary>
    public static string Current { get; } = $"{OperatingSystemName()}-{ArchitectureName()}";

    /// <summary>The same target in the form that we write: triples (<c>x86_64-apple-darwin</c>, <c>aarch64-unknown-linux-gnu</c>) are understood; anything else stays as it is.</summary>
    public static string Normalize(string target)
    {
        var parts = target.Trim().Split('-');
        if (parts.Length < 3)
            return target.Trim();
        var system = parts.Skip(1).Select(part => part switch
        {
            "darwin" => "macos",
            "linux" or "windows" or "freebsd" => part,
            _ => null,
        }).FirstOrDefault(known => known is not null);
        return system is null ? target.Trim() : $"{system}-{parts[0]}";
    }

    static string OperatingSystemName() =>
        OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "macos" : OperatingSystem.IsFreeBSD() ? "freebsd" : "linux";

    static string ArchitectureName() => RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => "x86_64",
        Architecture.Arm64 => "aarch64",
        Architecture.X86 => "x86",
        Architecture.Arm or Architecture.Armv6 => "arm",
        var other => other.ToString().ToLowerInvariant(),
    };
}
