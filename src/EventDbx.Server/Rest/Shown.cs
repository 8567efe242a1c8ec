namespace EventDbx.Server.Rest;

/// <summary>What a caller sent, as a message may repeat it: never long.</summary>
internal static class Shown
{
    const int CharactersMax = 64;

    public static string Of(string text) => Cut(text, CharactersMax);

    /// <summary>The beginning of a text, with a mark where more of it was left out.</summary>
    /// <param name="text">What was sent.</param>
    /// <param name="most">Characters that are shown, the mark not counted.</param>
    public static string Cut(string text, int most) => text.Length <= most ? text : $"{text[..(char.IsHighSurrogate(text[most - 1]) ? most - 1 : most)]}…";
}
