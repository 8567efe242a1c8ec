using System.Globalization;
using EventDbx.Server.Rest;

namespace EventDbx.Server.Tests.Rest;

/// <summary>Versions that are expected, and appends that are sent twice.</summary>
public class ConditionTests(RestServer server) : IClassFixture<RestServer>
{
    static string Body(string id, string rest = "") => $$"""{"aggregate_type":"c","aggregate_id":"{{id}}","event_type":"e","payload":{"n":1}{{rest}}}""";

    async Task SeedAsync(string id, int events)
    {
        for (var i = 0; i < events; i++)
            await server.AppendAsync("c", id, "e", $$"""{"n":{{i}}}""");
    }

    [Fact]
    public async Task A_state_has_a_tag_and_is_not_sent_again_while_it_stands()
    {
        await SeedAsync("tag", 2);
        const string Url = "/v1/aggregates/c/tag";
        var first = await server.GetAsync(Url);
        Assert.Equal("\"2\"", first["ETag"]);
        foreach (var tag in new[] { "\"2\"", "W/\"2\"", "*", "\"1\", \"2\"" })
        {
            var again = await server.SendAsync("GET", Url, headers: ("If-None-Match", tag));
            Assert.Equal((304, "", "\"2\""), (again.Status, again.Body, again["ETag"]));
        }

        Assert.Equal(200, (await server.SendAsync("GET", Url, headers: ("If-None-Match", "\"1\""))).Status);
        Assert.Equal(200, (await server.SendAsync("GET", Url, headers: ("If-None-Match", "\"2a\""))).Status);
        await server.PostAsync(Url + "/archive", "{}");
        Assert.Equal("\"2a\"", (await server.GetAsync(Url))["ETag"]);
        Assert.Equal("\"1a\"", (await server.GetAsync(Url + "?version=1"))["ETag"]);
    }

    [Fact]
    public async Task A_version_that_is_expected_in_the_body_fails_with_409_and_the_real_one()
    {
        await SeedAsync("body", 2);
        var reply = await server.PostAsync("/v1/events", Body("body", ",\"expected_version\":1"));
        Assert.Equal((409, "version_conflict", 2), (reply.Status, reply.Code, reply.Json.GetProperty("actual_version").GetInt32()));
        Assert.Equal(200, (await server.PostAsync("/v1/events", Body("body", ",\"expected_version\":2"))).Status);
        Assert.Equal(409, (await server.PostAsync("/v1/events", Body("body", ",\"expected_version\":0"))).Status);
    }

    [Fact]
    public async Task A_version_that_is_expected_in_a_header_fails_with_412_and_the_same_code()
    {
        await SeedAsync("head", 2);
        var reply = await server.PostAsync("/v1/events", Body("head"), ("If-Match", "\"1\""));
        Assert.Equal((412, "version_conflict", 2), (reply.Status, reply.Code, reply.Json.GetProperty("actual_version").GetInt32()));
        Assert.Equal(200, (await server.PostAsync("/v1/events", Body("head"), ("If-Match", "\"2\""))).Status);
        Assert.Equal(200, (await server.PostAsync("/v1/events", Body("head", ",\"expected_version\":3"), ("If-Match", "\"3\""))).Status);
        Assert.Equal("invalid_argument", (await server.PostAsync("/v1/events", Body("head", ",\"expected_version\":3"), ("If-Match", "\"4\""))).Code);
        Assert.Equal(412, (await server.PostAsync("/v1/events", Body("head"), ("If-None-Match", "*"))).Status);
        Assert.Equal(200, (await server.PostAsync("/v1/events", Body("head-new"), ("If-None-Match", "*"))).Status);
    }

    [Fact]
    public async Task A_star_expects_that_there_are_events()
    {
        Assert.Equal(412, (await server.PostAsync("/v1/events", Body("star"), ("If-Match", "*"))).Status);
        await server.SendAsync("PUT", "/v1/aggregates/c/star");
        var created = await server.PostAsync("/v1/events", Body("star"), ("If-Match", "*"));
        Assert.Equal((412, "version_conflict", 0), (created.Status, created.Code, created.Json.GetProperty("actual_version").GetInt32()));
        await SeedAsync("star", 1);
        Assert.Equal(200, (await server.PostAsync("/v1/events", Body("star"), ("If-Match", "*"))).Status);
    }

