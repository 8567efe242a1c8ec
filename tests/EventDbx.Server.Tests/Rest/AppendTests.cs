namespace EventDbx.Server.Tests.Rest;

public sealed class AppendTests(RestServer server) : IClassFixture<RestServer>
{
    [Fact]
    public async Task An_append_answers_with_its_record()
    {
        var reply = await server.PostAsync("/v1/events", """
            {"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-paid","payload":{"total": 42.50},"note":"by phone",
             "event_id":"01890A5D-ac96-774b-bcce-b302099a8057","expected_version":0}
            """);
        Assert.Equal(200, reply.Status);
        Assert.Equal("application/json", reply["Content-Type"]);
        Assert.Equal(reply.Body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture), reply["Content-Length"]);
        Assert.StartsWith("""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"order-paid","payload":{"total":42.50},"metadata":{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057",""", reply.Body, StringComparison.Ordinal);
        Assert.Contains("\"issued_by\":{\"group\":\"ops\",\"user\":\"root\"},\"note\":\"by phone\"},\"version\":1,", reply.Body, StringComparison.Ordinal);
        Assert.Null(reply["Idempotent-Replayed"]);
        var read = await server.GetAsync("/v1/aggregates/order/o-1/events/1");
        Assert.Equal(reply.Body, read.Body);
    }
}
