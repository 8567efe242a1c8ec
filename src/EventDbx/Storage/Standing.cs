namespace EventDbx.Storage;

/// <summary>What a store is at the moment: which database, in which epoch, and whether it leads or is a mirror. Changed by the one writer alone.</summary>
/// <param name="Identity">Which database, which epoch.</param>
/// <param name="Mirror">Whose mirror; null: it leads.</param>
internal sealed record Standing(StoreIdentity Identity, MirrorRow? Mirror);
