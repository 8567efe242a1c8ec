using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace EventDbx.Server.Daemon;

/// <summary>What the service manager that started this process is told of it (systemd's <c>Type=notify</c>): datagrams to the socket that a variable names.</summary>
/// <remarks>
/// Nothing it is told may end or delay the server: what cannot be sent is lost, and the service manager ends a server of which it hears nothing, as it would anyway.
/// While a server starts, the manager is asked for more time every few seconds: a store that was not closed may be checked for minutes.
/// </remarks>
public sealed class ServiceNotice : IDisposable
{
    const string SocketVariable = "NOTIFY_SOCKET";
    const string WatchdogVariable = "WATCHDOG_USEC";
    const string WatchdogProcessVariable = "WATCHDOG_PID";

    /// <summary>What a timer can do: one sign of life a millisecond at most, and one an hour at least.</summary>
    static readonly TimeSpan s_watchdogMin = TimeSpan.FromMilliseconds(2), s_watchdogMax = TimeSpan.FromHours(2);

    readonly Socket _socket;
    readonly UnixDomainSocketEndPoint _to;
    readonly TimeProvider _clock;
    readonly TimeSpan? _watchdog;
    readonly Lock _lock = new();
    ITimer? _timer;

    ServiceNotice(UnixDomainSocketEndPoint to, TimeSpan? watchdog, TimeProvider clock)
    {
        (_to, _watchdog, _clock) = (to, watchdog, clock);
        _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { SendTimeout = (int)ServerLimits.ServiceNoticeWait.TotalMilliseconds };
    }

    /// <summary>The variables by which a service manager says where it listens. They are meant for one process: none that it starts may speak in its name.</summary>
    public static IReadOnlyList<string> Variables { get; } = [SocketVariable, WatchdogVariable, WatchdogProcessVariable];

    /// <summary>The service manager of this process; null where the environment names none.</summary>
    /// <param name="environment">The value of a variable; null when it is not set.</param>
    /// <param name="clock">For what is said again and again.</param>
    /// <exception cref="DaemonException">It names something that cannot be told anything: the manager would wait in vain, and end the server without a word about why.</exception>
    public static ServiceNotice? Of(Func<string, string?> environment, TimeProvider clock)
    {
        if (environment(SocketVariable) is not { Length: > 0 } address)
            return null;
        if (address.Length < 2 || address[0] is not ('/' or '@'))
            throw Refused(address, "a path from the root, or an abstract address that begins with `@`, is what can be told of the server");
        try
        {
            // "@name" is how an abstract address is written: one of no file, whose first byte is 0.
            return new(new(address[0] == '@' ? "\0" + address[1..] : address), WatchdogOf(environment), clock);
        }
        catch (ArgumentException)
        {
            throw Refused(address, FormattableString.Invariant($"the address of a socket has at most {SocketPlace.BytesMax} bytes"));
        }
        catch (Exception cause) when (cause is SocketException or PlatformNotSupportedException)
        {
            throw Refused(address, cause.Message);
        }
    }

    /// <summary>Keeps the variables from every process that this one starts: plugins, commands that give keys, checks of a store.</summary>
    public static void KeepToItself()
    {
        foreach (var name in Variables)
            Environment.SetEnvironmentVariable(name, null);
    }

    /// <summary>The server is starting, from now until <see cref="Ready"/>: more time is asked for again and again.</summary>
    internal void Starting() => Again(
        FormattableString.Invariant($"EXTEND_TIMEOUT_USEC={ServerLimits.ServiceStartExtension.TotalMicroseconds:0}"), ServerLimits.ServiceStartExtension / 3);

    /// <summary>What it is at, in a line, for <c>systemctl status</c>.</summary>
    internal void Tell(string status) => Send(StatusLine(status));

    /// <summary>Requests are answered. Where the manager asked for signs of life, it gets them from now on.</summary>
    internal void Ready(string status)
    {
        Send("READY=1\n" + StatusLine(status));
        if (_watchdog is { } within)
            Again("WATCHDOG=1", within / 2);
        else
            Quiet();
    }

    /// <summary>The server ends, in order.</summary>
    internal void Stopping() => Send("STOPPING=1\n" + StatusLine("Stopping"));

    /// <summary>Says no more.</summary>
    public void Dispose()
    {
        Quiet();
        lock (_lock)
            _socket.Dispose();
    }

    void Again(string what, TimeSpan every)
    {
        Quiet();
        Send(what);
        _timer = _clock.CreateTimer(_ => Send(what), null, every, every);
    }

    void Quiet()
    {
        _timer?.Dispose();
        _timer = null;
    }

    void Send(string text)
    {
        lock (_lock)
        {
            try
            {
                _socket.SendTo(Encoding.UTF8.GetBytes(text), _to);
            }
            catch (Exception lost) when (lost is SocketException or ObjectDisposedException)
            {
                // The manager has gone, or takes nothing: no reason to end a server that answers.
            }
        }
    }

    /// <summary>One line, whatever is in it: the next would be an assignment of its own.</summary>
    static string StatusLine(string status) => "STATUS=" + status.ReplaceLineEndings(" ");

    /// <summary>How often a sign of life is asked of this process; null: never, or of another one.</summary>
    static TimeSpan? WatchdogOf(Func<string, string?> environment)
    {
        if (environment(WatchdogProcessVariable) is { Length: > 0 } process && process != Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            return null;
        return long.TryParse(environment(WatchdogVariable), NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
            && micros > 0
                ? TimeSpan.FromMicroseconds(Math.Clamp(micros, s_watchdogMin.TotalMicroseconds, s_watchdogMax.TotalMicroseconds))
                : null;
    }

    static DaemonException Refused(string address, string accepted) =>
        new($"The service manager cannot be told when the server is ready: {SocketVariable} is `{address}`; {accepted}.");
}
