using System.Text;
using EventDbx.Commit;

namespace EventDbx.Tests.Engine;

/// <summary>From where a control entry was made: put into its body, and taken out again.</summary>
public sealed class ControlOriginTests
{
    [Theory]
    [InlineData("{}", """{"from":"rest 192.0.2.1"}""", "{")]
    [InlineData("""{"comment":"x"}""", """{"comment":"x","from":"rest 192.0.2.1"}""", """{"comment":"x" """)]
    [InlineData("""{"comment":"\",\"from\":\"y"}""", """{"comment":"\",\"from\":\"y","from":"rest 192.0.2.1"}""", """{"comment":"\",\"from\":\"y" """)]
    [InlineData("""{"schema":{"column_types":{"a":"text","from":"text"}}}""", """{"schema":{"column_types":{"a":"text","from":"text"}},"from":"rest 192.0.2.1"}""", """{"schema":{"column_types":{"a":"text","from":"text"}} """)]
    public void It_is_the_last_member_and_the_rest_is_as_it_was(string body, string with, string rest)
    {
        var made = ControlOrigin.Into(Encoding.UTF8.GetBytes(body), "rest 192.0.2.1");

        Assert.Equal(with, Encoding.UTF8.GetString(made));
        Assert.Equal("rest 192.0.2.1", ControlOrigin.In(made));
        Assert.Equal(rest.TrimEnd(), Encoding.UTF8.GetString(ControlOrigin.Without(made)));
        Assert.Equal(rest.TrimEnd(), Encoding.UTF8.GetString(ControlOrigin.Without(Encoding.UTF8.GetBytes(body))));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"comment":"\",\"from\":\"y"}""")]
    [InlineData("""{"schema":{"from":"x"}}""")]
    [InlineData("""{"from":"x","more":1}""")]
    [InlineData("""{"from":""}""")]
    [InlineData("""{"from":1}""")]
    [InlineData("")]
    public void What_looks_like_it_elsewhere_is_not_it(string body) => Assert.Null(ControlOrigin.In(Encoding.UTF8.GetBytes(body)));

    [Theory]
    [InlineData("socket", true)]
    [InlineData("admin 2001:db8::1%eth0", true)]
    [InlineData("", false)]
    [InlineData("a\"b", false)]
    [InlineData("a\\b", false)]
    [InlineData("a\nb", false)]
    [InlineData("ä", false)]
    public void Only_plain_words_are_one(string origin, bool taken)
    {
        if (taken)
            Assert.Equal(origin, ControlOrigin.Checked(origin));
        else
            Assert.Throws<ArgumentException>(() => ControlOrigin.Checked(origin));
    }

    [Fact]
    public void It_has_a_bound()
    {
        Assert.Equal(Limits.OriginCharactersMax, ControlOrigin.Checked(new string('a', Limits.OriginCharactersMax)).Length);
        Assert.Throws<ArgumentException>(() => ControlOrigin.Checked(new string('a', Limits.OriginCharactersMax + 1)));
    }

    [Fact]
    public void Without_one_the_body_is_as_it_was()
    {
        var body = "{\"comment\":\"x\"}"u8.ToArray();
        Assert.Same(body, ControlOrigin.Into(body, null));
    }
}
