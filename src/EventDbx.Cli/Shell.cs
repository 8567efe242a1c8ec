using System.Text;
using EventDbx.Cli.Output;

namespace EventDbx.Cli;

/// <summary>What a command may touch of the world around it: streams, environment, working directory, clock.</summary>
internal sealed record Shell : IDisposable
{
    public required TextReader In { get; init; }

    /// <summary>The same, for what is read as bytes: payloads and imports. One of the two is used, never both.</summary>
    public required Func<Stream> OpenIn { get; init; }

    /// <summary>Results, and nothing else.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>The same, for a result that is no text. One of the two is used, never both.</summary>
    public Func<Stream> OpenOut { get; init; } = static () => Stream.Null;

    /// <summary>Everything that is not a result: errors, notices, progress.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Tables and colour are for terminals.</summary>
    public bool OutIsTerminal { get; init; }

    /// <summary>Progress and prompts are for terminals.</summary>
    public bool ErrorIsTerminal { get; init; }

    /// <summary>The value of an environment variable; null when it is not set.</summary>
    public required Func<string, string?> Environment { get; init; }

    /// <summary>The names of all of them.</summary>
    public IReadOnlyList<string> VariableNames { get; init; } = [];

    /// <summary>The command line as the system has it, in bytes; null where it does not tell.</summary>
    public Func<byte[]?> CommandLineBytes { get; init; } = static () => null;

    /// <summary>The home of the user, where no variable says it; empty where nobody does.</summary>
    public Func<string> UserHome { get; init; } = static () => "";

    /// <summary>What relative paths are relative to.</summary>
    public required string WorkingDirectory { get; init; }

    /// <summary>How to start this program once more: its path, and what stands before its own arguments.</summary>
    public required IReadOnlyList<string> Self { get; init; }

    /// <summary>Which EventDBX this is, for what compares versions.</summary>
    public string Version { get; init; } = Release.Version;

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>What the machine has for a data directory, which the given process of a server has open, or none.</summary>
    public Func<string, int?, Server.Health.HostFacts> Host { get; init; } = Server.Health.HostFacts.Of;

    /// <summary>How long a server may be silent before a command asks whether it is there at all.</summary>
    public TimeSpan ServerPatience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>See no-color.org: any value but an empty one turns colour off.</summary>
    public bool Colour => OutIsTerminal && string.IsNullOrEmpty(Environment("NO_COLOR"));

    /// <summary>The process's own. UTF-8 without a mark at the start, whatever the locale says.</summary>
    public static Shell OfProcess()
    {
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        return new Shell
        {
            In = new StreamReader(Console.OpenStandardInput(), utf8),
            OpenIn = Console.OpenStandardInput,
            Out = new StreamWriter(new OutputStream(Console.OpenStandardOutput(), Server.Daemon.StandardOutput.NobodyReads), utf8, bufferSize: 32 * 1024),
            OpenOut = static () => new OutputStream(Console.OpenStandardOutput(), Server.Daemon.StandardOutput.NobodyReads),
            Error = new StreamWriter(Console.OpenStandardError(), utf8) { AutoFlush = true },
            OutIsTerminal = !Console.IsOutputRedirected,
            ErrorIsTerminal = !Console.IsErrorRedirected,
            Environment = System.Environment.GetEnvironmentVariable,
            VariableNames = [.. System.Environment.GetEnvironmentVariables().Keys.OfType<string>()],
            WorkingDirectory = Directory.GetCurrentDirectory(),
            CommandLineBytes = static () => OperatingSystem.IsLinux() ? File.ReadAllBytes("/proc/self/cmdline") : null,
            UserHome = static () => System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile),
            Self = SelfOfProcess(),
        };
    }

    // Started as `dotnet dbx.dll`, the process is dotnet.
    static string[] SelfOfProcess() => System.Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) != "dotnet"
        ? [path]
        : [System.Environment.ProcessPath ?? "dotnet", Path.Combine(AppContext.BaseDirectory, "dbx.dll")];

    /// <summary>An absolute path.</summary>
    public string Resolve(string path) => Path.GetFullPath(path, WorkingDirectory);

    public void Dispose()
    {
        foreach (var stream in (IDisposable[])[Out, Error, In])
        {
            try
            {
                stream.Dispose();
            }
            catch (IOException)
            {
                // What could not be written has been reported, as far as it could be.
            }
        }
    }
}
