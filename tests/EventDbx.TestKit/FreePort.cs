using System.Net;
using System.Net.Sockets;

namespace EventDbx.TestKit;

/// <summary>Ports for servers that are told which one to take.</summary>
/// <remarks>Below those that the system gives to whoever connects: one of those may be taken by the next test's client before the server has it.</remarks>
public static class FreePort
{
    const int First = 12_000, End = 32_000;

    static readonly HashSet<int> s_given = [];

    /// <summary>One that is free now, and that no other test of this process was given.</summary>
    public static int Take()
    {
        while (true)
        {
            var port = Random.Shared.Next(First, End);
            lock (s_given)
            {
                if (!s_given.Add(port))
                    continue;
            }

            try
            {
                using var listener = new TcpListener(IPAddress.Any, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }
}
