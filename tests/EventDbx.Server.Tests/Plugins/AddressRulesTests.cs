using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Where plugins may be, and that nobody gets around it by another spelling, another name or another answer.</summary>
public sealed class AddressRulesTests
{
    static readonly AddressRules Rules = new(ConfigList.Empty);

    [Theory]
    [InlineData("169.254.169.254", "169.253.255.255")]
    [InlineData("169.254.0.0", "169.255.0.0")]
    [InlineData("fe80::1", "fec0::1")]
    [InlineData("febf::1", "fe7f::1")]
    [InlineData("fe80::1%2", "fc00::1")]
    [InlineData("100.100.100.200", "100.100.100.201")]
    [InlineData("168.63.129.16", "168.63.129.17")]
    [InlineData("192.0.0.192", "192.0.0.193")]
    [InlineData("fd00:ec2::254", "fd00:ec2::253")]
    [InlineData("fd20:ce::254", "fd20:ce::255")]
    [InlineData("0.0.0.0", "127.0.0.1")]
    [InlineData("0.1.2.3", "1.0.0.0")]
    [InlineData("::", "::1")]
    [InlineData("224.0.0.1", "223.255.255.255")]
    [InlineData("239.255.255.255", "240.0.0.1")]
    [InlineData("ff02::1", "fdff::1")]
    [InlineData("255.255.255.255", "255.255.255.254")]
    [InlineData("::ffff:169.254.169.254", "::ffff:10.0.0.1")]
    [InlineData("::169.254.169.254", "::10.0.0.1")]
    [InlineData("::ffff:0:169.254.169.254", "::ffff:0:10.0.0.1")]
    [InlineData("64:ff9b::169.254.169.254", "64:ff9b::10.0.0.1")]
    [InlineData("64:ff9b:1::a9fe:a9fe", "64:ff9b:1::a00:1")]
    [InlineData("64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a00:0:100::")]
    [InlineData("2002:a9fe:a9fe::1", "2002:a00:1::1")]
    [InlineData("2001:0:a9fe:a9fe::", "2001:db8:a9fe:a9fe::")]
    [InlineData("2001:0:a00:1::5601:5601", "2001:0:a00:1::f5ff:fffe")]
    [InlineData("2852039166", "167772161")]
    [InlineData("0xa9fea9fe", "0xa000001")]
    [InlineData("0251.0376.0251.0376", "012.0.0.1")]
    public void A_blocked_address_is_blocked_in_every_spelling_and_its_neighbour_is_not(string blocked, string neighbour)
    {
        Assert.NotNull(Rules.WhyBlocked(IPAddress.Parse(blocked)));
        Assert.Null(Rules.WhyBlocked(IPAddress.Parse(neighbour)));
        Assert.Equal(RefusalCode.InvalidArgument, Assert.Throws<RefusedException>(() => Rules.Check(blocked)).Refusal.Code);
        Rules.Check(neighbour);
        // Names are looked at when they are reached.
        Rules.Check("metadata.example");
    }

    [Theory]
    [InlineData("169.254.169.254", "169.254.169.254", "169.254.169.253")]
    [InlineData("169.254.169.0/24", "169.254.169.254", "169.254.170.1")]
    [InlineData("169.254.169.254", "::ffff:169.254.169.254", "::ffff:169.254.169.253")]
    [InlineData("fe80::/10", "fe80::7", "169.254.0.7")]
    [InlineData("64:ff9b::/96", "64:ff9b::169.254.169.254", "169.254.169.254")]
    public void What_the_setting_allows_is_open_and_nothing_beside_it(string allowed, string open, string blocked)
    {
        var rules = new AddressRules(new(allowed));

        Assert.Null(rules.WhyBlocked(IPAddress.Parse(open)));
        Assert.NotNull(rules.WhyBlocked(IPAddress.Parse(blocked)));
    }

