using System.Text.Json.Nodes;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Link;

/// <summary>The lock file of a copied data directory still names the server of the original.</summary>
public sealed class CopiedDirectoryTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Fact]
    public async Task A_command_on_a_copy_of_a_served_directory_goes_to_the_copy()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        await using var server = await RunningServer.StartAsync(_line);
        var copy = _line.Directory["copy"];
        Copy(_line.DataDirectory, copy);
        Assert.Equal(Database.FindHolder(_line.DataDirectory)!.Socket, Database.ReadHolder(copy)!.Socket);

        var applied = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid", "--data-dir", copy);
        var verified = await _line.RunAsync("aggregate", "verify", "order", "o-1", "--data-dir", copy, "--json");
        var original = await _line.RunAsync("aggregate", "verify", "order", "o-1", "--json");

        Assert.True(applied.Code == ExitCode.Done, applied.Error);
        Assert.Equal(2, JsonNode.Parse(applied.Out)!["version"]!.GetValue<int>());
        Assert.Equal(JsonNode.Parse(applied.Out)!["merkle_root"]!.GetValue<string>(), RootIn(verified));
        Assert.NotEqual(RootIn(verified), RootIn(original));
        Assert.Equal(1UL, server.Database.OpenSession(new("cli", "test")).GetAggregate(AggregateKey.Create("order", "o-1")).Version);
    }

    static string RootIn(Outcome outcome) => JsonNode.Parse(outcome.Out)!["merkle_root"]!.GetValue<string>();

    static void Copy(string from, string to)
    {
        foreach (var directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories).Prepend(from))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(file => !file.EndsWith(".sock", StringComparison.Ordinal)))
        {
            // Not File.Copy: it takes an advisory lock, and the server has the one of the lock file.
            using var cp = System.Diagnostics.Process.Start("cp", [file, Path.Combine(to, Path.GetRelativePath(from, file))]);
            cp.WaitForExit();
        }
    }
}
