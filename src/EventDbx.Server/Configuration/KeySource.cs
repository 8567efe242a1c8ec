using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace EventDbx.Server.Configuration;

/// <summary>Of what kind a place is that gives the data key.</summary>
public enum KeySourceKind
{
    /// <summary><c>data_encryption_key</c> in the file of the configuration: the only place that is ours to write.</summary>
    Configuration,

    /// <summary>A variable of the environment.</summary>
    Environment,

    /// <summary><c>data_encryption_key_file</c>.</summary>
    File,

    /// <summary><c>data_encryption_key_command</c>.</summary>
    Command,
}

/// <summary>A place that gives the data key.</summary>
/// <param name="Kind">Of which kind.</param>
/// <param name="Location">Where, for people: holds no part of the key.</param>
/// <param name="Read">The key as text, white space around it included.</param>
public sealed record KeySource(KeySourceKind Kind, string Location, Func<CancellationToken, Task<string>> Read)
{
    /// <summary>Bytes of a file, or of what a command prints: a key has 44.</summary>
    const int TextBytesMax = 4096;

    /// <summary>How long a command may take, or a file that is a pipe: to ask a service in the network, and no more.</summary>
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <summary>How long the output of a command that has ended may stay open: it is, where a process that it began has it still.</summary>
    static readonly TimeSpan OutputLimit = TimeSpan.FromSeconds(1);

    /// <summary>Every place that should give the key; none of them is read yet.</summary>
    /// <param name="file">The configuration.</param>
    /// <param name="supplied">The content of <see cref="StoreKey.Variable"/>, if it is set.</param>
    public static IReadOnlyList<KeySource> Of(ConfigFile file, string? supplied)
    {
        List<KeySource> sources = [];
        var config = file.Config;
        if (file.Saved.DataEncryptionKey is { } saved)
            sources.Add(new(KeySourceKind.Configuration, $"the data_encryption_key in {file.Path}", _ => Task.FromResult(saved)));
        if (config.DataEncryptionKey is { } configured && file.SourceOf("data_encryption_key") is var source && source != file.Path)
            sources.Add(new(KeySourceKind.Environment, source, _ => Task.FromResult(configured)));
        if (!string.IsNullOrWhiteSpace(supplied))
            sources.Add(new(KeySourceKind.Environment, StoreKey.Variable, _ => Task.FromResult(supplied)));
        if (config.DataEncryptionKeyFile is { } path)
        {
            var full = Path.GetFullPath(path, Path.GetDirectoryName(file.Path)!);
            var location = $"the file {full} (data_encryption_key_file in {file.SourceOf("data_encryption_key_file")})";
            sources.Add(new(KeySourceKind.File, location, cancellation => ReadFileAsync(full, location, cancellation)));
        }

        if (config.DataEncryptionKeyCommand is { Count: > 0 } command)
        {
            // Its arguments may be secrets themselves; the program is named, and no more.
            var location = $"the command {command[0]} (data_encryption_key_command in {file.SourceOf("data_encryption_key_command")})";
            sources.Add(new(KeySourceKind.Command, location, cancellation => RunAsync(command, location, cancellation)));
        }

        return sources;
    }

    static async Task<string> ReadFileAsync(string path, string location, CancellationToken cancellation)
    {
        try
        {
            // To open a pipe waits for its writer, and neither that nor to read from it can be called off: the thread is left behind.
            return await Task.Run(
                () =>
                {
                    using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
                    var bytes = new byte[TextBytesMax + 1];
                    return Text(bytes, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false), location);
                },
                cancellation).WaitAsync(Limit, cancellation).ConfigureAwait(false);
        }
        catch (TimeoutException cause)
        {
            throw new ConfigException(FormattableString.Invariant(
                $"There is no data key in {location}: nothing came from it within {Limit.TotalSeconds:0} s. No key is made in its place."), cause);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new ConfigException($"There is no data key in {location}: {cause.Message} No key is made in its place.", cause);
        }
    }

    /// <summary>Runs a program without a shell, in this process's environment; its standard error is ours.</summary>
    static async Task<string> RunAsync(ConfigList command, string location, CancellationToken cancellation)
    {
        using var process = new Process();
        process.StartInfo = new ProcessStartInfo(command[0]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardInput = true };
        foreach (var argument in command.Skip(1))
            process.StartInfo.ArgumentList.Add(argument);
        try
        {
            process.Start();
        }
        catch (Exception cause) when (cause is Win32Exception or InvalidOperationException)
        {
            throw new ConfigException($"The data key was not given by {location}: it cannot be started. No key is made in its place.", cause);
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Limit);
        try
        {
            process.StandardInput.Close();
            var output = new Output(process.StandardOutput.BaseStream);
            var reading = output.ReadAsync(limit.Token);
            var ending = process.WaitForExitAsync(limit.Token);
            // Too much ends it as well: what is full blocks whoever writes on.
            if (await Task.WhenAny(reading, ending).ConfigureAwait(false) == reading && output.IsTooMuch)
                return Text(output.Bytes, output.Length, location);
            await ending.ConfigureAwait(false);
            limit.CancelAfter(OutputLimit);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellation.ThrowIfCancellationRequested();
            var text = Text(output.Bytes, output.Length, location);
            return process.ExitCode == 0 ? text : throw new ConfigException(FormattableString.Invariant(
                $"The data key was not given by {location}: it ended with exit code {process.ExitCode}. No key is made in its place."));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new ConfigException(FormattableString.Invariant(
                $"The data key was not given by {location}: it did not end within {Limit.TotalSeconds:0} s, and was stopped. No key is made in its place."));
        }
        finally
        {
            Stop(process);
        }
    }

    static void Stop(Process process)
    {
        try
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
        catch (Exception cause) when (cause is InvalidOperationException or Win32Exception)
        {
            // It has just ended by itself.
        }
    }

    static string Text(byte[] bytes, int length, string location) => length <= TextBytesMax
        ? Encoding.UTF8.GetString(bytes, 0, length)
        : throw new ConfigException(FormattableString.Invariant($"There is no data key in {location}: what stands there is longer than {TextBytesMax} bytes, and a key has 44 characters."));

    /// <summary>What a command has printed so far.</summary>
    sealed class Output(Stream stream)
    {
        public byte[] Bytes { get; } = new byte[TextBytesMax + 1];

        public int Length { get; private set; }

        public bool IsTooMuch => Length == Bytes.Length;

        /// <summary>To its end, or until it is too much.</summary>
        public async Task ReadAsync(CancellationToken cancellation)
        {
            while (!IsTooMuch && await stream.ReadAsync(Bytes.AsMemory(Length), cancellation).ConfigureAwait(false) is > 0 and var read)
                Length += read;
        }
    }
}
