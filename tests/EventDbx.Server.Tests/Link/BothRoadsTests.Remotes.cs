namespace EventDbx.Server.Tests.Link;

public sealed partial class BothRoadsTests
{
    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    /// <summary>Remotes, and who may come; not the key of the node, which is of this machine.</summary>
    static string[][] RemoteScript =>
    [
        ["remote", "ls"],
        ["remote", "ls", "--json"],
        ["push", "standby"],
        ["push", "standby", "--dry-run", "--json"],
        ["pull", "standby", "--schema"],
        ["pull", "", "--aggregate", "order"],
        ["push", "standby", "--schema-only", "--aggregate", "order"],
        ["pull", "standby", "--aggregate-id", "order"],
        ["remote", "add", "standby", "10.1.2.3", "--public-key", Key],
        ["remote", "add", "standby", "10.1.2.4", "--public-key", Key],
        ["remote", "add", "standby", "2001:db8::7", "--public-key", Key, "--port", "7000", "--replace", "--json"],
        ["remote", "add", "far", "far.example", "--public-key", Key + "="],
        ["remote", "add", "", "10.1.2.3", "--public-key", Key],
        ["remote", "add", "a\u0001b", "10.1.2.3", "--public-key", Key],
        ["remote", "add", "x", "a b", "--public-key", Key],
        ["remote", "add", "x", "10.1.2.3", "--public-key", "none!"],
        ["remote", "add", "x", "10.1.2.3", "--public-key", new string('A', 43)],
        ["remote", "ls"],
        ["remote", "ls", "--json"],
        ["remote", "show", "standby"],
        ["remote", "show", "far", "--json"],
        ["remote", "show", "none"],
        ["remote", "rm", "far"],
        ["remote", "rm", "far"],
        ["remote", "rm", "standby", "--json"],
        ["remote", "allowed"],
        ["remote", "allowed", "--json"],
        ["remote", "allow", "east", "--push", "--public-key", Key],
        ["remote", "allow", "east", "--both", "--public-key", Key],
        ["remote", "allow", "west", "--pull", "--public-key", Key + "="],
        ["remote", "allow", "east", "--both", "--public-key", Key, "--replace", "--json"],
        ["remote", "allow", Key, "--pull", "--public-key", Key],
        ["remote", "allow", "north", "--pull", "--public-key", "short"],
        ["remote", "allowed"],
        ["remote", "allowed", "--json"],
        ["remote", "deny", "nobody"],
        ["remote", "deny", Key + "="],
        ["remote", "deny", "east"],
        ["remote", "allow", "east", "--pull", "--push", "--public-key", Key],
        ["remote", "deny", "east", "--json"],
    ];
}
