using System.Text.Json;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Cli.Tests.Commands;

public sealed class WitnessCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    [Fact]
    public async Task The_key_is_made_once_and_printed_as_a_vkey_of_cosignatures()
    {
        var made = await _line.RunAsync("witness", "key", "--dir", "w", "--name", "w1.example.com");
        Assert.Equal((ExitCode.Done, ""), (made.Code, made.Error));
        Assert.True(NoteKey.TryParse(made.Out.TrimEnd('\n'), out var key, out var why), why);
        Assert.Equal(("w1.example.com", NoteAlgorithm.Cosignature), (key.Name, key.Algorithm));

        Assert.Equal(made.Out, (await _line.RunAsync("witness", "key", "--dir", "w")).Out);
        var json = JsonDocument.Parse((await _line.RunAsync("witness", "key", "--dir", "w", "--json")).Out).RootElement;
        Assert.Equal(("w1.example.com", made.Out.TrimEnd('\n')), (json.GetProperty("name").GetString(), json.GetProperty("key").GetString()));
    }

    [Fact]
    public async Task A_name_that_is_not_given_is_made_up_and_stays()
    {
        var made = await _line.RunAsync("witness", "key", "--dir", "w");
        Assert.Matches(@"^eventdbx-witness\.local/[0-9a-f]{16}\+[0-9a-f]{8}\+B[A-Za-z0-9+/]{43}\n$", made.Out);
        Assert.Equal(made.Out, (await _line.RunAsync("witness", "key", "--dir", "w")).Out);
    }

    [Fact]
    public async Task A_witness_keeps_its_name()
    {
        await _line.RunAsync("witness", "key", "--dir", "w", "--name", "w1");
        var other = await _line.RunAsync("witness", "key", "--dir", "w", "--name", "w2");
        Assert.Equal((ExitCode.Failed, ""), (other.Code, other.Out));
        Assert.Contains("is that of w1, not of w2", other.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("where does the witness live?")]
    [InlineData("where does the witness live?", "key")]
    [InlineData("witness which log?", "--dir", "w")]
    [InlineData("`nobody` is none", "--dir", "w", "--log", "nobody")]
    [InlineData("that of w.example is one of a witness (04)", "--dir", "w", "--log", "WITNESS")]
    [InlineData("is an IP address and a port", "--dir", "w", "--log", "LOG", "--listen", "localhost:80")]
    [InlineData("is an IP address and a port", "--dir", "w", "--log", "LOG", "--listen", "7465")]
    [InlineData("is an IP address and a port", "--dir", "w", "--log", "LOG", "--listen", "1.2.3.4")]
    [InlineData("is a name without white space and plus", "--dir", "w", "--log", "LOG", "--name", "a b")]
    [InlineData("names no key", "--dir", "w", "--log", "@empty.txt")]
    public async Task What_names_no_witness_is_refused_and_makes_nothing(string why, params string[] arguments)
    {
        _line.Directory.Write("empty.txt", "# none yet\n\n");
        using var log = SigningKey.Of("l.example", NoteAlgorithm.Signature, new byte[32]);
        var given = arguments.Select(argument => argument switch { "WITNESS" => ConfigWitnessTests.Vkey, "LOG" => log.Public.ToString(), _ => argument });
        var refused = await _line.RunAsync(["witness", .. given]);
        Assert.Equal((ExitCode.Usage, ""), (refused.Code, refused.Out));
        Assert.Contains(why, refused.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_line.Directory["w"]));
    }
}
