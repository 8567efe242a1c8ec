namespace EventDbx.Verifier.Bundles;

/// <summary>The first line of a bundle.</summary>
/// <param name="OfLog">Whether it holds every entry of the log, not some aggregates.</param>
/// <param name="Since">Size and root of an older checkpoint, from which a proof was there and held.</param>
internal sealed record BundleHeader(bool OfLog, Checkpoint Checkpoint, (ulong Size, Digest Root)? Since)
{
    static readonly Shape Members = new("format", "scope", "key", "checkpoint", "since");
    static readonly Shape SinceMembers = new("size", "root", "path");

    /// <exception cref="RefutedException">It is none, or contradicts itself.</exception>
    public static BundleHeader Parse(ReadOnlyMemory<byte> line, Unnamed unnamed)
    {
        const string What = "The first line of the bundle";
        var header = JsonObject.Of(line, What, Members, unnamed);
        header.Demand("eventdbx-evidence/1");
        var scope = header.String("scope");
        if (scope is not ("aggregates" or "log"))
            throw header.Wrong("scope", "\"aggregates\" or \"log\"");
        var checkpoint = Checkpoint.Parse(header.Utf8("checkpoint").Span, "The checkpoint");
        DemandSigned(header, checkpoint);
        (ulong, Digest)? since = null;
        if (header.Has("since"))
        {
            var from = header.Object("since", SinceMembers, unnamed);
            since = (from.Number("size"), from.Hash("root"));
            Documents.Consistency.Demand(since.Value, (checkpoint.Size, checkpoint.Root), from.Path("path"), "entries");
        }

        return new(scope == "log", checkpoint, since);
    }

    /// <summary>The key that a bundle names is no reason to trust it; but it must have signed what it is named for.</summary>
    static void DemandSigned(JsonObject header, Checkpoint checkpoint)
    {
        var key = VerifierKey.Parse(header.String("key"), out _);
        if (key is not { Algorithm: VerifierKey.Log })
            throw header.Wrong("key", "the vkey of a log");
        if (key.Name != checkpoint.Origin)
            throw new RefutedException("The bundle names the key of another log than the one of its checkpoint.");
        var message = Text.Utf8.GetBytes(checkpoint.Note.Signed);
        if (!checkpoint.Note.Signatures.Any(signature => signature.Name == key.Name && signature.KeyId == key.Id && key.Verifies(signature.Bytes, message)))
            throw new RefutedException("The checkpoint of the bundle was not signed by the key that the bundle names.");
    }
}
