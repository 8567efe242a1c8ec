using System.Text;

namespace EventDbx.Events;

/// <summary>Who asked for a change: the group and user of the token, or <c>cli</c> and the system's user.</summary>
/// <remarks>Carries its UTF-8, since one actor stands in many entries.</remarks>
public sealed record Actor
{
    readonly byte[] _utf8;
    readonly int _groupBytes;

    public Actor(string group, string user)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentNullException.ThrowIfNull(user);
        (Group, User) = (group, user);
        _groupBytes = Encoding.UTF8.GetByteCount(group);
        _utf8 = new byte[_groupBytes + Encoding.UTF8.GetByteCount(user)];
        Encoding.UTF8.GetBytes(group, _utf8);
        Encoding.UTF8.GetBytes(user, _utf8.AsSpan(_groupBytes));
    }

    public string Group { get; }

    public string User { get; }

    internal ReadOnlySpan<byte> GroupUtf8 => _utf8.AsSpan(0, _groupBytes);

    internal ReadOnlySpan<byte> UserUtf8 => _utf8.AsSpan(_groupBytes);

    public bool Equals(Actor? other) => other is not null && Group == other.Group && User == other.User;

    public override int GetHashCode() => HashCode.Combine(Group, User);
}
