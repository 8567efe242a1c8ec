namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>How long a backup waits for its client, in all, while <see cref="BackupAnswerBytes"/> of it are taken: a disk or a line that hesitates gets over it. Beyond it the backup is given up, so that it keeps neither files on disk nor other backups waiting.</summary>
    public static readonly TimeSpan BackupAnswerTimeout = TimeSpan.FromMinutes(1);

    /// <summary>Bytes of a backup that have to be taken within <see cref="BackupAnswerTimeout"/> of waiting: 17 KB a second, a tenth of what a slow line has.</summary>
    public const int BackupAnswerBytes = 1024 * 1024;

    /// <summary>What a guess of a backup's passphrase costs, as age has it: scrypt with 2^18, a second and 256 MiB.</summary>
    public const int AgeWorkFactor = 18;

    /// <summary>The most that is done to read a backup: 2^20, 1 GiB of memory. Whoever made the file chose it.</summary>
    public const int AgeWorkFactorMax = 20;
}
