namespace EventDbx.Cli.Commands.Remote;

/// <summary><c>dbx remote …</c>: the nodes to replicate with, who may come to this one, and the key by which others know it.</summary>
internal static class RemoteCommand
{
    public static Noun Create() => new(
        "remote",
        "The nodes to replicate with, who may come to this one, and the key by which others know it.",
        RemoteAdd.Create(),
        RemoteRemove.Create(),
        RemoteList.Create(),
        RemoteShow.Create(),
        RemoteKey.Create(),
        RemoteAllow.Create(),
        RemoteDeny.Create(),
        RemoteAllowed.Create());

    /// <summary>A remote, as a value of a command.</summary>
    public static Slot Name { get; } = new("--name", "NAME", "What the remote is called here, such as `standby`.");

    /// <summary>The name that a slot has: blanks around it are left out.</summary>
    /// <exception cref="RefusedException">It is empty, which over a socket would be another path.</exception>
    public static string NameIn(this Call call, Slot slot, string what) =>
        call[slot].Trim() is { Length: > 0 } name ? name : throw new RefusedException(RefusalCode.InvalidArgument, $"{what} name cannot be empty.");

    /// <summary>Who changes peers, where the command line does not say.</summary>
    public const string Who = "Without `--token` and `--server` it is done as the owner of the data directory, whatever EVENTDBX_TOKEN says.";

    public static Option<string> PublicKeyOption(string of) => Options.Text("--public-key", "KEY", $"The public key of {of}, as `dbx remote key` prints it there.");

    /// <summary>The value of an option that is not optional.</summary>
    public static string Demanded(this Call call, Option<string> option) =>
        call.Get(option) ?? throw new UsageException($"`{option.Name}` is missing: {option.Description}");
}
