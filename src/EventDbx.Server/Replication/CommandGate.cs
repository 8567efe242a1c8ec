using System.Net;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Connections;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Replication;

/// <summary>What comes to the port of replication in clear: commands from this machine, with a root token. A hello of the reference is told why not; anything else gets no answer.</summary>
/// <param name="options">Of the server.</param>
/// <param name="tokens">Whose token it is.</param>
internal sealed class CommandGate(ServerOptions options, TokenAuthority tokens) : IDisposable
{
    /// <summary>Of a command that was not run.</summary>
    const int NotRun = -1;

    readonly SemaphoreSlim _room = new(ServerLimits.SessionCommandsMax);

    /// <summary>Answers a connection in clear until it ends.</summary>
    /// <param name="connection">What came.</param>
    /// <param name="open">Its place among all of them.</param>
    /// <param name="stream">Its bytes.</param>
    /// <param name="refused">Told why, where it or its command is refused for where it comes from or who it is.</param>
    /// <param name="late">The time of its first message.</param>
    /// <param name="closing">The server stops.</param>
    /// <exception cref="MessageException">It says something else.</exception>
    public async Task ServeAsync(ConnectionContext connection, OpenConnection open, PeerStream stream, Action<string> refused, CancellationTokenSource late, CancellationToken closing)
    {
        var here = connection.RemoteEndPoint is IPEndPoint { Address: var address } && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address);
        var reader = new FrameReader(stream) { BytesMax = here ? ServerLimits.SessionCommandBytesMax : ServerLimits.SessionHelloBytesMax };
        var writer = new MessageWriter();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(late.Token, closing, connection.ConnectionClosed);
        if (await reader.ReadAsync(ended.Token).ConfigureAwait(false) is not { } first)
            return;
        if (!ControlFrames.IsCommand(first))
        {
            var version = ReplicationFrames.ReadHello(first).ProtocolVersion;
            refused(FormattableString.Invariant($"it says hello in clear, in version {version} of the protocol, and not inside TLS"));
            await SendAsync(ReplicationFrames.WriteHelloResponse(writer, new(false, Refusal(version)))).ConfigureAwait(false);
            return;
        }

        if (!here)
            refused("it has a command, and comes from another machine");
        // The first message decides for the whole connection.
        for (var request = first; request is not null; request = await reader.ReadAsync(ended.Token).ConfigureAwait(false))
        {
            if (!open.TryBegin())
                return;
            try
            {
                late.CancelAfter(Timeout.InfiniteTimeSpan);
                var outcome = here ? await AnswerAsync(request, refused, connection.ConnectionClosed).ConfigureAwait(false)
                    : new(NotRun, "", "Commands are taken from this machine alone. From elsewhere `dbx --server https://HOST:PORT` carries them out.\n");
                stream.Patience = ServerLimits.SessionIdleTimeout;
                await SendAsync(ControlFrames.WriteResponse(writer, outcome.ExitCode, outcome.Output, outcome.Error)).ConfigureAwait(false);
            }
            finally
            {
                open.End();
            }

            if (!here)
                return;
        }

        async Task SendAsync(ReadOnlyMemory<byte> frame)
        {
            await stream.WriteAsync(frame, connection.ConnectionClosed).ConfigureAwait(false);
            await stream.FlushAsync(connection.ConnectionClosed).ConfigureAwait(false);
        }
    }

    public void Dispose() => _room.Dispose();

    static string Refusal(ushort version) => FormattableString.Invariant(
        $"unsupported replication protocol version {version}: this node speaks version {SessionHandshake.Version}, inside TLS 1.3 with ALPN dbx-repl/2 alone");

    async Task<CommandOutcome> AnswerAsync(MessageReader request, Action<string> refused, CancellationToken gone)
    {
        try
        {
            // Before the arguments are looked at.
            var token = ControlFrames.ReadToken(request);
            if (token.Length == 0)
            {
                refused("its command has no token");
                return No("A command needs a root token, in the field `token` of the request.");
            }

            if (WhyNot(token) is { } unfit)
            {
                refused($"its command has no root token that is taken: {unfit.TrimEnd('.')}");
                return No(unfit);
            }

            if (options.RunCommand is not { } run)
                return No("This server carries out no commands.");
            var arguments = ControlFrames.ReadArguments(request);
            if (arguments.Count > ServerLimits.SessionCommandArgumentsMax)
                return No($"The command has {arguments.Count} arguments; at most {ServerLimits.SessionCommandArgumentsMax} are taken.");
            return await RunAsync(run, new(arguments, token), gone).ConfigureAwait(false);
        }
        catch (RefusedException refusal)
        {
            return No(refusal.Message);
        }
        catch (MessageException malformed)
        {
            return No($"The request is malformed: {malformed.Message}");
        }
    }

    /// <summary>Why a token has no commands carried out; null where it has. Nothing of the token is in it.</summary>
    string? WhyNot(string token)
    {
        try
        {
            tokens.Authenticate(token).DemandRoot("have commands carried out by the port of replication");
            return null;
        }
        catch (RefusedException unfit)
        {
            return unfit.Message;
        }
    }

    async Task<CommandOutcome> RunAsync(Func<CommandRequest, CancellationToken, Task<CommandOutcome>> run, CommandRequest request, CancellationToken gone)
    {
        using var late = new CancellationTokenSource(ServerLimits.SessionCommandTimeout, options.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, gone);
        try
        {
            await _room.WaitAsync(either.Token).ConfigureAwait(false);
            try
            {
                return await run(request, either.Token).ConfigureAwait(false);
            }
            finally
            {
                _room.Release();
            }
        }
        catch (OperationCanceledException) when (!gone.IsCancellationRequested)
        {
            return No(FormattableString.Invariant($"The command took longer than {ServerLimits.SessionCommandTimeout.TotalSeconds:0} s and was given up; what it had written by then is written."));
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            options.Log?.Invoke(new(Timestamp.From(options.Clock.GetUtcNow()), LogLevel.Error, "commands", "A command by the port of replication failed.", fault));
            return No("The command failed by a fault of the server; its log says more.");
        }
    }

    static CommandOutcome No(string why) => new(NotRun, "", $"{why}\n");
}

/// <summary>A command that somebody has a server carry out.</summary>
/// <param name="Arguments">The command line without the name of the program.</param>
/// <param name="Token">A root token, which was looked at.</param>
public sealed record CommandRequest(IReadOnlyList<string> Arguments, string Token)
{
    /// <summary>Without the token.</summary>
    public override string ToString() => $"CommandRequest {{ {Arguments.Count} arguments }}";
}

/// <param name="ExitCode">-1: it was not run.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
public sealed record CommandOutcome(int ExitCode, string Output, string Error);
