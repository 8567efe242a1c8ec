namespace EventDbx.Access;

/// <summary>What can change about a server beside its data: the kinds of its control entries.</summary>
public enum SettingChange
{
    /// <summary>A key of the configuration.</summary>
    Config,

    Remote,

    Plugin,
}

internal static class SettingChanges
{
    public static string NameOf(SettingChange change) => change switch
    {
        SettingChange.Config => "config_change",
        SettingChange.Remote => "remote_change",
        SettingChange.Plugin => "plugin_change",
    };
}
