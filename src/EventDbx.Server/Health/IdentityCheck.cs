using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Health;

/// <summary>The key by which other nodes know this one: whether it is there, and whole.</summary>
public static class IdentityCheck
{
    const string Check = "replication";

    public static void Look(Findings findings, ServerConfig config)
    {
        var path = NodeIdentity.PathOf(config);
        try
        {
            if (NodeIdentity.Find(path) is not { } identity)
                findings.Ok(Check, "This node has no key for replication yet; the first command that opens the store makes one.");
            else if (!File.Exists(NodeIdentity.PublicPathOf(path)))
                findings.Ok(Check, $"Other nodes know this one as {identity.Key.Fingerprint}; {NodeIdentity.PublicPathOf(path)} is gone, and is made again.");
            else
                findings.Ok(Check, $"Other nodes know this one as {identity.Key.Fingerprint}.");
        }
        catch (Exception wrong) when (wrong is RefusedException or IOException or UnauthorizedAccessException)
        {
            findings.Problem(Check, wrong.Message, "Until then this node has no name before others; the store opens all the same.");
        }
    }
}
