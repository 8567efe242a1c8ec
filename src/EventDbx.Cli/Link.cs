using EventDbx.Encryption;
using EventDbx.Recovery;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>From a command line to a session on the data directory, and the orderly end of it.</summary>
internal static class Link
{
    /// <summary>The hidden command with which the program checks a store in a process of its own.</summary>
    public const string Inspect = "__inspect";

    static readonly TimeSpan LockTimeoutDefault = TimeSpan.FromSeconds(5);

    /// <summary>Runs on a store that is there; otherwise nothing is made and the answer is <paramref name="absent"/>.</summary>
    public static async Task<ExitCode> ToExistingAsync(
        Call call, Func<Session, Task<ExitCode>> act, Func<ExitCode> absent, CancellationToken cancellation)
    {
        var config = call.LoadConfig();
        return Database.ExistsIn(config.Config.DataDir)
            ? await RunAsync(call, config, act, cancellation).ConfigureAwait(false)
            : absent();
    }

    /// <summary>The same for what is about one aggregate: where there is no store, there is no such aggregate.</summary>
    public static Task<ExitCode> ToExistingAsync(Call call, AggregateKey aggregate, Func<Session, Task<ExitCode>> act, CancellationToken cancellation) =>
        ToExistingAsync(
            call, act, () => throw new RefusedException(RefusalCode.NotFound, $"There is no aggregate {aggregate}: there is no store yet."), cancellation);

    /// <summary>Runs on the store, which is made if there is none.</summary>
    public static Task<ExitCode> ToAnyAsync(Call call, Func<Session, Task<ExitCode>> act, CancellationToken cancellation) =>
        RunAsync(call, call.LoadConfig(), act, cancellation);

    /// <summary>How this command line opens the data directory. A key that is made for a new store is announced.</summary>
    public static async Task<DatabaseOptions> OptionsAsync(Call call, ConfigFile file, CancellationToken cancellation)
    {
        var (config, shell) = (file.Config, call.Shell);
        var choice = await StoreKey.ChooseAsync(file, shell.Environment(StoreKey.Variable), cancellation).ConfigureAwait(false);
        if (choice.Notice is not null)
            await call.NoteAsync(choice.Notice).ConfigureAwait(false);
        return new()
        {
            Directory = config.DataDir,
            Key = choice.Key,
            Encrypted = choice.Encrypted,
            Durability = config.Durability,
            RelaxedInterval = TimeSpan.FromMilliseconds(config.RelaxedIntervalMs),
            LockTimeout = call.Get(GlobalOptions.LockTimeout) ?? LockTimeoutDefault,
            HeadCacheEntries = config.CacheThreshold,
            Holder = call.CommandName,
            Check = StoreCheck.InChild(shell.Self[0], [.. shell.Self.Skip(1), Inspect]),
            Progress = shell.ErrorIsTerminal ? shell.Error.WriteLine : null,
            Clock = shell.Clock,
        };
    }

    static async Task<ExitCode> RunAsync(Call call, ConfigFile file, Func<Session, Task<ExitCode>> act, CancellationToken cancellation)
    {
        var options = await OptionsAsync(call, file, cancellation).ConfigureAwait(false);
        using var key = options.Key;
        var database = Database.Open(options);
        await using (database.ConfigureAwait(false))
            return await act(database.OpenSession(new("cli", Environment.UserName))).ConfigureAwait(false);
    }
}
