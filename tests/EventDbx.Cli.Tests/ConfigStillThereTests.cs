using EventDbx.Recovery;

namespace EventDbx.Cli.Tests;

/// <summary>Whoever waited for a data directory does not go on with keys and secrets that were replaced meanwhile.</summary>
public sealed class ConfigStillThereTests : IDisposable
{
    const string Key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    const string Other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData($"data_encryption_key = \"{Key}\"", $"data_encryption_key = \"{Other}\"")]
    [InlineData($"data_encryption_key = \"{Key}\"", "")]
    [InlineData($"[auth]\nsecret = \"{Key}\"\nkey_id = \"a\"", $"[auth]\nsecret = \"{Other}\"\nkey_id = \"b\"")]
    [InlineData("port = 7070", "port = ")]
    public void Another_one_is_refused(string before, string after)
    {
        var file = Load(before);
        _directory.Write("config.toml", after);
        var refused = Assert.Throws<StoreRefusedException>(() => ConfigStillThere.Demand(file));
        Assert.Contains("was changed while the data directory was waited for", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("port = 7070", "# a comment\nport = 7070")]
    [InlineData("port = 7070", "port = 7071")]
    [InlineData("", "restrict = \"strict\"")]
    [InlineData("", $"data_encryption_key = \"{Key}\"")]
    [InlineData($"[auth]\nsecret = \"{Key}\"", $"[auth]\nsecret = \"{Key}\"\nkey_id = \"a\"")]
    [InlineData("", $"[auth]\nsecret = \"{Key}\"\nkey_id = \"a\"")]
    public void The_same_keys_other_settings_and_what_is_made_for_a_new_store_are_none(string before, string after)
    {
        var file = Load(before);
        _directory.Write("config.toml", after);
        ConfigStillThere.Demand(file);
    }

    ConfigFile Load(string text)
    {
        // None, and not an empty one, is what a first start finds.
        if (text.Length > 0)
            _directory.Write("config.toml", text);
        return ConfigFile.Load(_directory["config.toml"], _directory.Path, null, TimeProvider.System);
    }
}
