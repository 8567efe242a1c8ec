using System.Text.RegularExpressions;
using EventDbx.Server.Rest;

namespace EventDbx.Server.Tests.Rest;

/// <summary>docs/rest.md is what the code does.</summary>
public sealed partial class ContractTests
{
    static readonly string Contract = File.ReadAllText(Path.Combine(Checkout.Root, "docs", "rest.md"));

    [Fact]
    public void The_contract_has_every_route_with_its_parameters_and_no_other()
    {
        var written = Rows().Matches(Contract).Select(row => (Route: row.Groups[1].Value, Parameters: string.Join(' ', Quoted().Matches(row.Groups[2].Value).Select(name => name.Groups[1].Value))));
        Assert.Equal(
            RestRoutes.All.Select(route => ($"{route.Method} {route.Template}", string.Join(' ', route.Parameters))).Order(),
            written.Order());
    }

    [Fact]
    public void The_contract_has_every_code_with_its_status()
    {
        var written = Codes().Matches(Contract).SelectMany(row => Quoted().Matches(row.Groups[1].Value).Select(code => (code.Groups[1].Value, row.Groups[2].Value)));
        Assert.Equal(
            Enum.GetValues<RefusalCode>().Select(code => (Refusal.NameOf(code), RestRefusals.StatusOf(code).ToString(System.Globalization.CultureInfo.InvariantCulture))).Order(),
            written.Order());
    }

    [GeneratedRegex(@"^\| `((?:GET|PUT|POST|PATCH|DELETE) /[^`?]*)` \| ([^|]*)\|", RegexOptions.Multiline)]
    private static partial Regex Rows();

    [GeneratedRegex(@"^\| (`[a-z_]+`[^|]*) \| (\d{3}) \|$", RegexOptions.Multiline)]
    private static partial Regex Codes();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex Quoted();
}
