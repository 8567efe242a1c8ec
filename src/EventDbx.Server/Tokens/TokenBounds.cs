namespace EventDbx.Server.Tokens;

/// <summary>Every fixed bound of tokens, each with its unit and its reason.</summary>
public static class TokenBounds
{
    /// <summary>Bytes of a group, a user, or who issued: what an actor in the log may have.</summary>
    public const int NameBytesMax = Limits.TypeBytesMax;

    /// <summary>Bytes of a subject: what <c>group:user</c> may come to.</summary>
    public const int SubjectBytesMax = (2 * NameBytesMax) + 1;

    /// <summary>Bytes of the reason for a revocation. It is a remark.</summary>
    public const int ReasonBytesMax = 512;

    /// <summary>Actions of one token: there are few, and patterns of them.</summary>
    public const int ActionsMax = 100;

    /// <summary>Resources of one token: each is tried at each request.</summary>
    public const int ResourcesMax = 1000;

    /// <summary>Bytes of one resource: the longest type and id with every byte percent-encoded, and what joins them.</summary>
    public const int ResourceBytesMax = 11 + (3 * (Limits.TypeBytesMax + Limits.IdBytesMax));

    /// <summary>Characters of a token. It travels in a header, and servers and proxies take some 32 KiB of all of them.</summary>
    public const int TokenCharactersMax = 24 * 1024;

    /// <summary>Tokens that are neither revoked nor expired: the ledger is in memory, and replaced whole.</summary>
    public const int LiveTokensMax = 100_000;

    /// <summary>Seconds: no default lifetime is shorter, a token must outlive the command that asked for it.</summary>
    public const int DefaultTtlSecondsMin = 60;

    /// <summary>Bytes of the secret: as many as the hash that it keys.</summary>
    public const int SecretBytesMin = 32;

    /// <summary>How long a secret that was replaced is still good for the tokens that it signed, where nobody says otherwise: clients have a day to get new ones.</summary>
    public static readonly TimeSpan OverlapDefault = TimeSpan.FromDays(1);

    /// <summary>And how long at most: a secret that never ends was not replaced.</summary>
    public static readonly TimeSpan OverlapMax = TimeSpan.FromDays(366);

    /// <summary>How often a long answer looks whether its token is still good.</summary>
    public static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a dead token stands in the ledger, for whoever asks why it stopped working. The log knows it for ever.</summary>
    public static readonly TimeSpan DeadFor = TimeSpan.FromDays(30);

    /// <summary>The lifetime of a token that is kept alive is written down at most so often in its course: a use must not cost a write.</summary>
    public const int KeepAliveWritesPerLifetime = 16;

    /// <summary>And never more often than this.</summary>
    public static readonly TimeSpan KeepAliveWritePauseMin = TimeSpan.FromSeconds(1);
}
