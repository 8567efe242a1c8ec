using System.Runtime.CompilerServices;
using System.Threading.Channels;
using EventDbx.Server.Admin;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Replication.Transfer;

/// <summary>Push and pull of a database that this process has open, for a server and for a command alike.</summary>
/// <param name="database">Open; it stays so.</param>
/// <param name="settings">The configuration of now: its remotes.</param>
/// <param name="dial">Opens a session with a remote.</param>
/// <param name="clock">The time.</param>
public sealed class TransferDesk(Database database, Func<ServerConfig> settings, Dial dial, TimeProvider clock)
{
    /// <summary>Runs a push or a pull. Steps of progress are told as they are taken up, the newest of each moment; the last step is the report.</summary>
    /// <remarks>Whoever stops enumerating, or cancels, ends it between two batches.</remarks>
    /// <param name="by">Who asks.</param>
    /// <param name="request">What.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="RefusedException">
    /// It went no further. What was done before is in the <see cref="TransferCutOff"/> that was the last step; without one, nothing was changed.
    /// </exception>
    public IAsyncEnumerable<TransferStep> RunAsync(Session by, TransferRequest request, CancellationToken cancellation)
    {
        by.DemandRoot(request.Direction == TransferDirection.Push ? PushRight : PullRight);
        return StepsAsync(by, request, cancellation);
    }

    /// <summary>How a node dials: as the identity whose seed lies there, which was made when the store was opened and is read for each session.</summary>
    public static Dial DialFrom(string identityPath, TimeProvider clock) => new PeerDialer(() => NodeIdentity.ReadMade(identityPath), clock).DialAsync;

    /// <summary>As it follows "only a root token may".</summary>
    internal const string PushRight = "push to a remote";

    /// <summary>The same.</summary>
    internal const string PullRight = "pull from a remote";

    async IAsyncEnumerable<TransferStep> StepsAsync(Session by, TransferRequest request, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (request.Problem is { } problem)
            throw new RefusedException(RefusalCode.InvalidArgument, problem);
        // The engine would refuse the first batch; nobody needs to be asked before that.
        if (request is { Direction: TransferDirection.Pull, DryRun: false } && database.Mirror.Following is { } leader)
            throw new RefusedException(RefusalCode.ReadOnly, $"This database follows `{leader}` and takes no writes of its own, pulled ones neither: pull there, or make this one a leader with `dbx promote`.");
        var remote = await DialAsync(request.Remote, cancellation).ConfigureAwait(false);
        await using (remote.ConfigureAwait(false))
        {
            // Whoever asks is the actor of the control entries that a pull leaves.
            var here = new LocalReplica(database, by.Actor ?? new("replication", request.Remote), by.Origin) { Clock = clock };
            await using (here.ConfigureAwait(false))
            {
                // Who reads slowly, or a terminal, holds nothing up: the newest is enough.
                var told = Channel.CreateBounded<TransferProgress>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
                using var left = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
                var run = new PushPull(request, here, remote, clock, step => told.Writer.TryWrite(step));
                // Not on the thread of whoever takes the steps up.
                var running = Task.Run(() => RunAsync(run, told.Writer, left.Token), CancellationToken.None);
                try
                {
                    await foreach (var step in told.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
                        yield return step;
                }
                finally
                {
                    if (!running.IsCompleted)
                        await left.CancelAsync().ConfigureAwait(false);
                    await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }

                if (running.IsCompletedSuccessfully)
                    yield return run.Report;
                else if (run.HasChanged)
                    yield return new TransferCutOff(run.Report);
                await running.ConfigureAwait(false);
            }
        }
    }

    static async Task RunAsync(PushPull run, ChannelWriter<TransferProgress> told, CancellationToken cancellation)
    {
        try
        {
            await run.RunAsync(cancellation).ConfigureAwait(false);
        }
        finally
        {
            told.Complete();
        }
    }

    async Task<IReplica> DialAsync(string name, CancellationToken cancellation)
    {
        if (settings().Remotes.GetValueOrDefault(name.Trim()) is not { } remote)
            throw RemoteRules.Absent(name);
        var before = $"failed to connect to remote {remote.Endpoint}";
        try
        {
            return await dial(remote.Endpoint, PeerKey.Parse(remote.PublicKey), cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            throw new RefusedException(refused.Refusal with { Message = $"{before}: {refused.Refusal.Message}", Reason = refused.Refusal.Reason });
        }
        catch (ReplicaLostException lost)
        {
            throw new RefusedException(RefusalCode.Unavailable, $"{before}: {lost.Why}");
        }
    }
}
