namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote rm</c>: forgets another node.</summary>
internal static class RemoteRemove
{
    public static Verb Create() => new("rm", "Forget a remote. What the other node allows this one is its own business.", RemoteCommand.Name)
    {
        Remarks = [RemoteCommand.Who],
        Examples = [new("dbx remote rm standby", "The endpoint and the pinned key of it are gone.")],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToPeersAsync(
        call, reading: false,
        async peers =>
        {
            var name = call.NameIn(RemoteCommand.Name, "remote");
            await peers.RemoveRemoteAsync(name, cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(
                call.Json ? new JsonText().BeginObject().Member("name", name).Member("removed", true).EndObject().ToString() : PlainText.Line($"Removed remote '{name}'")).ConfigureAwait(false);
            return ExitCode.Done;
        },
        cancellation);
}
