using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Admin;

/// <summary><c>dbx config</c> beside a server whose environment stands above the file.</summary>
public sealed class OverriddenSettingsTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Fact]
    public async Task What_the_server_uses_in_spite_of_the_file_is_said()
    {
        await _line.RunAsync("config", "--encryption", "off");
        await using var server = await RunningServer.StartAsync(
            _line, new Dictionary<string, string> { ["EVENTDBX_ADMIN_ENABLED"] = "true", ["EVENTDBX_ADMIN_PORT"] = "0", ["EVENTDBX_ADMIN_MASTER_KEY_HASH"] = AdminServer.HashOf("key") });

        var disabled = await _line.RunAsync("config", "--admin-enabled", "false");
        var cleared = await _line.RunAsync("config", "--clear-admin-master-key");
        var other = await _line.RunAsync("config", "--page-limit", "7");

        Assert.Equal((ExitCode.Done, ExitCode.Done), (disabled.Code, cleared.Code));
        Assert.Contains("uses other settings than those: admin.enabled = true, admin.port = 0, a master key.", disabled.Error, StringComparison.Ordinal);
        Assert.Contains("a master key", cleared.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("argon2", disabled.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("Warning", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_the_server_uses_what_was_saved_nothing_is_said()
    {
        await _line.RunAsync("config", "--encryption", "off");
        await using var server = await RunningServer.StartAsync(_line);

        var enabled = await _line.RunAsync("config", "--admin-enabled", "true", "--admin-port", "0", "--admin-master-key", "key");
        var disabled = await _line.RunAsync("config", "--admin-enabled", "false");

        Assert.Equal((ExitCode.Done, ExitCode.Done), (enabled.Code, disabled.Code));
        Assert.DoesNotContain("Warning", enabled.Error + disabled.Error, StringComparison.Ordinal);
        Assert.Contains("takes it up now", disabled.Error, StringComparison.Ordinal);
    }
}
