namespace EventDbx.Benchmarks.Layout;

/// <summary>What travels: names, values and payloads that compress about as business data does.</summary>
internal static class Payload
{
    static readonly string[] s_words =
        ["open", "paid", "shipped", "returned", "Berlin", "Lyon", "Porto", "EUR", "USD", "gift", "express", "blue", "green"];

    public static byte[] FieldName(int number) => Encoding.UTF8.GetBytes($"field_{number:d3}");

    /// <summary>About 20 bytes of JSON: a word and a number.</summary>
    public static byte[] FieldValue(Random random) =>
        Encoding.UTF8.GetBytes($"\"{s_words[random.Next(s_words.Length)]}-{random.Next(1_000_000):d6}-{random.Next(1000):d3}\"");

    /// <summary>An event's row: 300 bytes, a third of it as random as ids, hashes and keys are.</summary>
    public static byte[] Event(Random random)
    {
        StringBuilder text = new("{\"order_id\":\"");
        var id = new byte[48];
        random.NextBytes(id);
        text.Append(Convert.ToBase64String(id)).Append("\",\"lines\":[");
        while (text.Length < 260)
        {
            text.Append("{\"article\":\"").Append(s_words[random.Next(s_words.Length)]);
            text.Append("\",\"count\":").Append(random.Next(100)).Append("},");
        }
        text.Append("0],\"note\":\"");
        while (text.Length < 298)
            text.Append((char)('a' + random.Next(26)));
        return Encoding.UTF8.GetBytes(text.Append("\"}").ToString(0, 300));
    }
}
