using System.Diagnostics.CodeAnalysis;

namespace EventDbx.Events;

/// <summary>What an append may do with a patch: it sets fields, and takes none away, for an event is a fact and not its absence.</summary>
internal static class AppendPatch
{
    /// <summary>Reads the patch of an append.</summary>
    /// <param name="sent">The patch.</param>
    /// <param name="payload">What was sent beside it, which is to be nothing.</param>
    /// <param name="patch">Ready to be applied.</param>
    /// <param name="refusal">Why not.</param>
    public static bool TryParse(ReadOnlySpan<byte> sent, ReadOnlyMemory<byte> payload, [NotNullWhen(true)] out JsonPatch? patch, out Refusal refusal)
    {
        (patch, refusal) = (null, default);
        if (!payload.IsEmpty)
            return Refuse("There is a payload and a patch; an event takes one of them.", out refusal);
        if (sent.Length > Limits.PayloadBytesMax)
        {
            refusal = new(RefusalCode.LimitExceeded, $"The patch has {sent.Length} bytes; at most {Limits.PayloadBytesMax} are accepted.");
            return false;
        }

        JsonPatch parsed;
        try
        {
            parsed = JsonPatch.Parse(sent);
        }
        catch (RefusedException refused)
        {
            refusal = refused.Refusal;
            return false;
        }

        if (parsed.Operations.Count == 0)
            return Refuse("The patch has no operation; it takes at least one.", out refusal);
        for (var i = 0; i < parsed.Operations.Count; i++)
        {
            var operation = parsed.Operations[i];
            if (operation.Verb is not (JsonPatch.Verb.Add or JsonPatch.Verb.Replace))
                return Refuse($"Operation {i + 1} is `{JsonPatch.NameOf(operation.Verb)}`; the patch of an event may `add` and `replace`.", out refusal);
            if (operation.Steps.Length == 0)
                return Refuse($"Operation {i + 1} is about the whole state; the patch of an event is about fields, such as /status.", out refusal);
            if (Encoding.UTF8.GetByteCount(operation.Steps[0]) > Limits.FieldNameBytesMax)
                return Refuse($"Operation {i + 1} names a field of more than {Limits.FieldNameBytesMax} bytes.", out refusal);
        }

        patch = parsed;
        return true;
    }

    static bool Refuse(string message, out Refusal refusal)
    {
        refusal = new(RefusalCode.InvalidPatch, message);
        return false;
    }
}
