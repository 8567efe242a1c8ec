namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>How long a look at the address of releases may take, redirects included: whoever asks waits for it.</summary>
    public static readonly TimeSpan ReleaseLookupTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long an archive of a release may take: the largest at 450 KB a second.</summary>
    public static readonly TimeSpan ReleaseFetchTimeout = TimeSpan.FromMinutes(10);

    /// <summary>How long it may bring nothing at all.</summary>
    public static readonly TimeSpan ReleaseStallTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Bytes of an answer about releases: a hundred of them, with twenty files and long notes each.</summary>
    public const int ReleaseAnswerBytesMax = 16 * 1024 * 1024;

    /// <summary>Bytes of an archive of a release: several times what one has.</summary>
    public const long ReleaseArchiveBytesMax = 256L * 1024 * 1024;

    /// <summary>How long the program of a release may take to say its version: a slow disk, and a machine that is busy.</summary>
    public static readonly TimeSpan ReleaseTrialTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Between two looks for a newer version beside commands, failed ones too.</summary>
    public static readonly TimeSpan ReleaseCheckInterval = TimeSpan.FromHours(6);

    /// <summary>What such a look may cost the command that it is beside, in all.</summary>
    public static readonly TimeSpan ReleaseCheckTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Releases that a list shows at most.</summary>
    public const int ReleasesListedMax = 1_000;
}
