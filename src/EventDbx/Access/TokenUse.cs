namespace EventDbx.Access;

/// <summary>A token as the writer knows it: whose appends are counted, and up to where.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="WriteLimit">Events it may append in its life; the writer counts them in the commit.</param>
public readonly record struct TokenAllowance(Guid Id, ulong WriteLimit);

/// <summary>What the store remembers of a token.</summary>
/// <param name="Spent">Events appended with it.</param>
/// <param name="ExpiresAt">Until when a token that is kept alive lives; null when the store has no say in it.</param>
/// <param name="Dead">Revoked or replaced, whatever a ledger that somebody put back says.</param>
public readonly record struct TokenUse(ulong Spent, Timestamp? ExpiresAt, bool Dead = false);
