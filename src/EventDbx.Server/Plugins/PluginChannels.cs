namespace EventDbx.Server.Plugins;

/// <summary>From a definition to the channel of its kind.</summary>
internal static class PluginChannels
{
    /// <summary>A channel, which has connected to nobody yet.</summary>
    /// <exception cref="RefusedException">What is configured cannot be opened at all.</exception>
    public static IPluginChannel Open(PluginDefinition plugin, PluginSurroundings surroundings) => plugin.Config.Kind switch
    {
        PluginKind.Tcp => new TcpChannel(plugin, surroundings),
        PluginKind.Http => new HttpChannel(plugin, surroundings),
        PluginKind.Log => new LogChannel(plugin, surroundings),
        PluginKind.Grpc => new GrpcChannel(plugin, surroundings),
        PluginKind.Process => new Process.ProcessChannel(plugin, surroundings),
    };
}
