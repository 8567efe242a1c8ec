using EventDbx.Access;

namespace EventDbx.Commit;

/// <summary>What tokens spend and how long they live: counted here, by the one writer, in the batch of the event itself.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>Tokens remembered; beyond it they are looked up again.</summary>
    const int TokensRemembered = 10_000;

    readonly Dictionary<Guid, TokenRow> _tokens = [];
    readonly HashSet<Guid> _tokensChanged = [];
    readonly List<(Guid Id, TokenRow Before)> _tokensOfUnit = [];

    /// <summary>Why this append is one too many for its token; null when it may be, or has no limit.</summary>
    Refusal? CheckAllowance(AppendOperation append, IStorageView view)
    {
        if (append.Allowance is not { } allowance)
            return null;
        var spent = LoadToken(allowance.Id, view).Spent;
        return spent + append.Reserved < allowance.WriteLimit
            ? null
            : new(RefusalCode.WriteLimitReached, $"The token may append {allowance.WriteLimit} events and has appended {spent}{(append.Reserved > 0 ? $", with {append.Reserved} more staged elsewhere" : "")}. Refresh it with another limit, or use another one.");
    }

    void Spend(AppendOperation append, IStorageView view)
    {
        if (append.Allowance is not { } allowance)
            return;
        var row = LoadToken(allowance.Id, view);
        ChangeToken(allowance.Id, row, row with { Spent = row.Spent + 1 });
    }

    Outcome PlanToken(TokenOperation operation, IStorageView view)
    {
        var row = LoadToken(operation.Token, view);
        if (operation.Forget)
        {
            ChangeToken(operation.Token, row, default);
            return default;
        }

        var after = row with { ExpiresAt = Math.Max(row.ExpiresAt, operation.ExpiresAt), Dead = row.Dead || operation.Dead };
        var remaining = 0UL;
        if (operation.CloseAt is { } limit && row.Spent < limit)
            (remaining, after) = (limit - row.Spent, after with { Spent = limit });
        if (after != row)
            ChangeToken(operation.Token, row, after);
        return new() { Remaining = remaining };
    }

    TokenRow LoadToken(Guid id, IStorageView view)
    {
        if (_tokens.TryGetValue(id, out var row))
            return row;
        row = TokenRow.Find(view, id) ?? default;
        _tokens.Add(id, row);
        return row;
    }

    void ChangeToken(Guid id, TokenRow before, TokenRow after)
    {
        _tokensOfUnit.Add((id, before));
        _tokens[id] = after;
        _tokensChanged.Add(id);
    }

    /// <summary>Takes back what the unit has spent.</summary>
    void ReturnTokens()
    {
        for (var i = _tokensOfUnit.Count - 1; i >= 0; i--)
            _tokens[_tokensOfUnit[i].Id] = _tokensOfUnit[i].Before;
    }

    void BeginTokens()
    {
        _tokensChanged.Clear();
        if (_tokens.Count > TokensRemembered)
            _tokens.Clear();
    }

    void PutTokens(WritePlan plan)
    {
        Span<byte> key = stackalloc byte[TokenRow.KeyBytes];
        foreach (var id in _tokensChanged)
        {
            TokenRow.WriteKey(key, id);
            if (_tokens[id] == default)
            {
                plan.Delete(Family.Tokens, key);
                continue;
            }

            var row = Checked.Open(plan, Family.Tokens, key, TokenRow.EncodedBytes);
            _tokens[id].Write(row.Body);
            row.Close();
        }
    }
}
