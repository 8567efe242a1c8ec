using System.Buffers;
using System.Collections.Immutable;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Replication;

/// <summary>Who may be allowed to come to this node, and for what.</summary>
internal static class AllowRules
{
    /// <summary>Table of the configuration whose tables they are.</summary>
    public const string Table = "replication.allow";

    /// <summary>The peer as it is kept.</summary>
    /// <exception cref="RefusedException">Something in it is out of form, or it may nothing.</exception>
    public static AllowedPeer Checked(string? publicKey, bool push, bool pull)
    {
        _ = PeerKey.Parse(publicKey ?? "");
        return push || pull
            ? new() { PublicKey = publicKey!.Trim(), Push = push, Pull = pull }
            : throw new RefusedException(RefusalCode.InvalidArgument, "A peer that may neither push nor pull is not allowed anything: say which, or both.");
    }

    /// <summary>A name that a table of the configuration can have, and that is no key: peers are denied by either.</summary>
    /// <exception cref="RefusedException">It has none.</exception>
    public static string CheckedName(string name)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw new RefusedException(RefusalCode.InvalidArgument, "peer name cannot be empty.");
        if (Names.Check("The name of a peer", name.Trim(), Limits.TypeBytesMax) is { } refusal)
            throw new RefusedException(refusal);
        return PeerKey.TryParse(name, out _, out _)
            ? throw new RefusedException(RefusalCode.InvalidArgument, "The name of a peer cannot be a key; name it, and give the key as `public_key` (`--public-key`).")
            : name.Trim();
    }

    /// <summary>Refuses a key that is known under another name: who denies the one would leave the other.</summary>
    public static void DemandOnce(ImmutableSortedDictionary<string, AllowedPeer> peers, string name, AllowedPeer peer)
    {
        if (peers.FirstOrDefault(other => other.Key != name && SameKey(other.Value.PublicKey, peer.PublicKey)).Key is { } known)
            throw new RefusedException(RefusalCode.AlreadyExists, $"This key is that of the peer '{Rest.Shown.Of(known)}' already; deny that one first, or allow it under its name.");
    }

    /// <summary>The name of the peer that has that name, or that key.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>: nobody.</exception>
    public static string Find(ImmutableSortedDictionary<string, AllowedPeer> peers, string nameOrKey)
    {
        nameOrKey = nameOrKey.Trim();
        if (peers.ContainsKey(nameOrKey))
            return nameOrKey;
        return peers.FirstOrDefault(peer => SameKey(peer.Value.PublicKey, nameOrKey)).Key
            ?? throw new RefusedException(RefusalCode.NotFound, $"no peer '{Rest.Shown.Of(nameOrKey)}' is allowed, by name or by key.");
    }

    /// <summary>What the log keeps of a change; keys are public.</summary>
    public static byte[] BodyOf(AllowedPeer? before, AllowedPeer? after, bool failed)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(output);
        var action = after is null ? "denied" : before is null ? "allowed" : "allowed_anew";
        members.Text("action"u8, failed ? "failed" : action);
        if (failed)
            members.Text("not"u8, action);
        if ((after ?? before) is { } shown)
        {
            members.Text("public_key"u8, shown.PublicKey);
            members.Truth("push"u8, shown.Push);
            members.Truth("pull"u8, shown.Pull);
        }

        members.End();
        return output.WrittenSpan.ToArray();
    }

    static bool SameKey(string left, string right) => PeerKey.TryParse(left, out var one, out _) && PeerKey.TryParse(right, out var other, out _) && one.Equals(other);
}
