using System.Globalization;
using EventDbx.Encryption;
using EventDbx.Recovery;

namespace EventDbx.CrashWriter;

/// <summary>
/// <code>
/// CrashWriter write DIR SEED CYCLE WRITERS KEY|- sync|relaxed     appends until it is killed
/// CrashWriter rotate DIR KEY NEXT                                 replaces the data key under writers; says when it has
/// CrashWriter restore DIR BACKUP ID SIZE ROOT KEY|-              restores the copy of a data directory; says how far it is
/// CrashWriter rebuild DIR KEY|-                                   makes every index anew; says how far it is
/// CrashWriter check DIR                                           the check of an uncleanly stopped store: 0 ok, 4 refused
/// CrashWriter recover DIR KEY|-                                   accepts the loss; prints what was kept
/// CrashWriter hang DIR | crash DIR                                checks that never end, or end badly
/// </code>
/// </summary>
internal static class Program
{
    static async Task<int> Main(string[] args)
    {
        switch (args)
        {
            case ["write", var directory, var seed, var cycle, var writers, var key, var durability]:
                await Writers.RunAsync(
                    Options(directory, key) with { Durability = durability == "relaxed" ? Durability.Relaxed : Durability.Sync },
                    Number(seed), Number(cycle), Number(writers));
                return 0;
            case ["rotate", var directory, var key, var next]:
                await Rotation.RunAsync(Options(directory, key) with { LockTimeout = TimeSpan.FromSeconds(30) }, next);
                return 0;
            case ["restore", var directory, var backup, var id, var size, var root, var key]:
                await Exchanges.RestoreAsync(Options(directory, key), backup, Guid.Parse(id), ulong.Parse(size, CultureInfo.InvariantCulture), root);
                return 0;
            case ["rebuild", var directory, var key]:
                await Exchanges.RebuildAsync(Options(directory, key));
                return 0;
            case ["check", var directory]:
                return StoreCheck.Report(StoreInspection.Run(directory), Console.Out);
            case ["recover", var directory, var key]:
                var report = StoreRecovery.AcceptLoss(Options(directory, key) with { CheckLimit = TimeSpan.FromSeconds(3) });
                Console.WriteLine($"{report.Kept} {report.Expected} {report.MovedTo}");
                return 0;
            case ["hang", _]:
                await Task.Delay(Timeout.InfiniteTimeSpan);
                return 0;
            case ["crash", _]:
                Environment.FailFast("as asked");
                return 0;
            default:
                Console.Error.WriteLine("CrashWriter: see Program.cs");
                return 2;
        }
    }

    static DatabaseOptions Options(string directory, string key)
    {
        DataKey? dataKey = null;
        if (key != "-" && !DataKey.TryParse(key, out dataKey, out var why))
            throw new ArgumentException(why);
        return new() { Directory = directory, Key = dataKey, Encrypted = dataKey is not null, Signer = static () => new FakeSigner() };
    }

    static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
