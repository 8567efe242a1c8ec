namespace EventDbx.Server.GraphQL;

/// <summary>A look at the text of a document before it is parsed: how long, and how deep its brackets go. Linear, allocates nothing.</summary>
internal static class DocumentScan
{
    /// <exception cref="RefusedException"><see cref="RefusalCode.LimitExceeded"/>.</exception>
    public static void Check(string query)
    {
        // Characters first: counting bytes reads them all.
        if (query.Length > ServerLimits.GraphQLQueryBytesMax || Encoding.UTF8.GetByteCount(query) > ServerLimits.GraphQLQueryBytesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The query has more than {ServerLimits.GraphQLQueryBytesMax} bytes. Send long values as variables, and split what asks for much.");
        var depth = 0;
        for (var at = 0; at < query.Length; at++)
        {
            switch (query[at])
            {
                case '{' or '[' or '(' when ++depth > ServerLimits.GraphQLNestingMax:
                    throw new RefusedException(RefusalCode.LimitExceeded, $"The query has more than {ServerLimits.GraphQLNestingMax} brackets within each other.");
                case '}' or ']' or ')':
                    depth--;
                    break;
                case '#':
                    var end = query.AsSpan(at).IndexOfAny('\n', '\r');
                    at = end < 0 ? query.Length : at + end;
                    break;
                case '"':
                    at = AfterString(query, at);
                    break;
            }
        }
    }

    /// <summary>The last character of the string that begins here. One that has no end is the parser's to refuse.</summary>
    static int AfterString(string query, int start)
    {
        if (query.AsSpan(start).StartsWith("\"\"\""))
        {
            for (var at = start + 3; at < query.Length; at++)
            {
                if (query.AsSpan(at).StartsWith("\\\"\"\""))
                    at += 3;
                else if (query.AsSpan(at).StartsWith("\"\"\""))
                    return at + 2;
            }

            return query.Length;
        }

        for (var at = start + 1; at < query.Length; at++)
        {
            if (query[at] == '\\')
                at++;
            else if (query[at] is '"' or '\n' or '\r')
                return at;
        }

        return query.Length;
    }
}