    [Fact]
    public async Task The_tag_of_an_archived_aggregate_expects_what_cannot_be()
    {
        await SeedAsync("arch", 1);
        await server.PostAsync("/v1/aggregates/c/arch/archive", "{}");
        Assert.Equal(412, (await server.PostAsync("/v1/events", Body("arch"), ("If-Match", "\"1a\""))).Status);
        var archived = await server.PostAsync("/v1/events", Body("arch"), ("If-Match", "\"1\""));
        Assert.Equal((403, "archived"), (archived.Status, archived.Code));
    }

    [Theory]
    [InlineData("If-Match", "W/\"1\"")]
    [InlineData("If-Match", "1")]
    [InlineData("If-Match", "\"\"")]
    [InlineData("If-Match", "\"x\"")]
    [InlineData("If-Match", "\"a\"")]
    [InlineData("If-Match", "\"-1\"")]
    [InlineData("If-Match", "\"1\", \"2\"")]
    [InlineData("If-None-Match", "\"1\"")]
    public async Task A_tag_that_says_nothing_about_a_version_is_refused(string header, string tag)
    {
        var reply = await server.PostAsync("/v1/events", Body("tags"), (header, tag));
        Assert.Equal((400, "invalid_argument"), (reply.Status, reply.Code));
    }

    [Fact]
    public async Task Both_headers_together_are_refused() =>
        Assert.Equal("invalid_argument", (await server.PostAsync("/v1/events", Body("both"), ("If-Match", "*"), ("If-None-Match", "*"))).Code);

    [Theory]
    [InlineData("order 1, once", null)]
    [InlineData("order-1", "order-1")]
    [InlineData("\"order-1\"", "order-1")]
    [InlineData("\"a\\\"b\\\\c\"", "a\"b\\c")]
    [InlineData("\"open", null)]
    [InlineData("\"a\"b", null)]
    [InlineData("\"a\\n\"", null)]
    [InlineData("\"\"", null)]
    [InlineData("00000000-0000-0000-0000-000000000000", null)]
    [InlineData("ffffffff-ffff-ffff-ffff-ffffffffffff", null)]
    public async Task A_key_stands_for_an_event_id(string header, string? key)
    {
        var id = $"key-{Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(header))}";
        var reply = await server.PostAsync("/v1/events", Body(id), ("Idempotency-Key", header));
        if (key is null)
        {
            Assert.Equal((400, "invalid_argument"), (reply.Status, reply.Code));
            return;
        }

        Assert.Equal(IdempotencyKey.Derive(key), reply.Json.GetProperty("metadata").GetProperty("event_id").GetGuid());
        Assert.Equal('8', IdempotencyKey.Derive(key).ToString("D")[14]);
        var again = await server.PostAsync("/v1/events", Body(id), ("Idempotency-Key", key));
        Assert.Equal((200, reply.Body, "true"), (again.Status, again.Body, again["Idempotent-Replayed"]));
    }

    [Fact]
    public void A_key_becomes_the_same_id_for_ever() =>
        // printf 'eventdbx idempotency-key 1\0order-1' | sha256sum, with version 8 and the variant set.
        Assert.Equal(Guid.Parse("c64caecd-c6a1-8f32-a9b5-2eb4172a0a04"), IdempotencyKey.Derive("order-1"));

    [Fact]
    public async Task A_key_has_256_characters_at_most()
    {
        Assert.Equal(200, (await server.PostAsync("/v1/events", Body("long"), ("Idempotency-Key", new string('k', 256)))).Status);
        Assert.Equal("invalid_argument", (await server.PostAsync("/v1/events", Body("long"), ("Idempotency-Key", new string('k', 257)))).Code);
    }

    [Fact]
    public async Task A_UUID_is_taken_as_the_event_id_it_is()
    {
        const string Id = "01890a5d-ac96-774b-bcce-b302099a8057";
        var reply = await server.PostAsync("/v1/events", Body("uuid"), ("Idempotency-Key", Id.ToUpperInvariant()));
        Assert.Equal(Id, reply.Json.GetProperty("metadata").GetProperty("event_id").GetString());
        var again = await server.PostAsync("/v1/events", Body("uuid", $",\"event_id\":\"{Id}\""), ("Idempotency-Key", Id));
        Assert.Equal("true", again["Idempotent-Replayed"]);
        Assert.Equal("invalid_argument", (await server.PostAsync("/v1/events", Body("uuid", $",\"event_id\":\"{Id}\""), ("Idempotency-Key", "other"))).Code);
    }

