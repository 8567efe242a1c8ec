using System.Net;
using System.Net.Http.Headers;
using System.Text;
using EventDbx.Cli.Output;
using EventDbx.Encryption;
using EventDbx.Server.Configuration;
using EventDbx.Storage;

namespace EventDbx.Server.Tests;

/// <summary>What nobody without the key may read stands in no byte of any file: a canary in everything that is secret.</summary>
public sealed class CanaryTests : IDisposable
{
    const string Value = "CANARYvalue7f3a";
    const string Field = "CANARYfield7f3a";

    readonly TemporaryDirectory _home = new();

    string DataDirectory => _home[".eventdbx"];

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _home.Dispose();

    [Fact]
    public async Task No_payload_field_name_snapshot_staged_event_token_or_plugin_secret_stands_in_any_file()
    {
        string token;
        using (var server = await ServerProcess.StartAsync(_home.Path, logLevel: "debug"))
        {
            var generated = await ServerProcess.RunAsync(_home.Path, "token", "generate", "--root", "--group", "g", "--user", "u", "--json");
            Assert.Equal(ExitCode.Done, generated.Code);
            token = System.Text.Json.JsonDocument.Parse(generated.Out).RootElement.GetProperty("token").GetString()!;
            await WriteAsync(server.Port, token);
            await server.KillAsync();
        }

        Assert.True(File.Exists(Path.Combine(DataDirectory, "logs", "eventdbx.log")), "There is no log to look into.");
        NothingIn(token);
        var text = File.ReadAllText(Path.Combine(DataDirectory, "config.toml"));
        Assert.True(DataKey.TryParse(ConfigFile.Load(null, DataDirectory, null, TimeProvider.System).Config.DataEncryptionKey, out var key, out _), text.Length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        using (key)
        {
            await using (var database = Database.Open(new() { Directory = DataDirectory, Key = key, LockTimeout = TimeSpan.FromSeconds(30) }))
            {
                var documents = database.Documents;
                Assert.True(documents.TryReplace("plugins.json", Encoding.UTF8.GetBytes($$"""[{"{{Field}}":"{{Value}}"}]"""), documents.Read("plugins.json")));
                NothingInRows(database, token);
                // It is all there, for whoever has the key.
                Assert.Contains(Value, Encoding.UTF8.GetString(database.OpenSession().GetAggregate(AggregateKey.Create("p", "1")).Fields.Span), StringComparison.Ordinal);
                Assert.Contains(Value, Encoding.UTF8.GetString(documents.Read("staged_events.json").Content!), StringComparison.Ordinal);
                using var next = DataKey.Generate();
                await database.OpenSession().RotateKeyAsync(next, null, Cancellation);
                NothingInRows(database, token);
            }

            NothingIn(token);
        }
    }

    static async Task WriteAsync(int port, string token)
    {
        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        var large = string.Join(',', Enumerable.Range(0, 60).Select(i => $"\"{Field}{i}\":\"{Value}{new string('x', 50)}\""));
        await SendAsync(HttpStatusCode.OK, "POST", "/v1/events", Event("1", $"\"payload\":{{\"{Field}\":\"{Value}\"}},\"event_id\":\"01990000-0000-4000-8000-000000000001\""));
        await SendAsync(HttpStatusCode.OK, "POST", "/v1/events", Event("1", $"\"payload\":{{\"{Field}\":\"{Value}\"}},\"event_id\":\"01990000-0000-4000-8000-000000000001\""));
        await SendAsync(HttpStatusCode.OK, "POST", "/v1/events", Event("1", $"\"patch\":[{{\"op\":\"add\",\"path\":\"/{Field}2\",\"value\":\"{Value}2\"}}],\"event_id\":\"01990000-0000-4000-8000-000000000002\""));
        await SendAsync(HttpStatusCode.OK, "POST", "/v1/events", Event("1", $"\"payload\":{{{large}}}"));
        await SendAsync(HttpStatusCode.OK, "POST", "/v1/events", Event("2", $"\"payload\":{{\"{Field}\":\"{Value}\"}}"));
        await SendAsync(HttpStatusCode.Created, "POST", "/v1/aggregates/p/1/snapshots", "{}");
        await SendAsync(HttpStatusCode.OK, "POST", "/v1/aggregates/p/2/archive", "{}");
        await SendAsync(HttpStatusCode.Created, "POST", "/v1/staged", Event("3", $"\"payload\":{{\"{Field}\":\"{Value}\"}}"));
        // What is refused is told to whoever sent it, and to nobody else.
        await SendAsync(HttpStatusCode.BadRequest, "POST", "/v1/events", Event("1", $"\"payload\":{{\"{Field}\":1,\"{Field}\":2}}"));
        await SendAsync(HttpStatusCode.BadRequest, "POST", "/v1/events", Event("1", $"\"payload\":{{\"{Field}\":{Value}}}"));
        await SendAsync(HttpStatusCode.BadRequest, "POST", "/v1/events", Event("1", $"\"{Field}\":\"{Value}\""));
        await SendAsync(HttpStatusCode.Conflict, "POST", "/v1/events", Event("1", $"\"payload\":{{\"{Field}\":\"{Value}\"}},\"expected_version\":99"));
        await SendAsync(HttpStatusCode.Conflict, "POST", "/v1/events", Event("1", $"\"payload\":{{\"{Field}\":\"{Value}9\"}},\"event_id\":\"01990000-0000-4000-8000-000000000001\""));
        await SendAsync(HttpStatusCode.OK, "GET", $"/v1/aggregates/p/1?fields={Field}", null);
        await SendAsync(HttpStatusCode.OK, "POST", "/v1/verify", null);

        async Task SendAsync(HttpStatusCode status, string method, string target, string? body)
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), target);
            if (body is not null)
                request.Content = new StringContent(body, Encoding.UTF8, "application/json");
            using var response = await client.SendAsync(request, Cancellation);
            Assert.True(status == response.StatusCode, $"{method} {target}: {response.StatusCode} {await response.Content.ReadAsStringAsync(Cancellation)}");
        }
    }

    static string Event(string id, string rest) => $$"""{"aggregate_type":"p","aggregate_id":"{{id}}","event_type":"e",{{rest}}}""";

    void NothingIn(string token)
    {
        foreach (var file in Directory.EnumerateFiles(_home.Path, "*", SearchOption.AllDirectories).Where(static file => !file.EndsWith(".sock", StringComparison.Ordinal)))
            Nothing(file, File.ReadAllBytes(file), token);
    }

    /// <summary>As the engine reads them, with nothing compressed any more.</summary>
    static void NothingInRows(Database database, string token)
    {
        using var view = database.Engine.OpenView();
        var rows = 0;
        foreach (var family in Families.All)
        {
            foreach (var row in view.Range(family, [], [], 100_000, int.MaxValue))
            {
                rows++;
                Nothing($"key in {family}", row.Key, token);
                Nothing($"row of {family}", row.Value, token);
            }
        }

        Assert.InRange(rows, 30, int.MaxValue);
    }

    static void Nothing(string where, byte[] content, string token)
    {
        foreach (var secret in (string[])[Value, Field, token, token.Split('.')[1], "CANARY"])
        {
            foreach (var form in (byte[][])[Encoding.UTF8.GetBytes(secret), Encoding.Unicode.GetBytes(secret), Encoding.ASCII.GetBytes(Convert.ToBase64String(Encoding.UTF8.GetBytes(secret[..(secret.Length / 3 * 3)])))])
            {
                var at = content.AsSpan().IndexOf(form);
                Assert.True(at < 0, $"{where} has it at byte {at}: {Encoding.Latin1.GetString(content.AsSpan(Math.Max(0, at - 80), Math.Min(160, content.Length - Math.Max(0, at - 80))))}");
            }
        }
    }
}
