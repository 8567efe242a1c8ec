using System.Net;
using EventDbx.Server.Tests.Witness;
using EventDbx.Server.Witness;

namespace EventDbx.Server.Tests.Daemon;

/// <summary><c>dbx witness</c> as a process: it listens, cosigns, is killed, and remembers.</summary>
public sealed class WitnessProcessTests
{
    [Fact]
    public async Task A_witness_that_is_killed_remembers_what_it_cosigned()
    {
        await using var dbx = new Dbx();
        using var log = new GrowingLog("example.com/log");
        var key = (await dbx.RunAsync("witness", "key", "--dir", "w", "--name", "w1.example")).Out.TrimEnd('\n');
        using var client = new HttpClient();
        for (var (start, size) = (0, 0); start < 3; start++)
        {
            using var witness = dbx.Start("witness", "--dir", "w", "--log", log.Key.ToString(), "--listen", "127.0.0.1:0");
            var line = await Dbx.UntilAsync(witness.StandardOutput, "Witness w1.example listens on http://127.0.0.1:");
            Assert.Equal($"key={key}", await witness.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
            var url = new Uri(line.Split(' ').Single(word => word.StartsWith("http", StringComparison.Ordinal)) + "/add-checkpoint");
            for (var step = 0; step < 4; step++)
            {
                Assert.Equal(HttpStatusCode.OK, await AddAsync(client, url, log, size, size + 3));
                size += 3;
            }

            Assert.Equal(HttpStatusCode.Conflict, await AddAsync(client, url, log, size - 3, size));
            using var fork = new GrowingLog("example.com/log", forkedAt: 1);
            Assert.Equal(HttpStatusCode.UnprocessableEntity, await AddAsync(client, url, fork, size, size + 3));
            if (start < 2)
                witness.Kill();
            else
                Dbx.Signal(witness.Id, "TERM");
            await witness.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(start < 2 || witness.ExitCode == 0);
        }
    }

    [Fact]
    public async Task A_second_witness_on_one_directory_is_refused_with_exit_code_4()
    {
        await using var dbx = new Dbx();
        using var log = new GrowingLog("example.com/log");
        using var witness = dbx.Start("witness", "--dir", "w", "--log", log.Key.ToString(), "--listen", "127.0.0.1:0");
        await Dbx.UntilAsync(witness.StandardOutput, "listens on");
        var second = await dbx.RunAsync("witness", "--dir", "w", "--log", log.Key.ToString(), "--listen", "127.0.0.1:0");
        witness.Kill();
        Assert.Equal(4, second.Code);
        Assert.Contains("runs already", second.Error, StringComparison.Ordinal);
    }

    static async Task<HttpStatusCode> AddAsync(HttpClient client, Uri url, GrowingLog log, int from, int to)
    {
        using var content = new ByteArrayContent(WitnessRequest.Write((ulong)from, log.Proof(from, to), log.Checkpoint(to)));
        using var answer = await client.PostAsync(url, content, TestContext.Current.CancellationToken);
        return answer.StatusCode;
    }
}