    [Theory]
    [InlineData("169.254.10.1", true)]
    [InlineData("169.254.0.0/16", true)]
    [InlineData("fe80::/10", true)]
    [InlineData("169.254.0.1/-1", false)]
    [InlineData("169.254.0.0/33", false)]
    [InlineData("metadata.example", false)]
    [InlineData("", false)]
    public void The_setting_takes_addresses_and_networks_and_nothing_else(string text, bool taken)
    {
        var key = ConfigKeys.Named("plugin_allowed_addresses");
        var config = Sinks.Surroundings().Settings();
        if (taken)
            Assert.Equal([text], key.Set(config, new(new List<string> { text }, IsText: false)).PluginAllowedAddresses);
        else
            Assert.Throws<ConfigValueException>(() => key.Set(config, new(new List<string> { text }, IsText: false)));
    }

    [Fact]
    public async Task A_name_is_refused_for_its_address_and_the_address_that_was_looked_at_is_the_one_that_is_connected_to()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var asked = 0;
        // Good the first time, bad from then on: who asks twice is led elsewhere.
        Task<IPAddress[]> Rebinding(string host, CancellationToken cancellation) =>
            Task.FromResult<IPAddress[]>(Interlocked.Increment(ref asked) == 1 ? [IPAddress.Loopback] : [IPAddress.Parse("169.254.169.254")]);

        using var first = await Rules.ConnectAsync("inside.example", port, Rebinding, TestContext.Current.CancellationToken);
        Assert.Equal((1, IPAddress.Loopback), (asked, ((IPEndPoint)first.RemoteEndPoint!).Address));

        var refused = await Assert.ThrowsAsync<AddressBlockedException>(() => Rules.ConnectAsync("inside.example", port, Rebinding, TestContext.Current.CancellationToken));
        Assert.Contains("169.254.169.254", refused.Message, StringComparison.Ordinal);
        Assert.Contains("plugin_allowed_addresses", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_several_addresses_the_blocked_ones_are_passed_over()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task<IPAddress[]> Both(string host, CancellationToken cancellation) => Task.FromResult<IPAddress[]>([IPAddress.Parse("fe80::1"), IPAddress.Loopback]);

        using var socket = await Rules.ConnectAsync("both.example", ((IPEndPoint)listener.LocalEndpoint).Port, Both, TestContext.Current.CancellationToken);

        Assert.Equal(IPAddress.Loopback, ((IPEndPoint)socket.RemoteEndPoint!).Address);
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("http")]
    public async Task A_plugin_at_a_name_of_a_blocked_address_is_down_until_the_setting_opens_it(string type)
    {
        var kind = type == "tcp" ? PluginKind.Tcp : PluginKind.Http;
        var surroundings = Sinks.Surroundings() with { Resolve = (_, _) => Task.FromResult<IPAddress[]>([IPAddress.Parse("0.0.0.0")]) };
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var config = kind == PluginKind.Tcp
            ? new PluginConfig { Kind = kind, Host = "inside.example", Port = port } : new() { Kind = kind, Endpoint = $"http://inside.example:{port}/" };

        await using var channel = PluginChannels.Open(Sinks.Plugin(config), surroundings);
        var check = await Assert.ThrowsAsync<PluginDownException>(() => channel.CheckAsync(TestContext.Current.CancellationToken));
        var outcome = await channel.DeliverAsync([Sinks.Event(1)], TestContext.Current.CancellationToken);

        Assert.All([check.Message, outcome.Failure!.Reason], text => Assert.Contains("is blocked: unspecified", text, StringComparison.Ordinal));
        Assert.Equal((0, false), (outcome.Taken, outcome.Failure!.IsRefusal));

        // 0.0.0.0 is this machine: allowed, it is reached.
        await using var opened = PluginChannels.Open(Sinks.Plugin(config with { Kind = PluginKind.Tcp, Host = "inside.example", Port = port }), Sinks.Surroundings(allowed: "0.0.0.0") with { Resolve = surroundings.Resolve });
        await opened.CheckAsync(TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("http")]
    public void A_plugin_at_a_blocked_literal_cannot_be_opened(string kind)
    {
        var config = kind == "http" ? new PluginConfig { Kind = PluginKind.Http, Endpoint = "http://[::ffff:169.254.169.254]/latest" } : new() { Kind = PluginKind.Tcp, Host = "169.254.169.254", Port = 80 };

        Assert.Throws<RefusedException>(() => PluginChannels.Open(Sinks.Plugin(config), Sinks.Surroundings()));
    }
}
