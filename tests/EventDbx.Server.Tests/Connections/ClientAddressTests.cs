using System.Net;
using EventDbx.Server.Connections;

namespace EventDbx.Server.Tests.Connections;

/// <summary>Whose connections are counted together.</summary>
public sealed class ClientAddressTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", "192.0.2.1")]
    [InlineData("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1")]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64")]
    [InlineData("127.0.0.1", "127.9.9.9", "this machine")]
    [InlineData("127.0.0.1", "::1", "this machine")]
    [InlineData("::ffff:127.0.0.1", "::1", "this machine")]
    public void These_are_one_address(string one, string other, string text)
    {
        Assert.Equal(Of(one), Of(other));
        Assert.Equal(text, Of(one).ToString());
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2")]
    [InlineData("192.0.2.1", "127.0.0.1")]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1")]
    [InlineData("0.0.0.1", "::1")]
    [InlineData("0.0.0.1", "0:0:0:1::")]
    public void These_are_two(string one, string other) => Assert.NotEqual(Of(one), Of(other));

    static ClientAddress Of(string address) => ClientAddress.Of(new IPEndPoint(IPAddress.Parse(address), 1));
}
