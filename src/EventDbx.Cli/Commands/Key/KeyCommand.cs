namespace EventDbx.Cli.Commands.Key;

/// <summary><c>dbx key …</c>: the data key, which opens everything that is stored.</summary>
internal static class KeyCommand
{
    public static Noun Create() => new(
        "key",
        "The data encryption key: where it comes from, and its replacement by another one.",
        KeyRotate.Create(),
        KeyLocation.Create(),
        KeyForget.Create());
}
