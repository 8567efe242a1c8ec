using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace EventDbx.Server.Connections;

/// <summary>The end of a connection of HTTP/2 that was asked to end.</summary>
/// <remarks>
/// Kestrel says GOAWAY and closes once nothing is under way, but looks for that only when something comes from the client: one that
/// keeps its connection after its last answer would hold up a stop until the deadline. Here its input ends for it, once no request is
/// under way and nothing has been sent for a while, so that an answer on its way is not cut off.
/// </remarks>
internal static class QuietEnd
{
    const int Looks = 4;

    /// <param name="connection">Whose.</param>
    /// <param name="open">The same, as the limits see it.</param>
    /// <param name="transport">What is sent.</param>
    /// <returns>To be disposed of when the connection is over.</returns>
    public static CancellationTokenRegistration Await(ConnectionContext connection, OpenConnection open, WatchedTransport transport) =>
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested.Register(() => _ = EndAsync(connection, open, transport)) ?? default;

    static async Task EndAsync(ConnectionContext connection, OpenConnection open, WatchedTransport transport)
    {
        try
        {
            for (var quiet = 0; quiet < Looks;)
            {
                var sent = transport.Flushes;
                await Task.Delay(ServerLimits.QuietBeforeEnd / Looks, connection.ConnectionClosed).ConfigureAwait(false);
                quiet = open.IsIdle && transport.Flushes == sent ? quiet + 1 : 0;
            }

            transport.Input.CancelPendingRead();
        }
        catch (Exception over) when (over is OperationCanceledException or ObjectDisposedException)
        {
            // It has ended by itself.
        }
    }
}