    [Fact]
    public async Task A_known_id_is_looked_at_before_everything_else()
    {
        var first = await server.PostAsync("/v1/events", Body("known"), ("Idempotency-Key", "k-1"), ("If-None-Match", "*"));
        Assert.Equal(200, first.Status);
        var again = await server.PostAsync("/v1/events", Body("known"), ("Idempotency-Key", "k-1"), ("If-None-Match", "*"));
        Assert.Equal((200, first.Body), (again.Status, again.Body));
        var other = await server.PostAsync("/v1/events", Body("known", ",\"note\":\"x\""), ("Idempotency-Key", "k-1"));
        Assert.Equal((409, "idempotency_conflict"), (other.Status, other.Code));
        await server.PostAsync("/v1/aggregates/c/known/archive", "{}");
        Assert.Equal(first.Body, (await server.PostAsync("/v1/events", Body("known"), ("Idempotency-Key", "k-1"))).Body);
    }

    [Fact]
    public async Task A_batch_names_the_places_of_what_was_known()
    {
        string Batch(params string[] ids) => $$"""{"events":[{{string.Join(',', ids.Select(id => Body("batch", $",\"event_id\":\"01890a5d-ac96-774b-bcce-b302099a80{id}\"")))}}]}""";
        var first = await server.PostAsync("/v1/events/batch", Batch("01", "02"));
        Assert.Equal("[]", first.Json.GetProperty("known").GetRawText());
        var second = await server.PostAsync("/v1/events/batch", Batch("02", "03", "01"));
        Assert.Equal("[0,2]", second.Json.GetProperty("known").GetRawText());
        Assert.Equal(["2", "3", "1"], second.Json.GetProperty("events").EnumerateArray().Select(record => record.GetProperty("version").GetRawText()));
        Assert.Equal("invalid_argument", (await server.PostAsync("/v1/events/batch", Batch("05", "05"))).Code);
        Assert.Equal("""{"count":1,"known":[0]}""", (await server.PostAsync("/v1/events/batch", Batch("01"), ("Prefer", "respond-async, return=minimal"))).Body);
    }

    [Fact]
    public async Task A_write_limit_that_is_spent_is_403_and_repeats_are_free()
    {
        var token = await server.IssueAsync(new() { Group = "g", User = "u", Actions = ["aggregate.append"], WriteLimit = 2 });
        Task<Reply> AppendAsync(string key) => server.SendAsync("POST", "/v1/events", Body("limit"), token, headers: ("Idempotency-Key", key));
        Assert.Equal(200, (await AppendAsync("1")).Status);
        Assert.Equal(200, (await AppendAsync("1")).Status);
        Assert.Equal(200, (await AppendAsync("2")).Status);
        var third = await AppendAsync("3");
        Assert.Equal((403, "write_limit_reached"), (third.Status, third.Code));
        Assert.Equal("true", (await AppendAsync("2"))["Idempotent-Replayed"]);
    }

    [Fact]
    public async Task Sixteen_writers_who_expect_a_version_lose_nothing_and_double_nothing()
    {
        var taken = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 16), TestContext.Current.CancellationToken, async (_, _) =>
        {
            for (var done = 0; done < 4;)
            {
                var version = (await server.GetAsync("/v1/aggregates/c/race")) is { Status: 200 } state ? state.Json.GetProperty("version").GetUInt64() : 0;
                var reply = await server.PostAsync("/v1/events", Body("race"), ("If-Match", version == 0 ? "\"0\"" : $"\"{version}\""));
                Assert.True(reply.Status is 200 or 412, reply.Body);
                if (reply.Status == 200)
                {
                    done++;
                    Interlocked.Increment(ref taken);
                }
            }
        });
        Assert.Equal(taken.ToString(CultureInfo.InvariantCulture), (await server.GetAsync("/v1/aggregates/c/race")).Json.GetProperty("version").GetRawText());
    }
}
