namespace EventDbx.Server.Tests.Feed;

/// <summary>One who reads the feed over a surface, drops out at random, is thrown out, and goes on from the last cursor it had.</summary>
/// <param name="client">Of the surface.</param>
/// <param name="port">The server's.</param>
/// <param name="token">With which it comes.</param>
/// <param name="seed">Of when it drops out, and how.</param>
/// <param name="sessionMax">Events after which it drops out at the latest.</param>
internal sealed class ChaosSubscriber(IFeedClient client, int port, string token, int seed, int sessionMax)
{
    static readonly TimeSpan BeforeComingAgain = TimeSpan.FromMilliseconds(20);

    /// <summary>A connection: behind which position it began, and what came.</summary>
    public sealed record Session(ulong After, List<FedEvent> Events);

    string? _cursor;
    ulong _reached;
    Exception? _lastEnd;

    /// <summary>All that came in connections that went on where the last one had ended.</summary>
    public List<FedEvent> Chain { get; } = [];

    /// <summary>Every connection, those included that went back to read again.</summary>
    public List<Session> Sessions { get; } = [];

    public string Surface => client.Surface;

    /// <summary>How the last connection ended that nobody wanted to end.</summary>
    public Exception? LastEnd => Volatile.Read(ref _lastEnd);

    public ulong Reached => Volatile.Read(ref _reached);

    /// <summary>Until it has the event at a position.</summary>
    /// <param name="last">That position, once it is known; then it drops out no more.</param>
    /// <param name="cancellation">Gives up.</param>
    public async Task RunAsync(Task<ulong> last, CancellationToken cancellation)
    {
        var random = new Random(seed);
        while (!last.IsCompletedSuccessfully || Reached < await last)
        {
            cancellation.ThrowIfCancellationRequested();
            // Now and then it has forgotten how far it was, and reads again what it has read.
            if (Chain.Count > 0 && random.Next(5) == 0)
            {
                var from = Chain[random.Next(Chain.Count)];
                await ConnectAsync(random, from.Cursor, from.Position, static _ => { }, null, cancellation);
            }

            await ConnectAsync(random, _cursor, Reached, Note, last, cancellation);
        }
    }

    void Note(FedEvent fed)
    {
        Chain.Add(fed);
        _cursor = fed.Cursor;
        Volatile.Write(ref _reached, fed.Position);
    }

    async Task ConnectAsync(Random random, string? after, ulong afterPosition, Action<FedEvent> note, Task<ulong>? last, CancellationToken cancellation)
    {
        var session = new Session(afterPosition, []);
        Sessions.Add(session);
        var take = random.Next(1, sessionMax);
        using var drop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // Half of them leave when they have had enough, the others whenever that is.
        var patience = random.Next(2) == 0 || last is null ? TimeSpan.FromMilliseconds(random.Next(1, 400)) : TimeSpan.FromSeconds(2);
        drop.CancelAfter(patience);
        try
        {
            await foreach (var fed in client.SubscribeAsync(port, token, after, drop.Token))
            {
                session.Events.Add(fed);
                note(fed);
                if (session.Events.Count >= take || (last is { IsCompletedSuccessfully: true } && fed.Position >= await last))
                    return;
            }
        }
        catch (Exception ended) when (!cancellation.IsCancellationRequested)
        {
            // Left by itself, or the server was killed under it; whoever never gets in is found by the time that all of it takes.
            if (!drop.IsCancellationRequested)
            {
                Volatile.Write(ref _lastEnd, ended);
                await Task.Delay(BeforeComingAgain, TimeProvider.System, cancellation);
            }
        }
    }
}
