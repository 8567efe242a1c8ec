using EventDbx.Server.Rest;

namespace EventDbx.Server.GraphQL;

/// <summary>The bytes of one message as they come: bounded, and counted with the bodies of requests.</summary>
internal sealed class ReceivedMessage(BodyBudget budget) : IDisposable
{
    const int Piece = 4096;

    readonly PooledBuffer _text = new(Piece);
    long _taken;

    public ReadOnlyMemory<byte> Text => _text.Written;

    /// <summary>Where the next piece may go.</summary>
    public Memory<byte> Free() => _text.GetMemory(Piece / 2);

    /// <summary>A piece has come; false where it is one too many.</summary>
    public bool Took(int bytes, out bool tooLarge)
    {
        _text.Advance(bytes);
        tooLarge = _text.Length > ServerLimits.GraphQLMessageBytesMax;
        if (tooLarge)
            return false;
        // Small ones cost as much as the headers of a request, which nobody counts either.
        if (_text.Length <= Piece)
            return true;
        var more = ((long)_text.Length * ServerLimits.BodyCost) - _taken;
        if (!budget.TryTake(more))
            return false;
        _taken += more;
        return true;
    }

    public void Dispose()
    {
        _text.Dispose();
        budget.Give(_taken);
        _taken = 0;
    }
}
