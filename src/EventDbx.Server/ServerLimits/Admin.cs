namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Admin master keys checked at once in this process: each takes 19 MiB for as long as it runs, and a core.</summary>
    public const int AdminChecksMax = 2;

    /// <summary>Admin requests that wait for one of those checks: a burst of a script, not a crowd. They take no memory yet, and half a second at most. Beyond it the answer is 429.</summary>
    public const int AdminChecksWaitingMax = 32;

    /// <summary>Characters of an admin master key: longer ones are not looked at.</summary>
    public const int AdminKeyMax = 1024;

    /// <summary>How long an admin master key that was right is known without being checked again. Bound to the hash it was checked against.</summary>
    public static readonly TimeSpan AdminKeyKnownFor = TimeSpan.FromSeconds(60);

    /// <summary>Wrong admin keys that one address may send at once; then one more every <see cref="AdminFailurePause"/>, and the answer is 429.</summary>
    public const int AdminFailuresMax = 10;

    /// <summary>After that long an address that sent too many wrong admin keys may send another one, which is looked at without waiting in line.</summary>
    public static readonly TimeSpan AdminFailurePause = TimeSpan.FromSeconds(6);

    /// <summary>Admin keys of addresses that sent too many wrong ones, and are looked at one after the other: the right key may be among them. Beyond it the answer is 429. The last one waits some four seconds.</summary>
    public const int AdminLateMax = 32;

    /// <summary>Between two of those: they take a quarter of a core at most, and nobody guesses more than ten keys a second.</summary>
    public static readonly TimeSpan AdminLatePause = TimeSpan.FromMilliseconds(100);

    /// <summary>Addresses whose wrong admin keys are counted, each by itself; beyond it new ones share one count. About 100 bytes each.</summary>
    public const int AdminAddressesMax = 4_096;

    /// <summary>Connections at once on the listener of the Admin API: bursts of scripts, a quarter of it from one address. Counted apart; beyond it the one that has waited longest is closed.</summary>
    public const int AdminConnectionsMax = 1_024;

    /// <summary>How often a running server looks at its configuration, to open or close the listener of the Admin API and to note what changed.</summary>
    public static readonly TimeSpan SettingsInterval = TimeSpan.FromMilliseconds(500);
}
